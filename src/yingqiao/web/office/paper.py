"""An application on paper: title, fields and rules as the annex has them, to be signed and stamped."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from yingqiao.exchange.clock import clock
from yingqiao.signing.enrolment.case import shown_name
from yingqiao.signing.enrolment.form import Field, FieldKind
from yingqiao.store.signing.cases import KeptCase
from yingqiao.web.balance_files import font_in

_LABEL, _LINE, _AREA = 52, 10, 48
"""Millimetres: width of labels, height of a line, height of a sampling area."""


def printed(case: KeptCase, pictures: Mapping[str, bytes]) -> bytes:
    """A4 as PDF; `pictures` by field. Raises NoFontError."""
    from fpdf import FPDF  # only who prints pays for it

    pdf = FPDF(format="A4")
    pdf.set_margins(20, 18)
    pdf.set_title(case.form.title)
    pdf.add_font("cjk", fname=font_in())
    pdf.add_page()
    pdf.set_font("cjk", size=10)
    pdf.cell(0, 6, f"附件 {case.form.annex}", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("cjk", size=16)
    pdf.multi_cell(0, 12, case.form.title, align="C", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(3)
    if case.form.field("hospitalName") is None:
        _line(pdf, "医院", case.hospital_name)
    for field in case.form.fields:
        if field.kind is FieldKind.PICTURE:
            _area(pdf, field, pictures.get(field.name, b""))
        else:
            _line(pdf, field.label, _value(field, case.entries.get(field.name, "")))
    _rules(pdf, case)
    _course(pdf, case)
    return bytes(pdf.output())


def _value(field: Field, text: str) -> str:
    """A choice as the printed forms have it: boxes, one of them ticked."""
    if field.kind is not FieldKind.CHOICE:
        return text
    return "    ".join(f"{'■' if choice == text else '□'} {choice}" for choice in field.choices)


def _line(pdf: Any, label: str, value: str) -> None:
    pdf.set_font("cjk", size=11)
    width = pdf.epw - _LABEL
    lines = pdf.multi_cell(width - 2, _LINE * 0.7, value or " ", dry_run=True, output="LINES")
    height = max(_LINE, len(lines) * _LINE * 0.7)
    if pdf.will_page_break(height):
        pdf.add_page()
    x, y = pdf.get_x(), pdf.get_y()
    pdf.rect(x, y, _LABEL, height)
    pdf.rect(x + _LABEL, y, width, height)
    pdf.set_xy(x + 1, y)
    pdf.cell(_LABEL - 2, height, label)
    pdf.set_xy(x + _LABEL + 1, y + (height - len(lines) * _LINE * 0.7) / 2)
    pdf.multi_cell(width - 2, _LINE * 0.7, value or " ", align="L")
    pdf.set_xy(x, y + height)


def _area(pdf: Any, field: Field, content: bytes) -> None:
    """The sampling area with the picture in it, or empty to be signed in."""
    if pdf.will_page_break(_AREA):
        pdf.add_page()
    x, y = pdf.get_x(), pdf.get_y()
    pdf.rect(x, y, _LABEL, _AREA)
    pdf.rect(x + _LABEL, y, pdf.epw - _LABEL, _AREA)
    pdf.set_font("cjk", size=11)
    pdf.set_xy(x + 1, y + _AREA / 2 - 7)
    pdf.multi_cell(_LABEL - 2, 7, field.label, align="L")
    if content:
        try:
            pdf.image(
                io.BytesIO(content),
                x + _LABEL + 3,
                y + 3,
                pdf.epw - _LABEL - 6,
                _AREA - 6,
                keep_aspect_ratio=True,
            )
        except (OSError, ValueError, SyntaxError):  # what the decoder makes of a damaged picture
            pdf.set_xy(x + _LABEL + 1, y)
            pdf.cell(60, _LINE, "（图片已损坏）")
    pdf.set_xy(x, y + _AREA)


def _rules(pdf: Any, case: KeptCase) -> None:
    if not case.form.rules:
        return
    pdf.ln(4)
    pdf.set_font("cjk", size=9)
    pdf.cell(0, 6, "填表说明", new_x="LMARGIN", new_y="NEXT")
    for number, rule in enumerate(case.form.rules, 1):
        pdf.multi_cell(0, 5, f"{number}. {rule}", align="L", new_x="LMARGIN", new_y="NEXT")


def _course(pdf: Any, case: KeptCase) -> None:
    """Who handed in, who decided, and where hands and stamps go."""
    pdf.ln(5)
    pdf.set_font("cjk", size=9)
    course = case.case
    pdf.cell(
        0,
        6,
        f"申请编号 {case.id}    提交 {shown_name(course.submitted_by)} {clock(course.submitted_at)}",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    decided = f"    {shown_name(course.decided_by)} {clock(course.decided_at)}" if course.decided_at else ""
    reason = f"    原因：{course.reason}" if course.reason else ""
    pdf.multi_cell(
        0, 6, f"审批 {course.state.words}{decided}{reason}", align="L", new_x="LMARGIN", new_y="NEXT"
    )
    pdf.ln(8)
    pdf.set_font("cjk", size=11)
    pdf.cell(pdf.epw / 2, 8, "申请人签名：")
    pdf.cell(pdf.epw / 2, 8, "医院（公章）：", new_x="LMARGIN", new_y="NEXT")
    pdf.cell(pdf.epw / 2, 8, "")
    pdf.cell(pdf.epw / 2, 8, "日期：        年      月      日", new_x="LMARGIN", new_y="NEXT")
