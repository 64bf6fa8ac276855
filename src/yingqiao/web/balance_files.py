"""Balances as files: CSV, XLSX, and a PDF with a chart. Each carries the digests of its entries."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from yingqiao.exchange.balance import ENTRY_NAMES, Entry, EntryKind
from yingqiao.exchange.clock import clock
from yingqiao.exchange.spreadsheet import disarmed
from yingqiao.exchange.statement import CLASSES

FORMATS = ("csv", "xlsx", "pdf")
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
HEADINGS = (
    *("日期", "医疗机构", "序号", "类别", "结论"),
    *("医院检查", "医院影像", "医院报告", "平台检查", "平台影像", "平台报告"),
    *("上级检查", "上级影像", "上级报告", "缺少", "清单外", "凭证", "时间", "SM3 摘要"),
)
_CLASS_HEADINGS = ("日期", "医疗机构", "序号", "影像类别", *HEADINGS[5:14])
_MISSING_HEADINGS = ("日期", "医疗机构", "序号", "性质", "检查 id")
_FONTS = (
    "opentype/noto/NotoSansCJK-Regular.ttc",
    "noto-cjk/NotoSansCJK-Regular.ttc",
    "google-noto-cjk/NotoSansCJK-Regular.ttc",
    "google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "truetype/wqy/wqy-microhei.ttc",
    "truetype/wqy/wqy-zenhei.ttc",
    "truetype/arphic/uming.ttc",
)
_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
_BARS_AT_MOST = 62
_OURS, _THEIRS = (61, 122, 166), (217, 158, 80)


class NoFontError(Exception):
    """No font with Chinese characters is at hand; the text is Chinese and says what to install."""


def render(entries: Sequence[Entry], shape: str, folders: Sequence[Path] = _FOLDERS) -> bytes:
    """The entries as a file of one of FORMATS. Raises NoFontError (pdf only)."""
    if shape == "csv":
        return _csv(entries)
    return _xlsx(entries) if shape == "xlsx" else _pdf(entries, font_in(folders))


def font_in(folders: Sequence[Path] = _FOLDERS) -> Path:
    """A font with Chinese characters, where distributions put them. Raises NoFontError."""
    for folder in folders:
        for name in _FONTS:
            if (folder / name).is_file():
                return folder / name
    raise NoFontError(
        "没有找到中文字体，不能生成 PDF：请安装 fonts-noto-cjk（Debian/Ubuntu）或 google-noto-sans-cjk-fonts"
    )


def rows_of(entries: Sequence[Entry]) -> Iterator[tuple[Any, ...]]:
    """A line an entry, in the order of HEADINGS."""
    for entry in entries:
        said = orjson.loads(entry.content)
        yield (
            *_place(entry)[:3],
            ENTRY_NAMES[entry.kind],
            said["verdict"],
            *(number for side in ("stated", "gateway", "upper") for number in _total(said[side])),
            said["missing"]["count"],
            said["unlisted"]["count"],
            said["receipts"]["count"],
            clock(entry.made_at),
            entry.digest.hex(),
        )


def _csv(entries: Sequence[Entry]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADINGS)
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows_of(entries))
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _csv_cell(cell: object) -> object:
    if isinstance(cell, str):
        return disarmed(cell)
    return "" if cell is None else cell


def _xlsx(entries: Sequence[Entry]) -> bytes:
    import xlsxwriter  # only who exports pays for it

    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    bold = book.add_format({"bold": True, "bg_color": "#E8EEF4"})
    for title, headings, rows in (
        ("对账", HEADINGS, rows_of(entries)),
        ("分类", _CLASS_HEADINGS, _class_rows(entries)),
        ("缺少与清单外", _MISSING_HEADINGS, _id_rows(entries)),
    ):
        sheet = book.add_worksheet(title)
        sheet.write_row(0, 0, headings, bold)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(headings) - 1, 12)
        for index, row in enumerate(rows, 1):
            sheet.write_row(index, 0, row)
    book.close()
    return out.getvalue()


def _class_rows(entries: Sequence[Entry]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        said = orjson.loads(entry.content)
        sides = [(said[side] or {}).get("counts", {}) for side in ("stated", "gateway", "upper")]
        for code, name in CLASSES.items():
            if any(code in side for side in sides):
                numbers = (number for side in sides for number in side.get(code, (None, None, None)))
                yield *_place(entry)[:3], name, *numbers


def _id_rows(entries: Sequence[Entry]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        said = orjson.loads(entry.content)
        for key, name in (("missing", "缺少"), ("unlisted", "清单外")):
            for one in said[key]["ids"]:
                yield *_place(entry)[:3], name, one


def _place(entry: Entry) -> tuple[str, str, int]:
    return entry.day, entry.hospital_code, entry.sequence


def _total(side: dict[str, Any] | None) -> list[int | None]:
    return side["total"] if side else [None, None, None]


def _pdf(entries: Sequence[Entry], font: Path) -> bytes:
    from fpdf import FPDF  # as above

    pdf = FPDF(orientation="landscape")
    pdf.set_title("对账")
    pdf.add_font("cjk", fname=font)
    pdf.set_font("cjk", size=9)
    pdf.add_page()
    pdf.set_font("cjk", size=15)
    pdf.cell(0, 10, _title(entries), new_x="LMARGIN", new_y="NEXT")
    _chart(pdf, entries)
    _table(pdf, entries)
    return bytes(pdf.output())


def _title(entries: Sequence[Entry]) -> str:
    days, codes = sorted({e.day for e in entries}), sorted({e.hospital_code for e in entries})
    span = f"{days[0]} 至 {days[-1]}" if len(days) > 1 else "".join(days)
    return f"检查、影像、报告对账  {span}  {'、'.join(codes[:3])}{'等' if len(codes) > 3 else ''}"


def _chart(pdf: Any, entries: Sequence[Entry]) -> None:
    """Exams a day, as the hospital said and as the gateway has them: the last word of each day."""
    last: dict[tuple[str, str], tuple[int, int]] = {}
    for day, code, _, _, _, said, _, _, ours, *_ in rows_of(entries):
        last[day, code] = said or 0, ours or 0
    bars = sorted(last.items())[-_BARS_AT_MOST:]
    most = max((max(pair) for _, pair in bars), default=0) or 1
    left, bottom, height = pdf.l_margin, pdf.get_y() + 52, 42
    width = min(24.0, pdf.epw / max(1, len(bars)))
    pdf.set_font("cjk", size=7)
    for index, ((day, _), pair) in enumerate(bars):
        x = left + index * width
        for part, (value, colour) in enumerate(zip(pair, (_THEIRS, _OURS), strict=True)):
            pdf.set_fill_color(*colour)
            tall = height * value / most
            pdf.rect(x + width * (0.1 + 0.4 * part), bottom - tall, width * 0.38, tall, style="F")
        if width > 12 or index % 5 == 0:
            pdf.text(x + 0.5, bottom + 4, day[5:])
    pdf.line(left, bottom, left + pdf.epw, bottom)
    pdf.text(left, bottom - height - 3, f"检查数（最高 {most}）：左 医院清单，右 平台台账")
    pdf.set_y(bottom + 8)


def _table(pdf: Any, entries: Sequence[Entry]) -> None:
    from fpdf.fonts import FontFace  # as above

    shown = (0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16)
    pdf.set_font("cjk", size=7)
    widths = (17, 40, 12, 20, *(17,) * 9)
    heading = FontFace(emphasis="", fill_color=(232, 238, 244))
    pdf.set_fill_color(255)  # else the rows have the colour of the chart's last bar
    with pdf.table(col_widths=widths, text_align="CENTER", line_height=4.5, headings_style=heading) as table:
        line = table.row()
        for column in shown:
            line.cell(HEADINGS[column])
        for row in rows_of(entries):
            line = table.row()
            for column in shown:
                line.cell("" if row[column] is None else str(row[column]))
    pdf.ln(3)
    for entry in entries:
        kind = "补记" if entry.kind is EntryKind.AMEND else "结账"
        pdf.cell(
            0,
            4,
            f"{entry.day} {entry.hospital_code} 第 {entry.sequence} 条 {kind} SM3 {entry.digest.hex()}",
            new_x="LMARGIN",
            new_y="NEXT",
        )
