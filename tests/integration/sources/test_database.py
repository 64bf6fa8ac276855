"""Database views as a source, on SQLite, PostgreSQL and MariaDB (四(一): incremental in real time, nothing missed)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.integration.sources.conftest import Ris, drain
from tests.peers.mariadb import MariadbServer
from yingqiao.hospital.source import Question, SourceRecord, SourceUnavailableError, Table, Trouble
from yingqiao.hospital.sources import open_source
from yingqiao.hospital.sources.database import DatabaseSource
from yingqiao.hospital.sources.point import Point
from yingqiao.hospital.sources.sweep import ReadRow, Sweep

pytestmark = pytest.mark.peer


def keys(told: object) -> list[str]:
    return [one.key for one in told]  # type: ignore[attr-defined]


def day(number: int, second: int = 0) -> tuple[str, str, str]:
    return f"E{number:03}", f"2026-03-05 08:{number % 60:02}:{second:02}", f"患者{number}"


def test_everything_comes_once_in_order_of_change(ris: Ris):
    ris.add(*(day(n) for n in range(20)))
    told, position = drain(ris.source())
    assert keys(told) == [f"E{n:03}" for n in range(20)]
    assert told[3].values == {
        "risStudyId": "E003",
        "patName": "患者3",
        "lastChangeTime": "2026-03-05 08:03:00",
    }
    assert position is not None


def test_ties_of_the_cursor_are_all_read(ris: Ris):
    ris.add(*((f"T{n}", "2026-03-05 08:00:00", "x") for n in range(10)))
    told, _ = drain(ris.source())
    assert sorted(keys(told)) == sorted(f"T{n}" for n in range(10))


def test_a_late_commit_is_found_and_nothing_else_comes_again(ris: Ris):
    source = ris.source()
    ris.add(day(10), day(11))
    _, position = drain(source)
    ris.add(day(9))  # committed late: older than what was read
    told, position = drain(source, position)
    assert keys(told) == ["E009"]
    assert drain(source, position) == ([], position)


def test_a_changed_row_comes_again(ris: Ris):
    source = ris.source()
    ris.add(day(1), day(2))
    _, position = drain(source)
    ris.execute("UPDATE exams SET changed = '2026-03-05 08:30:00' WHERE id = 'E001'")
    told, _ = drain(source, position)
    assert keys(told) == ["E001"]


def test_what_was_not_kept_is_told_again(ris: Ris):
    source = ris.source()
    ris.add(*(day(n) for n in range(6)))
    first = source.changes(Table.EXAM, None, 4)
    again = source.changes(Table.EXAM, None, 4)
    assert keys(again) == keys(first)
    rest, _ = drain(source, again[1].position)  # two of the four were kept
    assert keys(rest) == ["E002", "E003", "E004", "E005"]


def test_after_a_restart_only_the_overlap_comes_again(ris: Ris):
    ris.add(*(day(n) for n in range(30)))
    _, position = drain(ris.source(overlap=300))
    ris.add(day(31), ("LATE", "2026-03-05 08:27:30", "x"))
    told, _ = drain(ris.source(overlap=300), position)
    assert keys(told)[0] == "E024"
    assert {"E031", "LATE"} <= set(keys(told))


def test_a_row_dated_in_the_future_does_not_hide_others(ris: Ris):
    source = ris.source()
    ris.add(("F", "2099-01-01 00:00:00", "x"), day(1))
    told, position = drain(source)
    assert keys(told) == ["E001", "F"]
    ris.add(day(2))
    assert keys(drain(source, position)[0]) == ["E002"]
    assert "E002" in keys(drain(ris.source(), position)[0])


def test_a_numeric_cursor(ris: Ris):
    ris.execute("CREATE TABLE log (n INTEGER PRIMARY KEY, exam VARCHAR(20))")
    ris.execute("INSERT INTO log VALUES (:n, :e)", *({"n": n, "e": f"E{n}"} for n in (1, 2, 40, 41)))
    view = {"view": "log", "key": "exam", "cursor": "n", "overlap": 5, "fields": {"risStudyId": "exam"}}
    source = ris.source(exam=view)
    told, position = drain(source)
    assert keys(told) == ["E1", "E2", "E40", "E41"]
    ris.execute("INSERT INTO log VALUES (39, 'E39')")
    assert keys(drain(source, position)[0]) == ["E39"]


def test_a_row_without_its_key_field_is_a_trouble(ris: Ris):
    ris.add(("  ", "2026-03-05 08:00:00", "x"), day(1))
    trim = {"risStudyId": {"column": "id", "transform": ["trim"]}}
    told, _ = drain(ris.source(exam={"fields": trim}))
    trouble = next(one for one in told if isinstance(one, Trouble))
    assert "risStudyId" in trouble.reason
    assert trouble.where.startswith("v_exams.id=")


def test_questions_are_answered_by_time_and_ids(ris: Ris):
    """四(二)3: start inclusive, end exclusive."""
    ris.add(*(day(n) for n in range(10)))
    source = ris.source(exam={"patient_id": "姓名"})
    asked = Question(Table.EXAM, start="2026-03-05 08:02:00", end="2026-03-05 08:05:00")
    assert keys(source.ask(asked)) == ["E002", "E003", "E004"]
    assert keys(source.ask(Question(Table.EXAM, patient_id="患者7"))) == ["E007"]
    assert len(list(source.ask(Question(Table.EXAM)))) == 10
    with pytest.raises(SourceUnavailableError, match="apply_id"):
        list(source.ask(Question(Table.EXAM, apply_id="1")))


def test_a_question_may_be_left_half_read(ris: Ris):
    ris.add(*(day(n) for n in range(10)))
    source = ris.source()
    answers = source.ask(Question(Table.EXAM))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(list(source.ask(Question(Table.EXAM)))) == 10


def test_where_narrows_the_view_and_names_are_quoted(ris: Ris):
    ris.add(day(1), day(2))
    ris.execute('CREATE VIEW "视 图; DROP" AS SELECT id, changed AS "order", "姓名" FROM exams')
    exam = {"view": "视 图; DROP", "cursor": "order", "where": "id <> 'E001' AND '12:30' = '12:30'"}
    exam |= {"fields": {"risStudyId": "id"}}
    assert keys(drain(ris.source(exam=exam))[0]) == ["E002"]


def test_a_column_that_is_not_there_is_named_with_the_nearest(ris: Ris):
    with pytest.raises(SourceUnavailableError, match="没有列 chnged，最接近的是 changed"):
        ris.source(exam={"cursor": "chnged"}).changes(Table.EXAM, None, 1)


def test_the_connection_cannot_write(ris: Ris):
    with pytest.raises(SourceUnavailableError), ris.source().connected() as connection:
        connection.execute(text("INSERT INTO exams (id) VALUES ('x')"))


def test_a_statement_that_takes_too_long_is_given_up(ris: Ris):
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 100000000) SELECT count(*) FROM t"
    sleep = {
        "postgresql": "SELECT pg_sleep(30)",
        "mysql": "SELECT sum(sleep(1)) FROM exams a, exams b, exams c",
    }
    ris.add(*(day(n) for n in range(5)))
    source = ris.source(statement_timeout=1)
    with pytest.raises(SourceUnavailableError), source.connected() as connection:
        connection.execute(text(sleep.get(source.dialect, endless))).all()


def test_a_preview_has_every_column(ris: Ris):
    ris.add(*(day(n) for n in range(5)))
    shown = list(ris.source().preview(Table.EXAM, 2))
    assert [row.mapped.values["risStudyId"] for row in shown] == ["E004", "E003"]
    assert shown[0].columns == ("id", "changed", "姓名")


def test_records_are_the_seams(ris: Ris):
    ris.add(day(1))
    (record,) = ris.source().changes(Table.EXAM, None, 10)
    assert isinstance(record, SourceRecord)
    assert (record.table, record.key) == (Table.EXAM, "E001")
    assert ris.source().changes(Table.REPORT, None, 10) == []


def test_gbk_bytes_in_a_latin1_column_are_repaired(mariadb: MariadbServer, mariadb_url: str, tmp_path: Path):
    """What old PACS on MySQL leave: a latin1 column filled by a client that sent GBK."""
    database = mariadb_url.rpartition("/")[2]
    mariadb.execute("CREATE TABLE v (id INT, t DATETIME, xm VARCHAR(20) CHARACTER SET latin1)", database)
    raw = "张三".encode("gbk").hex()
    mariadb.execute(f"INSERT INTO v VALUES (1, '2026-03-05 08:00:00', 0x{raw})", database)
    said = {"name": "old", "type": "database", "url": mariadb_url}
    fields = {"risStudyId": "id", "patName": {"column": "xm", "transform": ["gbk-repair"]}}
    source = open_source(
        said | {"exam": {"view": "v", "key": "id", "cursor": "t", "fields": fields}}, tmp_path
    )
    assert isinstance(source, DatabaseSource)
    assert source.changes(Table.EXAM, None, 1)[0].values["patName"] == "张三"  # type: ignore[union-attr]
    source.close()


def test_a_database_that_is_away_and_comes_back(mariadb: MariadbServer, mariadb_url: str, tmp_path: Path):
    database = mariadb_url.rpartition("/")[2]
    mariadb.execute("CREATE TABLE v (id VARCHAR(9), t DATETIME)", database)
    said = {"view": "v", "key": "id", "cursor": "t", "fields": {"risStudyId": "id"}}
    source = open_source({"name": "away", "type": "database", "url": mariadb_url, "exam": said}, tmp_path)
    assert isinstance(source, DatabaseSource)
    assert source.changes(Table.EXAM, None, 1) == []
    mariadb.stop()
    with pytest.raises(SourceUnavailableError, match="数据源 away 读取失败") as told:
        source.changes(Table.EXAM, None, 1)
    assert "secret" not in str(told.value)
    mariadb.start()
    mariadb.execute("INSERT INTO v VALUES ('E1', '2026-03-05 08:00:00')", database)
    assert keys(source.changes(Table.EXAM, None, 1)) == ["E1"]
    source.close()


def test_more_of_one_moment_than_is_remembered(tmp_path: Path):
    """A mass update: the overlap shrinks to what is remembered, nothing is missed and nothing loops."""
    view = _Rows([("2026-03-05 08:00:00", n) for n in range(50)])
    sweep, told, position = Sweep(view, 600, max_seen=10), [], None
    for _ in range(100):
        rows = sweep.take(position, 7)
        if not rows:
            break
        told += [row.point.key for row, _ in rows]
        position = rows[-1][1]
    assert told == list(range(50))
    view.rows.append(("2026-03-05 08:00:01", 99))
    assert [row.point.key for row, _ in sweep.take(position, 7)] == [99]


class _Rows:
    """Rows in memory, in the order a database gives them."""

    def __init__(self, rows: list[tuple[str, int]]) -> None:
        self.rows = rows

    def page(self, start: Point | None, floor: object, limit: int, *, beyond: bool) -> list[ReadRow]:
        points = [Point(*row) for row in sorted(self.rows)]
        if start is not None:
            here = (start.cursor, start.key)
            points = [
                p for p in points if ((p.cursor, p.key) > here if beyond else (p.cursor, p.key) >= here)
            ]
        elif floor is not None:
            points = [p for p in points if p.cursor >= floor]
        return [ReadRow(p, repr(p).encode(), {}) for p in points[:limit]]

    def now(self) -> None:
        return None


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(st.integers(0, 40), st.sampled_from(["take", "keep", "crash", "restart"])), max_size=40
    )
)
def test_no_order_of_commits_takes_and_crashes_misses_a_row(steps: list[int | str]):
    """Commits come late, within the overlap; takes are kept or lost; the reader restarts: every row is kept in the end."""
    view, kept, position = _Rows([]), set(), None
    sweep = Sweep(view, 100, max_seen=1000)
    for step in [*steps, *["keep"] * 60]:
        if isinstance(step, int):
            view.rows.append((f"2026-03-05 08:00:{step:02}", len(view.rows)))
        elif step == "restart":
            sweep = Sweep(view, 100, max_seen=1000)
        else:
            rows = sweep.take(position, 3)
            part = rows if step == "keep" else rows[: len(rows) // 2] if step == "take" else []
            kept |= {row.point.key for row, _ in part}
            position = part[-1][1] if part else position
    assert kept == set(range(len(view.rows)))
    assert sweep.take(position, 3) == []
