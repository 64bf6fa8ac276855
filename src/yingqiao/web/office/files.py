"""Lists as files that spreadsheets open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from yingqiao.exchange.clock import clock
from yingqiao.web.api.answers import cell


def csv_file(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], name: str) -> Response:
    """CSV with BOM, CRLF, Chinese headings, Beijing time; what a spreadsheet would run as a formula is disarmed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns.values())
    writer.writerows([_cell(member, row.get(member)) for member in columns] for row in rows)
    headers = {"content-disposition": f'attachment; filename="{name}.csv"', "cache-control": "no-store"}
    return Response(
        b"\xef\xbb\xbf" + text.getvalue().encode(), headers=headers, media_type="text/csv; charset=utf-8"
    )


def file_answer(content: bytes, media: str, name: str) -> Response:
    """A file to be kept, under a name that may be Chinese."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(content, headers=headers, media_type=media)


def xlsx_bytes(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], title: str) -> bytes:
    """The same as a spreadsheet; text stays text."""
    import xlsxwriter  # only who exports pays for it

    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet(title[:31])
    sheet.write_row(0, 0, list(columns.values()), book.add_format({"bold": True, "bg_color": "#E8EEF4"}))
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(columns) - 1, 18)
    for at, row in enumerate(rows, 1):
        for across, member in enumerate(columns):
            sheet.write_string(at, across, _plain(member, row.get(member)))
    book.close()
    return out.getvalue()


def _plain(member: str, value: object) -> str:
    """A text cell of a spreadsheet runs nothing: it stays as it is."""
    return value if isinstance(value, str) else _cell(member, value)


def _cell(member: str, value: object) -> str:
    is_moment = member.endswith(("At", "Before", "After", "Until")) and isinstance(value, int)
    return clock(value) if is_moment and isinstance(value, int) else cell(member, value)
