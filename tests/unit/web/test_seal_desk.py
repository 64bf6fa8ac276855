"""Where a seal goes, as the API is asked (query parameters), refused in Chinese when it cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.seal_office import made
from tests.integration.web.test_office import Desk
from yingqiao.sandbox import Busy, TooLong
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Paging, Placement, Side, Which
from yingqiao.store.database import open_database
from yingqiao.web.api.seal_desk import seal_desk_routes
from yingqiao.web.site import _starlette


class Api:
    """The routes with a desk that only remembers what it was asked."""

    def __init__(self, office: Any) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.raises: Exception | None = None
        self._app = _starlette(seal_desk_routes(office, self._seal))

    def _seal(
        self, pdf: bytes, seal: str, placements: Sequence[Placement], *, who: str, matter: str, reason: str
    ) -> bytes:
        if self.raises:
            raise self.raises
        self.asked.append((pdf, seal, list(placements), who, matter, reason))
        return pdf + b"sealed"

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.request(method, path, **how)

        return asyncio.run(one())

    def seal(self, query: str, content: bytes = b"%PDF-1.7") -> httpx.Response:
        return self.ask("POST", f"/seals/1/pdf?{query}", content=content)


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    database = open_database(tmp_path)
    database.migrate()
    yield Desk(database, tmp_path / "objects")
    database.close()


def test_placements_are_said_by_the_query() -> None:
    api = Api(None)
    answer = api.seal(
        "at=1,120,160&at=2-3,10.5,20&keyword=审核医师&nth=2&dx=3&matter=R1&who=PACS&reason=审核通过"
    )
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7sealed")
    assert answer.headers["content-type"] == "application/pdf"
    ((_, seal, placements, who, matter, reason),) = api.asked
    assert (seal, who, matter, reason) == ("1", "api:PACS", "R1", "审核通过")
    assert placements == [
        AtPoint((1,), 120.0, 160.0),
        AtPoint((2, 3), 10.5, 20.0),
        AtKeyword("审核医师", 2, 3.0, 0.0),
    ]
    api.seal("paging=true&side=left&pages=odd&group=5")
    assert api.asked[-1][2] == [Paging(Side.LEFT, Which.ODD, 5)]
    api.seal("keyword=章&nth=all")
    assert api.asked[-1][2] == [AtKeyword("章", None, 0.0, 0.0)]


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
        "at=1,1,1&place=2",
        "at=1,1,1&matter=a&matter=b",
        "&".join(["at=1,1,1"] * 21),
    ],
)
def test_what_cannot_be_is_refused_in_words(query: str) -> None:
    api = Api(None)
    answer = api.seal(query)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert api.asked == []


def test_only_pdf_is_sealed() -> None:
    assert Api(None).seal("at=1,1,1", b"hello").status_code == 400


@pytest.mark.parametrize(("error", "status"), [(Busy(), 503), (TooLong(), 422)])
def test_a_file_that_cannot_be_taken_apart(error: Exception, status: int) -> None:
    api = Api(None)
    api.raises = error
    answer = api.seal("at=1,1,1")
    assert (answer.status_code, bool(answer.json()["message"])) == (status, True)


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
