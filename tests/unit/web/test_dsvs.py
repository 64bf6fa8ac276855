"""dsvs as served: counted and logged like every request, bounded per caller (四(二)4(5))."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.unit.signing.test_dsvs import sample
from yingqiao.settings import CossSettings, HttpSettings
from yingqiao.signing.dsvs import Caller, DsvsError
from yingqiao.signing.trust import NOTHING
from yingqiao.web.dsvs import PKCS1_PATHS, Dsvs, DsvsParts
from yingqiao.web.metrics import Metrics
from yingqiao.web.visit import Line

PATH = PKCS1_PATHS[0]
RIGHT = {k: v for k, v in sample("dsvs_pkcs1_verifyDataSign_request").items() if k != "appId"}


class Signature:
    """Requests that say `appId` are of that application; `bad` is refused."""

    def check(self, parameters: Mapping[str, Any], raw: bytes) -> Caller:
        name = parameters.get("appId", "")
        if name == "bad":
            raise DsvsError("应用标识或签名不正确", 401)
        return Caller(app_id=name, hospital_code="H1" if name else "")


class Request:
    """A small request; what it is answered with."""

    def __init__(self, raw: bytes, client: str = "10.0.0.1") -> None:
        self.raw, self.client = raw, client
        self.headers: dict[bytes, bytes] = {}
        self.status, self.lines, self.body = 0, b"", b""

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        self.status, self.lines, self.body = status, headers, body

    @property
    def said(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.body)
        return answer


class World:
    def __init__(self, **settings: float) -> None:
        self.lines: list[Line] = []
        self.metrics = Metrics()
        http = HttpSettings(peer_rate=settings.pop("peer_rate", 0.0))
        self.dsvs = Dsvs(
            DsvsParts(
                lambda: NOTHING,
                http,
                CossSettings(**settings),  # type: ignore[arg-type]
                self.metrics,
                Signature(),
                self.lines.append,
            )
        )

    def ask(self, given: Any, client: str = "10.0.0.1", path: str = PATH) -> Request:
        request = Request(given if isinstance(given, bytes) else json.dumps(given).encode(), client)

        async def go() -> None:
            self.dsvs.direct()[path.encode()](request)
            while not request.status:  # noqa: ASYNC110 a flag is all it has
                await asyncio.sleep(0.005)

        asyncio.run(go())
        return request

    def through_asgi(self, chunks: list[bytes], method: str = "POST") -> tuple[int, dict[bytes, bytes], Any]:
        sent: list[dict[str, Any]] = []
        waiting = iter(
            [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
            + [{"type": "http.request", "body": b"", "more_body": False}]
        )

        async def receive() -> dict[str, Any]:
            return next(waiting)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"method": method, "headers": [], "client": ("10.0.0.9", 1)}
        asyncio.run(self.dsvs.apps()[PATH](scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])

    def counted(self) -> dict[tuple[str, str, str], float]:
        self.metrics.text()
        found = {}
        for family in self.metrics.registry.collect():
            if family.name == "yingqiao_requests":
                for one in family.samples:
                    if one.name.endswith("_total"):
                        labels = one.labels
                        found[labels["interface"], labels["stage"], labels["outcome"]] = one.value
        return found


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.dsvs.close()


def test_each_end_is_counted_apart(world: World):
    assert world.ask(RIGHT | {"appId": "A"}).said["data"]["result"] == "true"
    wrong = world.ask(RIGHT | {"oriData": "other"})
    assert wrong.said["data"]["result"] == "false"
    assert world.ask(b"[]").said["status"] == 400
    assert world.ask(RIGHT | {"appId": "bad"}).said["status"] == 401
    assert world.through_asgi([], "GET")[0] == 405
    assert world.counted() == {
        ("dsvs-pkcs1", "record", "accepted"): 1,
        ("dsvs-pkcs1", "validate", "refused"): 1,
        ("dsvs-pkcs1", "open", "refused"): 2,
        ("dsvs-pkcs1", "receive", "refused"): 1,
    }
    assert [(line.stage, line.status) for line in world.lines] == [
        ("record", 200),
        ("validate", 200),
        ("open", 200),
        ("open", 200),
        ("receive", 405),
    ]
    assert world.lines[0].hospital == "H1"
    text = repr(world.lines)
    assert RIGHT["oriData"] not in text
    assert RIGHT["signValue"] not in text


def test_a_large_request_goes_the_same_way(world: World):
    status, _, said = world.through_asgi([json.dumps(RIGHT | {"oriData": "影" * 500_000}).encode()])
    assert (status, said["data"]["result"]) == (200, "false")
    status, _, said = world.through_asgi([b" " * (13 * 1024 * 1024)])
    assert (status, said["status"]) == (413, 413)
    assert world.lines[-1].bytes == 13 * 1024 * 1024
    assert set(world.counted()) == {
        ("dsvs-pkcs1", "validate", "refused"),
        ("dsvs-pkcs1", "open", "refused"),
    }


def test_an_application_has_its_own_rate():
    bounded = World(app_rate=0.01)  # a burst of one, and none for a while
    answers = [bounded.ask(RIGHT | {"appId": "A"}) for _ in range(2)]
    assert [one.status for one in answers] == [200, 429]
    assert b"retry-after: " in answers[1].lines
    assert "秒后重试" in answers[1].said["message"]
    assert bounded.ask(RIGHT | {"appId": "B"}).status == 200, "another application does not wait"
    assert bounded.ask(RIGHT).status == 200, "nor does who needs none"
    bounded.dsvs.close()


def test_who_proves_no_application_is_bounded_by_address():
    bounded = World(stranger_rate=0.01)
    assert [bounded.ask(RIGHT).status for _ in range(2)] == [200, 429]
    assert bounded.ask(RIGHT, client="10.0.0.2").status == 200
    assert bounded.ask(RIGHT | {"appId": "A"}).status == 200
    bounded.dsvs.close()


def test_the_rate_of_addresses_holds_here_too():
    """http.peer_rate, before the body is even read."""
    bounded = World(peer_rate=0.01)
    assert [bounded.ask(b"x").status for _ in range(2)] == [200, 429]
    assert [bounded.through_asgi([b"{}"])[0] for _ in range(2)] == [200, 429]
    bounded.dsvs.close()


def test_a_defect_is_answered_and_told_without_its_text(world: World, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("张三")

    monkeypatch.setattr(Signature, "check", broken)
    answer = world.ask(RIGHT)
    assert (answer.status, answer.said["status"]) == (500, 500)
    assert "张三" not in answer.body.decode()
    assert world.lines[-1].outcome == "failed"
