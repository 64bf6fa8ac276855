"""Where a seal goes, as the API is asked (query parameters), refused in Chinese when it cannot be."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers import pdfs, pki, seals
from tests.helpers.in_process import InProcess
from tests.helpers.pdfs import Sheet
from tests.helpers.seal_office import made
from tests.integration.web.test_office import Desk
from yingqiao.gm import sm3
from yingqiao.sandbox import Busy, Sandbox, TooLong
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.private_keys import DeviceError
from yingqiao.signing.seals import merging, parallel
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import judge_file
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Paging, Side, Which
from yingqiao.signing.seals.pdf.writing import seal_once
from yingqiao.store.database import open_database
from yingqiao.web.api.seal_desk import Order, SealedFile, seal_desk_routes
from yingqiao.web.site import _starlette


class Api:
    """The routes with a desk that only remembers what it was asked."""

    def __init__(self, office: Any) -> None:
        self.asked: list[Order] = []
        self.raises: Exception | None = None
        self._app = _starlette(seal_desk_routes(office, self))

    def seal(self, pdf: bytes, order: Order) -> SealedFile:
        if self.raises:
            raise self.raises
        self.asked.append(order)
        return SealedFile(pdf + b"sealed", stamped=order.stamp is not False)

    def merge(self, base: bytes, said: Mapping[str, Any]) -> bytes:
        return merging.merge(base, said, InProcess(), seals.SIGNED_AT)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.request(method, path, **how)

        return asyncio.run(one())

    def ask_seal(self, query: str, content: bytes = b"%PDF-1.7") -> httpx.Response:
        return self.ask("POST", f"/seals/1/pdf?{query}", content=content)


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    database = open_database(tmp_path)
    database.migrate()
    with Sandbox() as pictures:  # no process: no picture is opened
        yield Desk(database, tmp_path / "objects", pictures)
    database.close()


def test_placements_are_said_by_the_query() -> None:
    api = Api(None)
    answer = api.ask_seal(
        "at=1,120,160&at=2-3,10.5,20&keyword=审核医师&nth=2&dx=3&matter=R1&who=PACS&reason=审核通过"
    )
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7sealed")
    assert answer.headers["content-type"] == "application/pdf"
    placements = [
        AtPoint((1,), 120.0, 160.0),
        AtPoint((2, 3), 10.5, 20.0),
        AtKeyword("审核医师", 2, 3.0, 0.0),
    ]
    assert api.asked == [Order("1", placements, "api:PACS", "R1", "审核通过", None)]
    assert answer.headers["x-yingqiao-stamped"] == "true"
    api.ask_seal("paging=true&side=left&pages=odd&group=5")
    assert api.asked[-1].placements == [Paging(Side.LEFT, Which.ODD, 5)]
    api.ask_seal("paging=true&pages=duplex")
    assert api.asked[-1].placements == [Paging(Side.RIGHT, Which.DUPLEX)]
    plain = api.ask_seal("at=1,1,1&stamp=false")
    assert (api.asked[-1].stamp, plain.headers["x-yingqiao-stamped"]) == (False, "false")
    api.ask_seal("keyword=章&nth=all")
    assert api.asked[-1].placements == [AtKeyword("章", None, 0.0, 0.0)]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "paging=false",
        "at=1",
        "at=1,2",
        "at=0,1,1",
        "at=1-900,1,1",
        "at=1,x,1",
        "at=1,nan,1",
        "at=1,1e9,1",
        "at=一,1,1",
        "keyword=",
        "keyword=a&nth=0",
        "paging=yes",
        "paging=true&side=up",
        "paging=true&group=0",
        "at=1,1,1&stamp=own",
        "at=1,1,1&place=2",
        "at=1,1,1&matter=a&matter=b",
        "&".join(["at=1,1,1"] * 21),
    ],
)
def test_what_cannot_be_is_refused_in_words(query: str) -> None:
    api = Api(None)
    answer = api.ask_seal(query)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert api.asked == []


def test_only_pdf_is_sealed() -> None:
    assert Api(None).ask_seal("at=1,1,1", b"hello").status_code == 400


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Busy(), 503),
        (TooLong(), 422),
        (SigningRefused("no-time", "暂停签发时间戳"), 503),
        (DeviceError("device-away"), 503),
    ],
)
def test_a_file_that_cannot_be_taken_apart(error: Exception, status: int) -> None:
    api = Api(None)
    api.raises = error
    answer = api.ask_seal("at=1,1,1")
    assert (answer.status_code, bool(answer.json()["message"])) == (status, True)


def parallel_seal() -> tuple[bytes, dict[str, Any]]:
    """A base, and what parallel signing made of it."""
    base, by = pdfs.make(), pdfs.sealer()
    names = {"reserve": by.reserve, "at": seals.SIGNED_AT}
    done = seal_once(base, AtPoint((1,), 100, 100), by.picture, by, **names)
    part = parallel.part(base, done.data, done.prepared.byte_range, done.signature, [])
    return base, parallel.contents(base, [part], token="7", seal={}, at=seals.SIGNED_AT)


def merged(base: bytes, contents: Any) -> httpx.Response:
    return Api(None).ask(
        "POST", "/seals/merge", json={"base": b64encode(base).decode(), "contents": contents}
    )


def test_parallel_signing_is_merged() -> None:
    """bParallelSign (§3.4): the merged file holds the seal, whole; a changed base is a conflict."""
    base, said = parallel_seal()
    done = merged(base, said)
    assert done.status_code == 200
    (one,) = judge_file(done.content, SealContext(seals.seal_trust(), pki.NOW), InProcess())
    assert one.verdict.code in (0, 1009), one.text()
    assert done.content.startswith(base)
    stale = merged(done.content, said)
    assert (stale.status_code, "重新盖章" in stale.json()["message"]) == (409, True)


def test_what_is_no_seal_is_not_merged() -> None:
    """What is not the promised seals, whole, is refused, whatever digests it brings along."""
    base, said = parallel_seal()
    forged = [dict(said["signatures"][0]) for _ in range(3)]
    other = pdfs.make([Sheet(), Sheet()])[len(base) // 2 :]
    tail = bytearray(b64decode(forged[1]["increment"]))
    at = tail.index(b"/Sig")
    tail[at - 4 : at - 3] = b" "
    for one, increment in zip(forged, (b"\n", bytes(tail), other), strict=True):
        one["increment"] = b64encode(increment).decode()
        one["sealedSm3"] = sm3.digest(base + increment).hex()
    odd = [
        *({**said, "signatures": [one]} for one in forged),
        {**said, "signatures": []},
        {**said, "version": 9},
    ]
    for contents in (*odd, {}, [], 5, None, {"type": "parallelSignData"}):
        assert merged(base, contents).status_code in (400, 422), contents
    for body in (b"", b"[]", b'{"base":"!"}'):
        assert Api(None).ask("POST", "/seals/merge", content=body).status_code == 400


def test_the_registry_is_read(desk: Desk) -> None:
    desk.office.authority.start("测试 CA")
    seal = made(desk.office)
    api = Api(desk.office)
    assert [one["esId"] for one in api.ask("GET", "/seals").json()["items"]] == [seal.es_id]
    assert api.ask("GET", "/seals?hospitalCode=H2").json()["items"] == []
    assert api.ask("GET", f"/seals/{seal.es_id}").json()["certificate"]["subject"]
    assert api.ask("GET", "/seals/99").status_code == 404
    assert api.ask("GET", "/seals/1/uses").json() == {"items": []}
    assert api.ask("GET", "/seals/1/uses?format=csv").text.startswith("\ufeff")
    assert api.ask("GET", "/seals?state=x").status_code == 400
