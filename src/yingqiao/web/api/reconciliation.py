"""The routes of days, differences and receipts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import msgspec
import orjson
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yingqiao.exchange.balance import MissingState, content_of
from yingqiao.exchange.query import Kind, State
from yingqiao.exchange.receipt import Receipt
from yingqiao.exchange.statement import StatementError, day_of
from yingqiao.store import balances, differences, receipts
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError
from yingqiao.store.landing import LandingReader
from yingqiao.store.missing import list_missing
from yingqiao.store.objects import LocalObjects
from yingqiao.store.queries.headings import DIFFERENCE_HEADINGS, MISSING_HEADINGS
from yingqiao.store.reconciliation import now_ms
from yingqiao.web.api.answers import RequestError, error, json, page, paging, table
from yingqiao.web.balance_files import FORMATS, MEDIA, NoFontError, render

Reading = Callable[[Callable[[Request, Connection], Response]], Any]
Acting = Callable[[Callable[[Request, Database], Response]], Any]
Mend = Callable[[int], State]
"""Mends a noted difference; where it stands then. Raises HospitalError when there is none, StoreUnavailable."""
_PAGES = ("limit", "offset", "total", "format")
_NUMBER_AT_MOST = 2**63


def reconciliation_routes(
    reading: Reading, acting: Acting, objects: object | None, landing: Path | None, mend: Mend | None
) -> list[BaseRoute]:
    """To be mounted with the others. Without objects and landing nothing can be verified, without `mend` no difference
    mended.
    """

    def mending(request: Request, database: Database) -> Response:
        return _mend(request, database, mend)

    def verifying(request: Request, connection: Connection) -> Response:
        return _verify(request, connection, objects, landing)

    return [
        Route("/reconcile", reading(_entries)),
        Route("/reconcile/export", reading(_export)),
        Route("/reconcile/verify", reading(_verify_chains)),
        Route("/reconcile/missing", reading(_missing)),
        Route("/reconcile/{hospital}/{day}", reading(_day)),
        Route("/reconcile/{hospital}/{day}/close", acting(_close), methods=["POST"]),
        Route("/differences", reading(_differences)),
        Route("/differences/{id:int}", reading(_difference)),
        Route("/differences/{id:int}/mend", acting(mending), methods=["POST"]),
        Route("/differences/{id:int}/ignore", acting(_ignore), methods=["POST"]),
        Route("/receipts", reading(_receipts)),
        Route("/receipts/verify", reading(verifying)),
    ]


def _given(request: Request, known: Collection[str]) -> dict[str, str]:
    """Raises RequestError for a parameter that is unknown or given twice."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise RequestError(f"没有参数 {name}，可用：{'、'.join(sorted(known))}")
        if name in given:
            raise RequestError(f"参数 {name} 给了两次")
        given[name] = value
    return given


def _days(given: dict[str, str]) -> tuple[str | None, str | None]:
    return tuple(_a_day(given[name]) if name in given else None for name in ("from", "to"))  # type: ignore[return-value]


def _a_day(text: str) -> str:
    try:
        return day_of(text)
    except StatementError as problem:
        raise RequestError("日期应写作 yyyy-MM-dd") from problem


def _one_of(given: dict[str, str], name: str, known: type[State | Kind | MissingState]) -> str | None:
    value = given.get(name)
    if value is not None and value not in tuple(known):
        raise RequestError(f"参数 {name} 应为 {'、'.join(known)} 之一")
    return value


def _entries(request: Request, connection: Connection) -> Response:
    given = _given(request, ("hospital", "from", "to", "limit", "offset", "total"))
    limit, offset, total, _ = paging(given)
    start, end = _days(given)
    found = balances.list_entries(
        connection, given.get("hospital"), start, end, limit=limit, offset=offset, with_total=total
    )
    return page(request, found)


def _export(request: Request, connection: Connection) -> Response:
    given = _given(request, ("hospital", "from", "to", "format"))
    shape = given.get("format", "xlsx")
    if shape not in FORMATS:
        raise RequestError(f"参数 format 应为 {'、'.join(FORMATS)} 之一")
    found = balances.entries_within(connection, given.get("hospital"), *_days(given))
    if not found:
        return error(404, "这段时间没有结过账")
    try:
        body = render(found, shape)
    except NoFontError as problem:
        return error(501, str(problem))
    headers = {"content-disposition": f'attachment; filename="reconcile.{shape}"'}
    return Response(body, 200, headers, media_type=MEDIA[shape])


def _verify_chains(request: Request, connection: Connection) -> Response:
    given = _given(request, ("hospital",))
    codes = [given["hospital"]] if "hospital" in given else balances.chained_hospitals(connection)
    shown = []
    for code in codes:
        count, faults = balances.verify_chain(connection, code)
        shown.append({"hospitalCode": code, "entries": count, "intact": not faults, "faults": faults})
    return json({"items": shown})


def _missing(request: Request, connection: Connection) -> Response:
    given = _given(request, ("hospital", "day", "state", *_PAGES))
    limit, offset, total, as_csv = paging(given)
    day = _a_day(given["day"]) if "day" in given else None
    found = list_missing(
        connection,
        given.get("hospital"),
        day,
        _one_of(given, "state", MissingState),
        limit=limit,
        offset=offset,
        with_total=total,
    )
    return table(request, found, MISSING_HEADINGS, "missing") if as_csv else page(request, found)


def _day(request: Request, connection: Connection) -> Response:
    _given(request, ())
    code, day = request.path_params["hospital"], _a_day(request.path_params["day"])
    balance = balances.balance_of(connection, code, day)
    kept = balances.entries_of_day(connection, code, day)
    entries = [
        msgspec.to_builtins(balances.shown_of(entry)) | {"content": orjson.loads(entry.content)}
        for entry in kept
    ]
    return json({"now": orjson.loads(content_of(balance, b"", 0)), "entries": entries})


def _close(request: Request, database: Database) -> Response:
    _given(request, ())
    code, day = request.path_params["hospital"], _a_day(request.path_params["day"])
    try:
        entry = balances.close_day(database, code, day)
    except HospitalError as problem:
        return error(409, str(problem))
    return json({"entry": balances.shown_of(entry) if entry else None})


def _differences(request: Request, connection: Connection) -> Response:
    given = _given(request, ("hospital", "kind", "state", "key", *_PAGES))
    limit, offset, total, as_csv = paging(given)
    wanted = differences.DifferenceFilter(
        given.get("hospital"), _one_of(given, "kind", Kind), _one_of(given, "state", State), given.get("key")
    )
    found = differences.list_differences(connection, wanted, limit, offset, total)
    return table(request, found, DIFFERENCE_HEADINGS, "differences") if as_csv else page(request, found)


def _difference(request: Request, connection: Connection) -> Response:
    _given(request, ())
    return _difference_shown(connection, request.path_params["id"])


def _difference_shown(connection: Connection, number: int) -> Response:
    found = differences.show_difference(connection, number) if number < _NUMBER_AT_MOST else None
    if found is None:
        return error(404, f"没有编号为 {number} 的差异")
    one, fields, record = found
    return json(msgspec.to_builtins(one) | {"fields": msgspec.to_builtins(fields), "record": record})


def _mend(request: Request, database: Database, mend: Mend | None) -> Response:
    """By the hospital's record; answers how the difference stands then."""
    _given(request, ())
    number = request.path_params["id"]
    if mend is None:
        return error(501, "这里不能补收")
    try:
        if number < _NUMBER_AT_MOST:
            mend(number)
    except HospitalError as problem:
        return error(404, str(problem))
    with database.read() as connection:
        return _difference_shown(connection, number)


def _ignore(request: Request, database: Database) -> Response:
    given = _given(request, ("reason",))
    number, reason = request.path_params["id"], given.get("reason", "")
    if number < _NUMBER_AT_MOST:
        with database.write() as connection:
            differences.set_state(connection, number, State.IGNORED, reason, None, now_ms())
    with database.read() as connection:
        return _difference_shown(connection, number)


def _receipts(request: Request, connection: Connection) -> Response:
    return json({"items": _found(request, connection)})


def _verify(
    request: Request, connection: Connection, objects: object | None, landing: Path | None
) -> Response:
    if not isinstance(objects, LocalObjects) or landing is None:
        return error(501, "这里没有可核验的存储")
    reader = LandingReader(landing)
    checked = [
        receipts.verify_instance(connection, reader, one)
        if one.sop_uid
        else receipts.verify_submission(connection, objects, one.id)
        for one in _found(request, connection)
    ]
    return json({"items": [_checked(one) for one in checked if one is not None]})


def _checked(one: receipts.Checked) -> dict[str, Any]:
    return {
        "receipt": msgspec.to_builtins(one.receipt),
        "entry": one.entry,
        "intact": not one.faults,
        "faults": list(one.faults),
    }


def _found(request: Request, connection: Connection) -> list[Receipt]:
    """Raises RequestError unless exactly one thing is named."""
    given = _given(request, ("submission", "instance", "hospital", "exam", "report"))
    named = [name for name in ("submission", "instance", "exam", "report") if given.get(name)]
    if len(named) != 1:
        raise RequestError("请给出 submission、instance、exam、report 其一")
    if named[0] == "submission":
        text = given["submission"]
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise RequestError("参数 submission 应为编号")
        one = receipts.submission_receipt(connection, int(text))
        return [one] if one else []
    if named[0] == "instance":
        return receipts.instance_receipts(connection, given["instance"])
    if not given.get("hospital"):
        raise RequestError("exam 与 report 须同时给出 hospital")
    return receipts.record_receipts(
        connection, given["hospital"], given.get("exam", ""), given.get("report", "")
    )
