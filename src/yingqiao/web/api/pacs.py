"""/api/pacs: the Q/R nodes, and pulls asked for by hand."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError, StoreUnavailable
from yingqiao.store.pacs import find_node, list_nodes, plain_node
from yingqiao.store.pull_requests import Wanted, ask
from yingqiao.store.pulls import read_work
from yingqiao.web.api.answers import RequestError, asked, error, json

MAX_BODY = 65_536


class PullBody(msgspec.Struct, forbid_unknown_fields=True):
    """What POST /api/pacs/pull takes: hospital, and one of exam, study, accession, patient with date."""

    hospital: str
    exam: str = ""
    study: str = ""
    accession: str = ""
    patient: str = ""
    date: str = ""
    series: tuple[str, ...] = ()
    node: str = ""


def nodes(request: Request, connection: Connection) -> Response:
    """GET /api/pacs?hospital="""
    given = asked(request, (), ("hospital",))
    found = list_nodes(connection, given.get("hospital", ""))
    return json({"items": [_camel(plain_node(node)) for node in found]})


def node(request: Request, connection: Connection) -> Response:
    """GET /api/pacs/{hospital}/{name}"""
    asked(request, (), ())
    path = request.path_params
    found = find_node(connection, path["hospital"], path["name"])
    if found is None:
        return error(404, f"医疗机构 {path['hospital']} 没有 PACS 节点 {path['name']}")
    return json(_camel(plain_node(found)))


def pull_status(request: Request, connection: Connection) -> Response:
    """GET /api/pacs/pull?key=: how a pull that was asked for stands."""
    key = asked(request, (), ("key",)).get("key", "")
    found = read_work(connection, [key])
    return json(_camel(_members(found[0]))) if found else error(404, f"没有调取 {key}")


def pull_route(database: Database) -> BaseRoute:
    """POST /api/pacs/pull: 202 with the keys of what was asked for."""

    async def endpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return error(413, "请求体过大")
        return await run_in_threadpool(_answer, database, body)

    return Route("/pacs/pull", endpoint, methods=["POST"])


def _answer(database: Database, body: bytes) -> Response:
    try:
        wanted = msgspec.json.decode(body, type=PullBody)
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        return error(400, f"请求体不对：{problem}")
    members = {name: getattr(wanted, name) for name in ("exam", "study", "accession", "patient", "series")}
    try:
        with database.write() as connection:
            keys = ask(connection, wanted.hospital, Wanted(day=wanted.date, node=wanted.node, **members))
    except (HospitalError, RequestError) as problem:
        return error(400, str(problem))
    except StoreUnavailable:
        unavailable = error(503, "平台暂时无法写入数据，请稍后重试")
        unavailable.headers["retry-after"] = "5"
        return unavailable
    return json({"keys": keys}, 202)


def _members(value: object) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}  # type: ignore[attr-defined]


def _camel(members: Any) -> dict[str, Any]:
    return {_name(name): value for name, value in members.items()}


def _name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
