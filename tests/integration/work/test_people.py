"""`yingqiao work` and /api/work: look, pause, replay; one or in bulk (issue 3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.integration.work.conftest import ask, rows, states
from yingqiao.app.stores import open_stores
from yingqiao.cli import work as work_cli
from yingqiao.exchange.work import Priority
from yingqiao.settings import Settings
from yingqiao.store.database import Database
from yingqiao.store.schema import work
from yingqiao.web.api import routes


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_stores(Settings(data=str(tmp_path / "data")), create=True) as opened:
        ask(opened.database, "a", "b", "c", kind="fetch", payload='{"list":7}')
        ask(
            opened.database,
            "d",
            kind="pull",
            hospital_code="H2",
            destination="H2/pacs/ct",
            priority=Priority.EMERGENCY,
        )
        with opened.database.write() as connection:
            dead = {"state": "dead", "error_class": "poison", "reason": "不是影像"}
            connection.execute(
                update(work).where(work.c.key == "a").values(**dead, progress_done=3, progress_total=9)
            )
        yield opened.database


def run(tmp_path: Path, *words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(work_cli.command, [*words, "--data", str(tmp_path / "data")], input=stdin)


def found(tmp_path: Path, *words: str) -> list[str]:
    shown = run(tmp_path, "list", "--json", *words)
    assert shown.exit_code == 0, shown.output
    return [item["key"] for item in json.loads(shown.output)]


def test_lists_with_every_filter(database: Database, tmp_path: Path) -> None:
    assert found(tmp_path) == ["d", "c", "b", "a"]
    assert found(tmp_path, "--state", "dead") == ["a"]
    assert found(tmp_path, "--kind", "fetch", "--state", "waiting") == ["c", "b"]
    assert found(tmp_path, "--hospital", "H2") == ["d"]
    assert found(tmp_path, "--hospital", "H1", "--state", "waiting") == ["c", "b"]
    assert found(tmp_path, "--destination", "H2/pacs/ct") == ["d"]
    assert found(tmp_path, "--error-class", "poison") == ["a"]
    assert found(tmp_path, "--priority", "emergency") == ["d"]
    assert found(tmp_path, "--key", "b") == ["b"]
    assert found(tmp_path, "--created-from", "2020-01-01", "--due-to", "2100-01-01") == ["d", "c", "b", "a"]
    assert found(tmp_path, "--created-from", "2100-01-01") == []
    assert found(tmp_path, "--limit", "1", "--offset", "1") == ["c"]
    table = run(tmp_path, "list").output
    assert "死信" in table
    assert "3/9" in table
    assert run(tmp_path, "list", "--state", "asleep").exit_code == 2


def test_shows_one_with_what_it_waits_for(database: Database, tmp_path: Path) -> None:
    number = str(rows(database)["a"].id)
    shown = run(tmp_path, "show", number).output
    assert "不是影像" in shown
    assert "有人处理后重放" in shown
    assert run(tmp_path, "show", "999").exit_code == 1
    run(tmp_path, "pause", "--hospital", "H2")
    detail = json.loads(run(tmp_path, "show", str(rows(database)["d"].id), "--json").output)
    assert "已暂停" in detail["waitsFor"]


def test_one_is_paused_resumed_hurried_cancelled_and_replayed(database: Database, tmp_path: Path) -> None:
    number = str(rows(database)["b"].id)
    for words, state in (
        (("pause", number), "held"),
        (("resume", number), "waiting"),
        (("cancel", number), "cancelled"),
        (("retry", number), "waiting"),
    ):
        done = run(tmp_path, *words)
        assert done.exit_code == 0, done.output
        assert states(database)["b"] == state
    assert rows(database)["b"].run == 2
    assert run(tmp_path, "priority", "--to", "emergency", number).exit_code == 0
    assert rows(database)["b"].priority == 0
    assert run(tmp_path, "resume", number).exit_code == 1


def test_many_are_changed_only_by_filter_and_with_consent(database: Database, tmp_path: Path) -> None:
    assert run(tmp_path, "cancel").exit_code == 2
    refused = run(tmp_path, "cancel", "--kind", "fetch", stdin="n\n")
    assert refused.exit_code == 1
    assert set(states(database).values()) == {"dead", "waiting"}
    done = run(tmp_path, "cancel", "--kind", "fetch", "--yes")
    assert "已取消 2 件" in done.output
    assert states(database) == {"a": "dead", "b": "cancelled", "c": "cancelled", "d": "waiting"}
    assert run(tmp_path, "retry", "--all", "--yes").exit_code == 0
    assert set(states(database).values()) == {"waiting"}


def test_a_whole_hospital_is_one_row(database: Database, tmp_path: Path) -> None:
    assert "以后提出的也暂停" in run(tmp_path, "pause", "--hospital", "H1").output
    assert states(database)["b"] == "waiting"
    listed = json.loads(run(tmp_path, "destinations", "list", "--json", "--held").output)
    assert [one["name"] for one in listed] == ["H1/*"]
    assert run(tmp_path, "resume", "--hospital", "H1").exit_code == 0
    assert json.loads(run(tmp_path, "destinations", "list", "--json", "--held").output) == []


def test_destinations_are_limited_and_paused(database: Database, tmp_path: Path) -> None:
    name = "H2/pacs/ct"
    set_ = run(tmp_path, "destinations", "set", name, "--parallel", "2", "--windows", "22:00-06:00,周六")
    assert set_.exit_code == 0, set_.output
    assert run(tmp_path, "destinations", "set", name, "--windows", "晚上").exit_code == 2
    assert run(tmp_path, "destinations", "pause", "nowhere").exit_code == 1
    assert run(tmp_path, "destinations", "pause", name, "--reason", "检修").exit_code == 0
    table = run(tmp_path, "destinations", "list", "--hospital", "H2").output
    assert "已暂停 检修" in table
    assert "22:00-06:00,周六" in table
    assert run(tmp_path, "destinations", "resume", name).exit_code == 0


class Api:
    def __init__(self, database: Database) -> None:
        self._app = Starlette(routes=[Mount("/api", routes=routes(database))])

    def __call__(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        async def asks() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self._app), base_url="http://g"
            ) as client:
                return await client.request(method, f"/api/work{path}", params=params)

        answer = asyncio.run(asks())
        return answer.status_code, answer.json()


def test_the_api_lists_and_shows(database: Database) -> None:
    api = Api(database)
    status, page = api("GET", "", state="waiting", kind="fetch")
    assert (status, [item["key"] for item in page["items"]], page["total"]) == (200, ["c", "b"], 2)
    number = page["items"][0]["id"]
    assert api("GET", "", limit=2)[1]["total"] == 4
    status, one = api("GET", f"/{number}")
    assert (status, one["payload"], one["line"]["name"]) == (200, {"list": 7}, "H1/http://a:80")
    assert api("GET", "/99999")[0] == 404
    assert api("GET", "", state="asleep")[0] == 400
    status, lines = api("GET", "/destinations", hospitalCode="H1")
    assert (status, lines["items"][0]["waiting"]) == (200, 2)


def test_the_api_changes_one_or_many(database: Database) -> None:
    api = Api(database)
    number = rows(database)["b"].id
    assert api("POST", f"/{number}/pause")[1]["work"]["state"] == "held"
    status, refusal = api("POST", f"/{number}/retry")
    assert (status, refusal["message"]) == (409, f"第 {number} 号工作的状态是“已暂停”，不能重试")
    assert api("POST", f"/{number}/explode")[0] == 400
    assert api("POST", "/9999/pause")[0] == 404
    assert api("POST", f"/{number}/priority", to="emergency")[1]["work"]["priority"] == 0
    assert api("POST", "/cancel")[0] == 400
    assert api("POST", "/cancel", kind="fetch")[1] == {"changed": 2, "more": False}
    assert api("POST", "/retry", all="true")[1]["changed"] == 3


def test_the_api_pauses_and_limits_destinations(database: Database) -> None:
    api = Api(database)
    status, line = api("POST", "/destinations/limits", name="H2/pacs/ct", windows="周六", maxParallel="3")
    assert (status, line["windows"], line["maxParallel"]) == (200, "周六", 3)
    assert api("POST", "/destinations/limits", name="H2/pacs/ct", windows="晚上")[0] == 400
    assert api("POST", "/destinations/limits", name="H2/pacs/ct", maxParallel="0")[0] == 400
    assert api("POST", "/destinations/pause", name="*", reason="演练")[1]["held"] is True
    assert api("POST", "/destinations/resume", name="*")[1]["held"] is False
    assert api("POST", "/destinations/pause", name="nowhere")[0] == 404
