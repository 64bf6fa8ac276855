"""Parameters in, pages out: what all routes of the API share."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response

from yingqiao.exchange.clock import clock
from yingqiao.exchange.spreadsheet import disarmed
from yingqiao.store.queries.common import LIMIT_AT_MOST, Page
from yingqiao.store.queries.words import Word

DEFAULT_LIMIT = 50
CSV_LIMIT = LIMIT_AT_MOST
_PAGING = frozenset(("limit", "offset", "total", "format", "order"))


class RequestError(Exception):
    """The request asks for what cannot be; the message is Chinese, for the caller."""


def asked(request: Request, words: Sequence[Word], more: Collection[str] = _PAGING) -> dict[str, str]:
    """The query parameters. Raises RequestError for one that is unknown or given twice."""
    known = {word.name for word in words} | set(more)
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise RequestError(f"没有参数 {name}，可用：{'、'.join(sorted(known))}")
        if name in given:
            raise RequestError(f"参数 {name} 给了两次")
        given[name] = value
    return given


def paging(given: Mapping[str, str]) -> tuple[int, int, bool, bool]:
    """(limit, offset, with total, as CSV). Raises RequestError."""
    shape = given.get("format", "json")
    if shape not in ("json", "csv"):
        raise RequestError("参数 format 应为 json 或 csv")
    limit = _number(given, "limit", CSV_LIMIT if shape == "csv" else DEFAULT_LIMIT)
    if not 1 <= limit <= LIMIT_AT_MOST:
        raise RequestError(f"参数 limit 应在 1 到 {LIMIT_AT_MOST} 之间")
    total = given.get("total", "true")
    if total not in ("true", "false"):
        raise RequestError("参数 total 应为 true 或 false")
    return limit, _number(given, "offset", 0), total == "true" and shape == "json", shape == "csv"


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise RequestError(f"参数 {name} 应为不小于 0 的整数")
    return int(text)


def json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`value` (structs and all) as JSON."""
    body = orjson.dumps(msgspec.to_builtins(value))
    return Response(body, status, headers, media_type="application/json; charset=utf-8")


def error(status: int, message: str) -> Response:
    return json({"code": 0, "message": message, "content": None}, status)


def page(request: Request, found: Page[Any]) -> Response:
    """A page with its `Link` and `X-Total-Count` headers."""
    headers = {}
    if found.total is not None:
        headers["x-total-count"] = f"{found.total}{'' if found.total_is_exact else '+'}"
    links = list(_links(request, found))
    if links:
        headers["link"] = ", ".join(links)
    return json(found, 200, headers)


def _links(request: Request, found: Page[Any]) -> Iterable[str]:
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in ("limit", "offset")]

    def link(offset: int, rel: str) -> str:
        query = urlencode([*kept, ("limit", found.limit), ("offset", offset)])
        return f'<{request.url.path}?{query}>; rel="{rel}"'

    if found.offset > 0:
        yield link(max(0, found.offset - found.limit), "prev")
    if len(found.items) == found.limit:
        yield link(found.offset + found.limit, "next")


def table(request: Request, found: Page[Any], columns: Mapping[str, str], name: str) -> Response:
    """A page as a CSV file that spreadsheets open: BOM, CRLF, Chinese headings, Beijing time. One that is full says
    where the next part is, in its `Link` header.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns.values())
    for row in found.items:
        writer.writerow([cell(member, getattr(row, member)) for member in columns])
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    links = list(_links(request, found))
    if links:
        headers["link"] = ", ".join(links)
    body = b"\xef\xbb\xbf" + text.getvalue().encode()
    return Response(body, 200, headers, media_type="text/csv; charset=utf-8")


def cell(member: str, value: object) -> str:
    """One value as people read it. A text that a spreadsheet would run as a formula is disarmed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return clock(value) if member.endswith(("_at", "_since")) else str(value)
    text = "，".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return disarmed(text)
