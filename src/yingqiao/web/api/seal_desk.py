"""Seals over the API: the registry read (GET), a PDF sealed on the gateway (POST /api/seals/{seal}/pdf), parallel
signing merged (POST /api/seals/merge).

The file is the body; where the seal goes is said by query parameters: `at=page,x,y` (mm from the left and the top, the
seal's centre), `keyword=…` with `nth`, or `paging=true`. Several are sealed one after the other.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yingqiao.gm.errors import GmError
from yingqiao.sandbox import Busy, SandboxError
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Paging, Placement, Side, Which
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.queries.common import LIMIT_AT_MOST
from yingqiao.store.signing.office import Office
from yingqiao.web.api.answers import RequestError, error, json
from yingqiao.web.office.files import csv_file
from yingqiao.web.office.seals_shown import USE_COLUMNS, seal_shown, use_shown, whole_seal_shown

MAX_FILE = 100 * 1024 * 1024
MAX_MERGE = 64 * 1024 * 1024
STAMPED = "x-yingqiao-stamped"
_MOST_PLACEMENTS = 20
_MOST_PAGES = 200
_LONGEST_WORD = 100
_STATUSES = {
    "no-seal": 404,
    **dict.fromkeys(
        ("seal-state", "key-elsewhere", "seal-name", "seal-validity", "maker-revoked", "stale-base"), 409
    ),
    **dict.fromkeys(("no-time", "device-away"), 503),
}
"""By the code of a refusal; others are 422."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """`stamped`: every seal put into it has a time stamp."""

    pdf: bytes = field(repr=False)
    stamped: bool


@dataclass(frozen=True, slots=True)
class Order:
    """How a file is to be sealed. `matter` is the caller's transaction.

    `stamp`: True only with a time stamp, False without, None with one where there is an authority.
    """

    seal: str
    placements: Sequence[Placement]
    who: str
    matter: str
    reason: str
    stamp: bool | None


class Sealing(Protocol):
    """What seals files; both block. Raise SigningRefused, GmError, SandboxError, StoreUnavailable."""

    def seal(self, pdf: bytes, order: Order) -> SealedFile: ...

    def merge(self, base: bytes, said: Mapping[str, Any]) -> bytes: ...


def seal_desk_routes(office: Office, desk: Sealing) -> list[BaseRoute]:
    """To be mounted with the others, behind the token."""

    def reading(handler: Callable[[Office, Request], Response]) -> Callable[[Request], Response]:
        return lambda request: _answered(lambda: handler(office, request))

    async def sealing(request: Request) -> Response:
        body = await _body(request, MAX_FILE)
        if body is None:
            return error(413, f"文件超过 {MAX_FILE // 1024 // 1024} MiB")
        return await run_in_threadpool(_answered, lambda: _sealed(desk, request, body))

    async def merging(request: Request) -> Response:
        body = await _body(request, MAX_MERGE)
        if body is None:
            return error(413, f"请求超过 {MAX_MERGE // 1024 // 1024} MiB")
        return await run_in_threadpool(_answered, lambda: _merged(desk, request, body))

    return [
        Route("/seals", reading(_list)),
        Route("/seals/merge", merging, methods=["POST"]),
        Route("/seals/{seal}", reading(_show)),
        Route("/seals/{seal}/uses", reading(_uses)),
        Route("/seals/{seal}/pdf", sealing, methods=["POST"]),
    ]


async def _body(request: Request, most: int) -> bytes | None:
    """None when it is more."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


def _answered(handle: Callable[[], Response]) -> Response:
    """Refusals as JSON."""
    try:
        return handle()
    except RequestError as refusal:
        return error(400, str(refusal))
    except (SigningRefused, GmError) as refusal:
        return error(_STATUSES.get(refusal.code, 422), refusal.reason)
    except SandboxError as refusal:
        return error(503 if isinstance(refusal, Busy) else 422, refusal.reason)
    except StoreUnavailable:
        unavailable = error(503, "平台暂时无法读取数据，请稍后重试")
        unavailable.headers["retry-after"] = "5"
        return unavailable


def _list(office: Office, request: Request) -> Response:
    given = _given(request, "hospitalCode")
    now = office.now_ms()
    return json({"items": [seal_shown(one, now) for one in office.seals.list(given.get("hospitalCode"))]})


def _show(office: Office, request: Request) -> Response:
    _given(request)
    return json(whole_seal_shown(office, office.seals.get(request.path_params["seal"])))


def _uses(office: Office, request: Request) -> Response:
    given = _given(request, "format", "limit")
    if given.get("format", "json") not in ("json", "csv"):
        raise RequestError("参数 format 应为 json 或 csv")
    limit = _whole("limit", given.get("limit", str(LIMIT_AT_MOST)), LIMIT_AT_MOST)
    seal = office.seals.get(request.path_params["seal"])
    rows = [use_shown(one) for one in office.seals.uses.list(seal_id=seal.id, limit=limit)]
    if given.get("format") == "csv":
        return csv_file(rows, USE_COLUMNS, "seal-uses")
    return json({"items": rows})


def _sealed(desk: Sealing, request: Request, pdf: bytes) -> Response:
    single = _given(
        request, "matter", "who", "reason", "nth", "dx", "dy", "paging", "side", "pages", "group", "stamp",
        several=("at", "keyword"),
    )  # fmt: skip
    placements = list(_placements(request, single))
    if not 0 < len(placements) <= _MOST_PLACEMENTS:
        raise RequestError(f"请用 at、keyword 或 paging 说明盖在哪里，至多 {_MOST_PLACEMENTS} 处")
    if not pdf.startswith(b"%PDF-"):
        raise RequestError("正文应为 PDF 文件")
    who = single.get("who", "")
    order = Order(
        request.path_params["seal"],
        placements,
        who=f"api:{who}" if who else "api",
        matter=single.get("matter", ""),
        reason=single.get("reason", "")[:_LONGEST_WORD],
        stamp=_truth("stamp", single["stamp"]) if "stamp" in single else None,
    )
    done = desk.seal(pdf, order)
    return _pdf(done.pdf, {STAMPED: "true" if done.stamped else "false"})


def _merged(desk: Sealing, request: Request, body: bytes) -> Response:
    _given(request)
    try:
        asked = orjson.loads(body)
        base, said = b64decode(asked["base"], validate=True), asked["contents"]
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError) as problem:
        raise RequestError(
            "正文应为 JSON：base 是底稿（Base64），contents 是 parallelSignData 的 contents"
        ) from problem
    return _pdf(desk.merge(base, said), {})


def _pdf(data: bytes, headers: Mapping[str, str]) -> Response:
    return Response(data, headers={"cache-control": "no-store", **headers}, media_type="application/pdf")


def _placements(request: Request, given: dict[str, str]) -> Iterator[Placement]:
    for text in request.query_params.getlist("at"):
        page, _, place = text.partition(",")
        x, _, y = place.partition(",")
        yield AtPoint(_pages(page), _length("at", x), _length("at", y))
    nth = given.get("nth", "1")
    for word in request.query_params.getlist("keyword"):
        if not 0 < len(word) <= _LONGEST_WORD:
            raise RequestError(f"参数 keyword 应为 1 至 {_LONGEST_WORD} 个字")
        dx, dy = (_length(name, given.get(name, "0")) for name in ("dx", "dy"))
        yield AtKeyword(word, None if nth == "all" else _whole("nth", nth, 10_000), dx, dy)
    if _truth("paging", given.get("paging", "false")):
        side, which = given.get("side", "right"), given.get("pages", "all")
        if side not in tuple(Side) or which not in tuple(Which):
            raise RequestError(f"参数 side 应为 {'、'.join(Side)}，pages 应为 {'、'.join(Which)}")
        group = _whole("group", given["group"], 1000) if "group" in given else None
        yield Paging(Side(side), Which(which), group)


def _pages(text: str) -> tuple[int, ...]:
    """`1`, `1-3`, `1/3/5`."""
    listed: list[int] = []
    for part in text.split("/"):
        first, _, last = part.partition("-")
        begin = _whole("at", first, 100_000)
        end = _whole("at", last, 100_000) if last else begin
        if end - begin >= _MOST_PAGES:
            raise RequestError(f"参数 at 至多 {_MOST_PAGES} 页")
        listed += range(begin, end + 1)
    if not 0 < len(listed) <= _MOST_PAGES:
        raise RequestError(f"参数 at 应为 1 至 {_MOST_PAGES} 页")
    return tuple(dict.fromkeys(listed))


def _given(request: Request, *names: str, several: Sequence[str] = ()) -> dict[str, str]:
    """The query parameters. Raises RequestError for one that is unknown or given twice."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in several:
            continue
        if name not in names:
            raise RequestError(f"没有参数 {name}，可用：{'、'.join((*names, *several))}")
        if name in given:
            raise RequestError(f"参数 {name} 给了两次")
        given[name] = value
    return given


def _truth(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise RequestError(f"参数 {name} 应为 true 或 false")
    return text == "true"


def _whole(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise RequestError(f"参数 {name} 应为 1 至 {most} 的整数")
    return int(text)


def _length(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as problem:
        raise RequestError(f"参数 {name} 应为毫米数（at 为 页,左,上）") from problem
    if not abs(value) < 10_000:
        raise RequestError(f"参数 {name} 超出范围")
    return value
