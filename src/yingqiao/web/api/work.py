"""Background work: lists, one piece, destinations (GET); pause, resume, cancel, replay, hurry (POST).

What to do it to is said by query parameters alone; requests have no body.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yingqiao.exchange.windows import WindowError
from yingqiao.exchange.work import Priority
from yingqiao.store.database import Database
from yingqiao.store.queries import words
from yingqiao.store.queries.headings import WORK_HEADINGS
from yingqiao.store.work import destinations
from yingqiao.store.work.actions import ACTION_NAMES, Action, Order, act, act_on_all
from yingqiao.store.work.queries import list_work, show_work
from yingqiao.web.api.answers import RequestError, asked, error, json, page, paging, table

AT_ONCE = 50_000
"""Rows one request changes at most; the answer says whether there may be more."""
_ID_MOST = 2**63
Endpoint = Callable[[Request], Response]
Reading = Callable[[Callable[[Request, Connection], Response]], Endpoint]
Acting = Callable[[Callable[[Request, Database], Response]], Endpoint]


def work_routes(reading: Reading, acting: Acting) -> list[BaseRoute]:
    """To be mounted with the others; `reading` and `acting` answer refusals and lend the database."""
    return [
        Route("/work", reading(_work)),
        Route("/work/destinations", reading(_destinations)),
        Route("/work/destinations/{action}", acting(_line_act), methods=["POST"]),
        Route("/work/{id:int}", reading(_one)),
        Route("/work/{id:int}/{action}", acting(_act), methods=["POST"]),
        Route("/work/{action}", acting(_act_on_all), methods=["POST"]),
    ]


def _work(request: Request, connection: Connection) -> Response:
    given = asked(request, words.WORK_WORDS, ("limit", "offset", "total", "format"))
    limit, offset, total, as_csv = paging(given)
    found = list_work(connection, words.work_filter(given), limit, offset, total)
    return table(request, found, WORK_HEADINGS, "work") if as_csv else page(request, found)


def _one(request: Request, connection: Connection) -> Response:
    asked(request, (), ())
    number = request.path_params["id"]
    found = show_work(connection, number, _now()) if number < _ID_MOST else None
    return error(404, f"没有第 {number} 号工作") if found is None else json(found)


def _destinations(request: Request, connection: Connection) -> Response:
    given = asked(request, (), ("hospitalCode", "held", "limit", "offset"))
    if given.get("held", "true") not in ("true", "false"):
        raise RequestError("参数 held 应为 true 或 false")
    held = given["held"] == "true" if "held" in given else None
    limit, offset, _, _ = paging(given)
    found = destinations.list_destinations(connection, given.get("hospitalCode"), held, limit, offset)
    return json({"items": found, "offset": offset, "limit": limit})


def _act(request: Request, database: Database) -> Response:
    given = asked(request, (), ("to",))
    number, order = request.path_params["id"], _order(request, given)
    if number >= _ID_MOST:
        return error(404, f"没有第 {number} 号工作")
    with database.write() as connection:
        changed = act(connection, order, [number])
        found = show_work(connection, number, _now())
    if found is None:
        return error(404, f"没有第 {number} 号工作")
    if not changed:
        return error(
            409, f"第 {number} 号工作的状态是“{found.work.state_name}”，不能{ACTION_NAMES[order.action]}"
        )
    return json(found)


def _act_on_all(request: Request, database: Database) -> Response:
    """All that the filter names; without any filter only with all=true."""
    given = asked(request, words.WORK_WORDS, ("to", "all"))
    order = _order(request, given)
    wanted = words.work_filter(given)
    if wanted.is_empty and given.get("all") != "true":
        raise RequestError("没有筛选条件；若要对全部工作操作，请加 all=true")
    changed = act_on_all(database, order, wanted, most=AT_ONCE)
    return json({"changed": changed, "more": changed >= AT_ONCE})


def _line_act(request: Request, database: Database) -> Response:
    given = asked(request, (), ("name", "reason", "maxParallel", "bytesPerSecond", "windows"))
    name, action = given.get("name", ""), request.path_params["action"]
    with database.write() as connection:
        found = _line(connection, name, action, given)
        shown = destinations.read(connection, name)
    if not found or shown is None:
        return error(404, f"没有目的地 {name}")
    return json(shown)


def _line(connection: Connection, name: str, action: str, given: dict[str, str]) -> bool:
    if action == "pause":
        return destinations.hold(connection, name, given.get("reason", ""))
    if action == "resume":
        return destinations.resume(connection, name)
    if action != "limits":
        raise RequestError("目的地的操作应为 pause、resume、limits 之一")
    limits: dict[str, Any] = {
        member: _number(given, word, least)
        for word, member, least in (
            ("maxParallel", "max_parallel", 1),
            ("bytesPerSecond", "bytes_per_second", 0),
        )
        if word in given
    }
    try:
        return destinations.set_limits(
            connection, name, **limits, **({"windows": given["windows"]} if "windows" in given else {})
        )
    except WindowError as refusal:
        raise RequestError(str(refusal)) from refusal


def _number(given: dict[str, str], word: str, least: int) -> int:
    text = given[word]
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) >= least):
        raise RequestError(f"参数 {word} 应为不小于 {least} 的整数")
    return int(text)


def _order(request: Request, given: dict[str, str]) -> Order:
    name = request.path_params["action"]
    if name not in list(Action):
        raise RequestError(f"操作应为 {'、'.join(Action)} 之一")
    action = Action(name)
    if (action is Action.PRIORITY) != ("to" in given):
        raise RequestError("参数 to 只用于 priority，且必须给出：emergency、manual、normal 或 backfill")
    return Order(action, words.priority_of(given["to"]) if "to" in given else Priority.NORMAL)


def _now() -> int:
    return time.time_ns() // 10**6
