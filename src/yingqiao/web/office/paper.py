"""An application on paper: title, fields and rules as the annex has them, to be signed and stamped."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from yingqiao.exchange.clock import clock
from yingqiao.signing.enrolment.form import Field, FieldKind, Form
from yingqiao.store.signing.cases import KeptCase
from yingqiao.web.balance_files import font_in

_LABEL, _LINE, _AREA = 52, 10, 48
"""Millimetres: width of labels, height of a line, height of a sampling area."""
_DAY: Final = "日期：        年      月      日"


def printed(case: KeptCase, pictures: Mapping[str, bytes]) -> bytes:
    """A4 as PDF; `pictures` by field. Raises NoFontError."""
    return _paper(case.form, case.entries, pictures, case.hospital_name, case)


def blank(form: Form, hospital_name: str = "") -> bytes:
    """The empty form, to be filled in by hand. Raises NoFontError."""
    return _paper(form, {}, {}, hospital_name, None)


def _paper(
    form: Form,
    entries: Mapping[str, str],
    pictures: Mapping[str, bytes],
    hospital_name: str,
    case: KeptCase | None,
) -> bytes:
    from fpdf import FPDF  # only who prints pays for it

    pdf: Any = FPDF(format="A4")
    pdf.set_margins(20, 18)
    pdf.set_title(form.title)
    pdf.add_font("cjk", fname=font_in())
    pdf.footer = lambda: _footer(pdf)
    pdf.add_page()
    _head(pdf, form)
    if form.field("hospitalName") is None and form.field("unitName") is None:
        _line(pdf, "医院", hospital_name)
    _entries(pdf, form, entries, pictures)
    if form.declarations:
        _accepted(pdf)
    _rules(pdf, "填表说明", form.rules)
    _rules(pdf, "提交材料", form.attachments)
    if case is not None:
        _course(pdf, case)
    if not form.declarations:
        _hands(pdf, ("申请人签名：", "医院（公章）：", "", _DAY))
    return bytes(pdf.output())


def _head(pdf: Any, form: Form) -> None:
    pdf.set_font("cjk", size=10)
    pdf.cell(0, 6, f"附件 {form.annex}", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("cjk", size=16)
    pdf.multi_cell(0, 12, form.title, align="C", new_x="LMARGIN", new_y="NEXT")
    if form.aliases:
        pdf.set_font("cjk", size=8)
        pdf.multi_cell(0, 4, f"又称：{'、'.join(form.aliases)}", align="C", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(3)


def _entries(pdf: Any, form: Form, entries: Mapping[str, str], pictures: Mapping[str, bytes]) -> None:
    """Line by line, parts under their headings; more than two sampling areas stand two in a row."""
    paired = sum(field.kind is FieldKind.PICTURE for field in form.fields) > 2
    areas = []
    for field in form.fields:
        if field.part:
            _part(pdf, field.part)
        if form.declarations and field is form.fields[-1]:
            _declared(pdf, form.declarations)
        if field.kind is FieldKind.PICTURE and paired:
            areas.append((field, pictures.get(field.name, b"")))
        elif field.kind is FieldKind.PICTURE:
            _area(pdf, field, pictures.get(field.name, b""))
        else:
            star = "*" if form.declarations and field.required else ""
            _line(pdf, star + field.label, _value(field, entries.get(field.name, "")))
    size = (_number(entries.get("width", "")), _number(entries.get("height", "")))
    for at in range(0, len(areas), 2):
        _pair(pdf, areas[at : at + 2], size)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _footer(pdf: Any) -> None:
    pdf.set_y(-12)
    pdf.set_font("cjk", size=8)
    pdf.cell(0, 6, f"第 {pdf.page_no()} 页，共 {{nb}} 页", align="C")


def _part(pdf: Any, title: str) -> None:
    if pdf.will_page_break(2 * _LINE):
        pdf.add_page()
    pdf.set_font("cjk", size=11)
    pdf.set_fill_color(232, 238, 244)
    pdf.cell(0, _LINE * 0.8, f" {title}", border=1, fill=True, new_x="LMARGIN", new_y="NEXT")


def _declared(pdf: Any, declarations: Sequence[str]) -> None:
    """The declarations, framed, with the places for hand and stamp."""
    pdf.set_font("cjk", size=10)
    text = "\n".join(f"{number}. {said}。" for number, said in enumerate(declarations, 1))
    height = 6 * len(pdf.multi_cell(pdf.epw - 4, 6, text, dry_run=True, output="LINES")) + 34
    if pdf.will_page_break(height):
        pdf.add_page()
    x, y = pdf.get_x(), pdf.get_y()
    pdf.rect(x, y, pdf.epw, height)
    pdf.set_xy(x + 2, y + 1)
    pdf.multi_cell(pdf.epw - 4, 6, text, align="L")
    pdf.set_xy(x + 2, y + height - 30)
    pdf.cell(pdf.epw / 2, 8, "经办人签名：")
    pdf.cell(pdf.epw / 2 - 4, 8, "申请单位（公章）：")
    pdf.set_xy(x, y + height)


def _accepted(pdf: Any) -> None:
    """Part X, filled in by who accepts."""
    _part(pdf, "X 受理审批")
    _line(pdf, "证书业务操作员签名", "")
    _line(pdf, "受理日期", "        年      月      日")


def _pair(pdf: Any, areas: Sequence[tuple[Field, bytes]], size: tuple[int, int]) -> None:
    """Two sampling areas side by side; the picture of the seal in its true size."""
    height, width = _AREA + 14, pdf.epw / 2
    if pdf.will_page_break(height):
        pdf.add_page()
    x, y = pdf.get_x(), pdf.get_y()
    for at, (field, content) in enumerate(areas):
        left = x + at * width
        pdf.rect(left, y, width, height)
        pdf.set_font("cjk", size=9)
        pdf.set_xy(left + 1, y)
        true = f"（{size[0]}×{size[1]} 毫米）" if field.name == "result" and all(size) else ""
        pdf.cell(width - 2, 7, field.label + true)
        room = (width - 6, height - 12)
        if field.name == "result" and 0 < size[0] <= room[0] and 0 < size[1] <= room[1]:
            _place(
                pdf, content, left + (width - size[0]) / 2, y + 8 + (room[1] - size[1]) / 2, size, exact=True
            )
        else:
            _place(pdf, content, left + 3, y + 9, room, exact=False)
    pdf.set_xy(x, y + height)


def _place(pdf: Any, content: bytes, x: float, y: float, size: tuple[float, float], *, exact: bool) -> None:
    if not content:
        return
    try:
        pdf.image(io.BytesIO(content), x, y, *size, keep_aspect_ratio=not exact)
    except (OSError, ValueError, SyntaxError):  # what the decoder makes of a damaged picture
        pdf.set_xy(x, y)
        pdf.cell(60, _LINE, "（图片已损坏）")


def _value(field: Field, text: str) -> str:
    """A choice as the printed forms have it: boxes, one of them ticked."""
    if field.kind is not FieldKind.CHOICE:
        return text
    return "    ".join(f"{'■' if choice == text else '□'}\u00a0{choice}" for choice in field.choices)


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
    _place(pdf, content, x + _LABEL + 3, y + 3, (pdf.epw - _LABEL - 6, _AREA - 6), exact=False)
    pdf.set_xy(x, y + _AREA)


def _rules(pdf: Any, title: str, rules: Sequence[str]) -> None:
    if not rules:
        return
    pdf.ln(4)
    pdf.set_font("cjk", size=9)
    pdf.cell(0, 6, title, new_x="LMARGIN", new_y="NEXT")
    for number, rule in enumerate(rules, 1):
        pdf.multi_cell(0, 5, f"{number}. {rule}", align="L", new_x="LMARGIN", new_y="NEXT")


def _course(pdf: Any, case: KeptCase) -> None:
    """Who handed in, who decided."""
    pdf.ln(5)
    pdf.set_font("cjk", size=9)
    course = case.case
    pdf.cell(
        0,
        6,
        f"申请编号 {case.id}    提交 {course.submitted_by} {clock(course.submitted_at)}",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    decided = f"    {course.decided_by} {clock(course.decided_at)}" if course.decided_at else ""
    reason = f"    原因：{course.reason}" if course.reason else ""
    pdf.multi_cell(
        0, 6, f"审批 {course.state.words}{decided}{reason}", align="L", new_x="LMARGIN", new_y="NEXT"
    )


def _hands(pdf: Any, places: Sequence[str]) -> None:
    """Where hands and stamps go, two in a row."""
    if pdf.will_page_break(24):
        pdf.add_page()
    pdf.ln(8)
    pdf.set_font("cjk", size=11)
    for at, place in enumerate(places):
        ends = {"new_x": "LMARGIN", "new_y": "NEXT"} if at % 2 else {}
        pdf.cell(pdf.epw / 2, 8, place, **ends)
