"""Lists as files that spreadsheets open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

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


def _cell(member: str, value: object) -> str:
    is_moment = member.endswith(("At", "Before", "After", "Until")) and isinstance(value, int)
    return clock(value) if is_moment and isinstance(value, int) else cell(member, value)
