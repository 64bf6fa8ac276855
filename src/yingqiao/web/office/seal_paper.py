"""The sheet of a seal on paper: what it is, what it looks like in its true size, what was done to it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from yingqiao.exchange.clock import clock
from yingqiao.web.balance_files import font_in

_LABEL, _LINE = 42, 9
"""Millimetres."""


def seal_sheet(shown: Mapping[str, Any], picture: bytes) -> bytes:
    """A4 as PDF; `shown` as `whole_seal_shown` gives it. Raises NoFontError."""
    from fpdf import FPDF  # only who prints pays for it

    pdf: Any = FPDF(format="A4")
    pdf.set_margins(20, 18)
    pdf.set_title("电子印章登记表")
    pdf.add_font("cjk", fname=font_in())
    pdf.add_page()
    pdf.set_font("cjk", size=16)
    pdf.cell(0, 14, "电子印章登记表", align="C", new_x="LMARGIN", new_y="NEXT")
    for label, value in _lines(shown):
        _line(pdf, label, value)
    _picture(pdf, shown, picture)
    _history(pdf, shown)
    return bytes(pdf.output())


def _lines(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    certificate = shown["certificate"]
    lines = [
        ("印章名称", shown["name"]),
        ("印章标识", shown["esId"]),
        ("医疗机构", f"{shown['hospitalName']}（{shown['hospital']}）"),
        ("种类", shown["kindWords"]),
        ("尺寸", f"{shown['width']}×{shown['height']} 毫米"),
        ("有效期", f"{clock(shown['validBefore'])} 至 {clock(shown['validAfter'])}"),
        ("状态", shown["stateWords"] + (f"：{shown['stateReason']}" if shown["stateReason"] else "")),
        ("申请", f"申请表 {shown['unitCase']}，采样表 {shown['stampCase']}"),
        ("制作", f"{shown['madeBy']}  {clock(shown['madeAt'])}"),
    ]
    if certificate is None:
        return [*lines, ("签章证书", "私钥在别处（智能密码钥匙）")]
    return [*lines, ("签章证书", certificate["subject"]), ("证书序列号", certificate["serial"])]


def _line(pdf: Any, label: str, value: str) -> None:
    pdf.set_font("cjk", size=10)
    width = pdf.epw - _LABEL
    count = len(pdf.multi_cell(width - 2, 6, value or " ", dry_run=True, output="LINES"))
    height = max(_LINE, count * 6 + 2)
    x, y = pdf.get_x(), pdf.get_y()
    pdf.rect(x, y, _LABEL, height)
    pdf.rect(x + _LABEL, y, width, height)
    pdf.set_xy(x + 1, y)
    pdf.cell(_LABEL - 2, height, label)
    pdf.set_xy(x + _LABEL + 1, y + (height - count * 6) / 2)
    pdf.multi_cell(width - 2, 6, value or " ", align="L")
    pdf.set_xy(x, y + height)


def _picture(pdf: Any, shown: Mapping[str, Any], picture: bytes) -> None:
    """In its true size."""
    height = max(60, shown["height"] + 8)
    if pdf.will_page_break(height):
        pdf.add_page()
    x, y = pdf.get_x(), pdf.get_y()
    pdf.rect(x, y, _LABEL, height)
    pdf.rect(x + _LABEL, y, pdf.epw - _LABEL, height)
    pdf.set_xy(x + 1, y)
    pdf.cell(_LABEL - 2, height, "印模（原大）")
    left = x + _LABEL + (pdf.epw - _LABEL - shown["width"]) / 2
    pdf.image(io.BytesIO(picture), left, y + (height - shown["height"]) / 2, shown["width"], shown["height"])
    pdf.set_xy(x, y + height)


def _history(pdf: Any, shown: Mapping[str, Any]) -> None:
    pdf.ln(4)
    pdf.set_font("cjk", size=11)
    pdf.cell(0, 8, "经过", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("cjk", size=9)
    for change in shown["changes"]:
        text = f"{clock(change['at'])}  {change['actWords']}  {change['who']}  {change['reason']}"
        pdf.multi_cell(0, 6, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(8)
    pdf.set_font("cjk", size=11)
    pdf.cell(pdf.epw / 2, 8, "领用人签名：")
    pdf.cell(pdf.epw / 2, 8, "日期：        年      月      日", new_x="LMARGIN", new_y="NEXT")
