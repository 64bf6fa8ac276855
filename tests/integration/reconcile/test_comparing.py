"""A hospital's query services against the ledger, and the mending of what differs (四(二)3, T100–T105)."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from tests.acceptance.senders import exam, report
from tests.integration.reconcile.conftest import CODE, Gateway
from tests.integration.reconcile.test_days import DAY, mend_day, push, state
from tests.peers.query_server import QueryServer
from yingqiao.client.errors import ClientError
from yingqiao.exchange.query import Kind, State
from yingqiao.settings import ReconcileSettings
from yingqiao.store.differences import (
    DifferenceFilter,
    list_comparisons,
    list_differences,
    set_state,
    show_difference,
)
from yingqiao.store.errors import HospitalError
from yingqiao.store.missing import list_missing
from yingqiao.store.query_services import QueryService, get_service, remove_service, set_service
from yingqiao.store.schema import submissions, work
from yingqiao.store.work.task import Task
from yingqiao.tasks.balancing import Balancing
from yingqiao.tasks.comparing import COMPARE, Asked, QueryError, Result, windows

START, END = "2026-11-20 00:00:00", "2026-11-21 00:00:00"


def register(gateway: Gateway, url: str, **more: Any) -> None:
    with gateway.database.write() as connection:
        set_service(connection, QueryService(CODE, url, sm4=False, private=True, **more))


def compare(gateway: Gateway, subject: str, **more: Any) -> Result:
    return gateway.comparing.run(Asked(CODE, subject, START, END, **more))


def found(gateway: Gateway, **wanted: str) -> list[Any]:
    with gateway.database.read() as connection:
        return list(list_differences(connection, DifferenceFilter(CODE, **wanted)).items)


def test_missing_and_changed_exams_are_noted_and_mended(gateway: Gateway, query_server: QueryServer) -> None:
    """Missing exam, changed content field by field; mended by the receiver that judges what is pushed."""
    for key in ("E1", "E2"):
        push(gateway, "exam-sync", exam(key))
    changed = exam("E2", patAge="36", lastChangeTime="2026-11-20 12:00:00")
    query_server.records["/exam/get"] = [exam("E1"), changed, exam("E3"), exam("E3"), {"patName": "无名"}]
    register(gateway, query_server.url)
    result = compare(gateway, "exams")
    assert (result.compared, result.differing, result.nameless) == (4, 2, 1)
    noted = {one.key: one for one in found(gateway)}
    assert noted["E3"].kind == Kind.EXAM_MISSING
    assert noted["E2"].kind == Kind.EXAM_CHANGED
    assert "年龄" in noted["E2"].words
    assert "“36”" in noted["E2"].words
    for one in noted.values():
        assert gateway.mender.mend(one.id) is State.MENDED
    with gateway.database.read() as connection:
        mended = connection.execute(select(submissions).where(submissions.c.exam_key == "E3")).one()
    assert mended.peer == f"query:{query_server.url}"
    assert compare(gateway, "exams").differing == 0
    assert {one.state for one in found(gateway)} == {State.MENDED}


def test_our_newer_version_is_no_difference(gateway: Gateway, query_server: QueryServer) -> None:
    push(gateway, "exam-sync", exam("E1", lastChangeTime="2026-11-20 20:00:00"))
    query_server.records["/exam/get"] = [exam("E1", patAge="99")]
    register(gateway, query_server.url)
    assert compare(gateway, "exams").differing == 0


def test_reports_with_their_pdf(gateway: Gateway, query_server: QueryServer) -> None:
    """Embedded documents are compared by content, though we keep them elsewhere (T24)."""
    same, other = report("R1", "E1"), report("R2", "E1")
    push(gateway, "report-sync", same)
    push(gateway, "report-sync", other)
    query_server.records["/report/get"] = [
        same,
        other | {"inspectExamResult": "右肺结节。", "lastChangeTime": "2026-11-20 12:00:00"},
        report("R3", "E1"),
    ]
    register(gateway, query_server.url)
    result = compare(gateway, "reports", mend=True)
    assert (result.compared, result.differing, result.mended) == (3, 2, 2)
    assert [one.name for one in result.differences[0].fields] == ["inspectExamResult", "lastChangeTime"]
    assert compare(gateway, "reports").differing == 0


def test_a_record_that_is_refused_stays_open_with_the_reason(
    gateway: Gateway, query_server: QueryServer
) -> None:
    query_server.records["/exam/get"] = [exam("E9", hospitalCode="999")]
    register(gateway, query_server.url)
    result = compare(gateway, "exams", mend=True)
    assert (result.differing, result.mended) == (1, 0)
    (one,) = found(gateway)
    assert one.state == State.FAILED
    assert "hospitalCode" in one.reason


def test_series_that_are_missing(gateway: Gateway, query_server: QueryServer) -> None:
    """Missing series; without a PACS and without registered hosts the reason says so."""
    query_server.records["/series/get"] = [
        {"SERIESIUID": "1.2.3.4", "STUDYIUID": "1.2.3", "FILEPATH": ["http://10.0.0.1/1.dcm"]}
    ]
    register(gateway, query_server.url)
    result = compare(gateway, "series", mend=True)
    assert (result.differing, result.mended) == (1, 0)
    (one,) = found(gateway, kind=Kind.SERIES_MISSING)
    assert one.study_uid == "1.2.3"
    assert "PACS" in one.reason
    assert query_server.asked[0][1]["startTime"] == "2026-11-20"
    assert query_server.asked[0][1]["endTime"] == "2026-11-21"


def test_what_is_ignored_stays_ignored(gateway: Gateway, query_server: QueryServer) -> None:
    query_server.records["/exam/get"] = [exam("E1")]
    register(gateway, query_server.url)
    compare(gateway, "exams")
    with gateway.database.write() as connection:
        set_state(connection, found(gateway)[0].id, State.IGNORED, "测试数据", None, 1)
    compare(gateway, "exams")
    assert found(gateway)[0].state == State.IGNORED
    with gateway.database.read() as connection:
        shown = show_difference(connection, found(gateway)[0].id)
        runs = list_comparisons(connection, CODE).items
    assert shown is not None
    assert shown[2]["risStudyId"] == "E1"
    assert [run.differing for run in runs] == [1, 1]
    assert all(run.ended_at for run in runs)


def test_one_exam_of_many(gateway: Gateway, query_server: QueryServer) -> None:
    """By exam: there is no such filter (T105), the answers are sifted."""
    query_server.records["/exam/get"] = [exam("E1"), exam("E2")]
    register(gateway, query_server.url)
    result = compare(gateway, "exams", exam="E2", apply_id="LE2")
    assert (result.compared, result.differing) == (1, 1)
    assert query_server.asked[0][1]["applyId"] == "LE2"


def test_private_addresses_must_be_allowed(gateway: Gateway, query_server: QueryServer) -> None:
    """SSRF: a registered name that leads inside is asked only where that was allowed."""
    with gateway.database.write() as connection:
        set_service(connection, QueryService(CODE, query_server.url, sm4=False))
    with pytest.raises(QueryError, match="不能访问"):
        compare(gateway, "exams")
    assert query_server.asked == []


def test_a_dead_service_is_told(gateway: Gateway) -> None:
    register(gateway, "http://127.0.0.1:1")
    with pytest.raises(ClientError):
        compare(gateway, "exams")
    with gateway.database.read() as connection:
        assert list_comparisons(connection, CODE).items[0].reason


@pytest.mark.parametrize(
    ("place", "more"),
    [
        ("ftp://h", {}),
        ("http://u:p@h", {}),
        ("h:80", {}),
        ("http://h", {"nightly": "25:00"}),
        ("http://h", {"days": 0}),
    ],
)
def test_what_cannot_be_registered(gateway: Gateway, place: str, more: dict[str, Any]) -> None:
    with pytest.raises(HospitalError):
        register(gateway, place, **more)


def test_a_service_is_changed_and_removed(gateway: Gateway) -> None:
    register(gateway, "http://h:81/pacs/")
    register(gateway, "http://h:82", days=5)
    with gateway.database.write() as connection:
        service = get_service(connection, CODE)
        assert service is not None
        assert (service.url, service.days) == ("http://h:82", 5)
        assert remove_service(connection, CODE)
        assert not remove_service(connection, CODE)
    with pytest.raises(QueryError, match="没有登记查询接口"):
        compare(gateway, "exams")


def test_nightly_comparisons_are_asked_for_once_a_day(gateway: Gateway, query_server: QueryServer) -> None:
    register(gateway, query_server.url, nightly="00:00", days=3)
    noon = 1_795_752_000_000  # 2026-11-27 in Beijing: midnight does not come between
    balancing = Balancing(gateway.database, ReconcileSettings(), clock=lambda: noon)
    balancing.ask_nightly()
    balancing.ask_nightly()
    with gateway.database.read() as connection:
        asked = connection.execute(select(work).where(work.c.kind == COMPARE)).all()
    assert sorted(json.loads(one.payload)["subject"] for one in asked) == ["exams", "reports", "series"]
    assert all(json.loads(one.payload)["mend"] for one in asked)


def test_a_stated_day_is_asked_for_where_something_is_missing(
    gateway: Gateway, query_server: QueryServer
) -> None:
    """The gateway mends by itself: it asks the hospital for the day."""
    register(gateway, query_server.url)
    query_server.records["/exam/get"] = [exam("X1"), exam("X3", hospitalCode="999")]
    state(gateway, ["X1", "X2", "X3"])
    mend_day(gateway)
    with gateway.database.read() as connection:
        asked = connection.execute(select(work).where(work.c.kind == COMPARE)).all()
    members = next(json.loads(one.payload) for one in asked if one.key.endswith("/exams"))
    assert (members["start"], members["end"]) == ("2026-11-19 00:00:00", "2026-11-22 00:00:00")  # T103
    balancing = Balancing(gateway.database, ReconcileSettings())
    gateway.comparing.work(Task(2, COMPARE, "", CODE, "", members, 1, 1, 5))  # type: ignore[arg-type]
    balancing.look_again()
    assert state(gateway, ["X1"]).missing == ()
    with gateway.database.read() as connection:
        noted = {one.listed_id: one for one in list_missing(connection, CODE, DAY).items}
    assert noted["X1"].state == "arrived"
    assert (noted["X2"].state, noted["X2"].reason) == ("missing", "医院的查询接口没有给出这个检查")
    assert "hospitalCode" in noted["X3"].reason


def test_windows_are_days() -> None:
    assert windows("2026-11-20 12:00:00", "2026-11-22 00:00:00") == [
        ("2026-11-20 12:00:00", "2026-11-21 12:00:00"),
        ("2026-11-21 12:00:00", "2026-11-22 00:00:00"),
    ]
    for start, end in (("x", END), (END, START), ("2020-01-01", "2026-01-01")):
        with pytest.raises(QueryError):
            windows(start, end)


def test_a_name_that_changes_its_answer_gains_nothing(
    gateway: Gateway, query_server: QueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: what was looked at is what is asked, by its name."""
    port = urlsplit(query_server.url).port
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebound(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "his.example":
            return real(host, *rest, **more)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    query_server.records["/exam/get"] = [exam("E1")]
    register(gateway, f"http://his.example:{port}")
    assert compare(gateway, "exams").compared == 1
    assert asked == ["his.example"]
    with pytest.raises(QueryError, match="元数据"):
        compare(gateway, "exams")
