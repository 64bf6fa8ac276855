"""The spool: what is kept, in which order it goes, what replaces what. On real SQLite files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from yingqiao.hospital.errors import SpoolError, SpoolFullError
from yingqiao.hospital.source import Question, SourceRecord, Table, Trouble
from yingqiao.hospital.spool import days, worklist
from yingqiao.hospital.spool.catalogue import find, let_go, match, totals
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.intake import Taken, keep, position
from yingqiao.hospital.spool.outbox import Due, Outcome, claim, resend, settle
from yingqiao.hospital.spool.store import Bounds, Pressure, Spool, now_ms, open_spool

DAY = "2026-11-20"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = open_spool(tmp_path / "spool")
    yield made
    made.close()


def exam(key: str, place: str = "p", **values: Any) -> SourceRecord:
    plain = {
        "risStudyId": key,
        "checkFinishTime": f"{DAY} 10:00:00",
        "modality": "CT",
        "studyUid": f"1.{key}",
    }
    return SourceRecord(Table.EXAM, key, plain | values, place)


def report(key: str, *exams: str, place: str = "q", **values: Any) -> SourceRecord:
    plain = {"recordNum": key, "risStudyId": ",".join(exams), "confirmDate": f"{DAY} 11:00:00"}
    return SourceRecord(Table.REPORT, key, plain | values, place)


def due(spool: Spool, lane: Lane = Lane.LIVE) -> list[str]:
    return [one.key for one in claim(spool, lane, 100)]


def later(spool: Spool) -> None:
    """A minute passed since all was queued."""
    with sqlite3.connect(spool.folder / "spool.sqlite") as db:
        db.execute("UPDATE outbox SET queued_at = queued_at - 60000")
    db.close()


def sent(spool: Spool, *keys: str) -> None:
    wanted = [one for lane in Lane for one in claim(spool, lane, 100) if one.key in keys]
    settle(spool, [Outcome(one, "sent") for one in wanted])


def refused(one: Due) -> Outcome:
    return Outcome(one, "refused", now_ms(), reason="患者姓名为空", findings='[{"field": "patName"}]')


def test_the_same_content_again_is_dropped(spool: Spool):
    assert keep(spool, "ris", [exam("A"), report("R", "A")]) == Taken(new=2)
    assert keep(spool, "ris", [exam("A"), exam("A", patName="改")]) == Taken(changed=1)
    assert keep(spool, "ris", [exam("A", patName="改")]) == Taken(same=1)
    assert len(claim(spool, Lane.LIVE, 10)) == 1


def test_positions_stand_with_the_records_read(spool: Spool):
    keep(spool, "ris", [exam("A", "1"), report("R", "A", place="9"), exam("B", "2")])
    assert (position(spool, "ris", "exam"), position(spool, "ris", "report")) == ("2", "9")
    keep(spool, "ris", [exam("C", "other")], Lane.BACKFILL, asked_at=now_ms())
    assert position(spool, "ris", "exam") == "2"
    assert position(spool, "his", "exam") is None


def test_a_report_waits_for_its_exams_unless_they_are_refused(spool: Spool):
    """四(二)1: the exam first. One report may be about several exams (T54)."""
    keep(spool, "ris", [report("R", "A", "B"), exam("A"), exam("B"), report("X", "NOWHERE")])
    assert due(spool) == ["A", "B"]  # the exam of X may be told in a moment
    later(spool)
    assert due(spool) == ["A", "B", "X"]
    sent(spool, "A")
    assert due(spool) == ["B", "X"]
    settle(spool, [refused(one) for one in claim(spool, Lane.LIVE, 9) if one.key == "B"])
    assert sorted(due(spool)) == ["R", "X"]


def test_a_live_report_takes_its_exam_out_of_the_slow_lane(spool: Spool):
    keep(spool, "ris", [exam("A"), exam("B")], Lane.BACKFILL)
    keep(spool, "ris", [report("R", "A")])
    assert due(spool) == ["A"]
    assert due(spool, Lane.BACKFILL) == ["B"]


def test_a_version_that_came_while_one_was_under_way_goes_after_it(spool: Spool):
    keep(spool, "ris", [exam("A", patName="一")])
    under_way = claim(spool, Lane.LIVE, 1)
    keep(spool, "ris", [exam("A", patName="二")])
    settle(spool, [Outcome(one, "sent") for one in under_way])
    (left,) = claim(spool, Lane.LIVE, 9)
    assert left.values["patName"] == "二"
    assert left.version == 2


def test_a_newer_version_takes_the_place_of_an_unsent_one(spool: Spool):
    keep(spool, "ris", [exam("A", patName="一")])
    keep(spool, "ris", [exam("A", patName="二")])
    assert [one.values["patName"] for one in claim(spool, Lane.LIVE, 9)] == ["二"]


def test_what_was_asked_earlier_does_not_replace_what_changed_since(spool: Spool):
    asked_at = now_ms() - 1000
    keep(spool, "ris", [exam("A", patName="新")])
    assert keep(spool, "ris", [exam("A", patName="旧")], Lane.BACKFILL, asked_at=asked_at).changed == 0
    assert claim(spool, Lane.LIVE, 1)[0].values["patName"] == "新"


def test_refused_records_wait_and_go_when_mended(spool: Spool):
    keep(spool, "ris", [exam("A"), exam("B")])
    settle(spool, [refused(one) for one in claim(spool, Lane.LIVE, 9)])
    assert due(spool) == []
    assert [item.key for item in worklist.items(spool)] == ["A", "B"]
    shown = worklist.show(spool, "exam", "A")
    assert shown is not None
    assert (shown.item.reason, shown.findings[0]["field"]) == ("患者姓名为空", "patName")
    keep(spool, "ris", [exam("A", patName="张三")])
    assert due(spool) == ["A"]
    assert worklist.resend_refused(spool) == 1
    assert worklist.count(spool) == (0, 0)


def test_a_trouble_goes_when_its_row_becomes_a_record(spool: Spool):
    trouble = Trouble(Table.EXAM, "v_exams.id=A", "缺少 patName", "1")
    keep(spool, "ris", [trouble, trouble])
    assert [(item.what, item.reason) for item in worklist.items(spool)] == [("trouble", "缺少 patName")]
    keep(spool, "ris", [exam("A")])
    assert worklist.count(spool) == (0, 0)


def test_a_day_s_totals_and_what_an_id_means(spool: Spool):
    """T154: risStudyId first, then study UID, then accession number; T158: the day of checkFinishTime."""
    other = exam("OLD", checkFinishTime="2026-11-19 23:59:59")
    gone = exam("GONE", disableFlag=1)
    scan = exam("M", modality="MR", accessionNumber="ACC")
    keep(spool, "ris", [exam("A"), scan, other, gone, report("R", "A"), report("S", "A")])
    found = totals(spool, DAY, images=False)
    assert [(t.modality, t.exams, t.reports, t.images) for t in found] == [
        ("CT", ["A"], 2, None),
        ("MR", ["M"], 0, None),
    ]
    matched = match(spool, ["A", "1.M", "ACC", "?"])
    assert set(matched.names) == {("exam", "A"), ("report", "R"), ("report", "S"), ("exam", "M")}
    assert matched.unknown == ("?",)


def test_sent_and_old_contents_are_let_go_and_still_known(spool: Spool):
    keep(spool, "ris", [exam("A"), exam("B")])
    sent(spool, "A")
    assert let_go(spool, keep_days=-1) == 1
    assert keep(spool, "ris", [exam("A")]) == Taken(same=1)
    assert resend(spool, [("exam", "A"), ("exam", "B")]) == 1
    assert [one["risStudyId"] for one in find(spool, Question(Table.EXAM), ["ris"])] == ["B"]


def test_find_is_ordered_and_filtered(spool: Spool):
    keep(spool, "hl7", [exam(f"E{n:03}", labNum=f"L{n % 2}") for n in range(250)])
    assert len(list(find(spool, Question(Table.EXAM, f"{DAY} 10:00:00", f"{DAY} 10:00:01"), ["hl7"]))) == 250
    assert list(find(spool, Question(Table.EXAM, end=f"{DAY} 10:00:00"), ["hl7"])) == []
    assert len(list(find(spool, Question(Table.EXAM, apply_id="L1"), ["hl7"]))) == 125
    assert list(find(spool, Question(Table.EXAM), ["ris"])) == []


def test_a_full_spool_takes_nothing(tmp_path: Path):
    small = open_spool(tmp_path / "spool", Bounds(most=1))
    assert small.pressure() is Pressure.FULL
    with pytest.raises(SpoolFullError):
        keep(small, "ris", [exam("A")])
    small.close()


def test_backfill_days_are_done_newest_first(spool: Spool):

    wanted = days.days(date(2026, 2, 27), date(2026, 3, 2))
    assert wanted == ["2026-03-02", "2026-03-01", "2026-02-28", "2026-02-27"]
    assert days.plan(spool, ["ris"], wanted) == 4
    for expected in wanted:
        planned = days.next_day(spool, "ris")
        assert planned is not None
        assert planned.day == expected
        days.day_read(spool, planned, 10)
    done = days.progress(spool)
    assert done is not None
    assert (done.done, done.records, done.seconds_left) == (4, 40, 0.0)


def test_only_our_own_file_is_opened(tmp_path: Path):
    with pytest.raises(SpoolError):
        open_spool(tmp_path / "none", create=False)
    open_spool(tmp_path / "newer").close()

    with sqlite3.connect(tmp_path / "newer" / "spool.sqlite") as db:
        db.execute("UPDATE about SET value = '99'")
    with pytest.raises(SpoolError, match="更新版本"):
        open_spool(tmp_path / "newer")
