"""Database views as a source, on SQLite, PostgreSQL and MariaDB (四(一): incremental in real time, nothing missed)."""

from __future__ import annotations

import pytest

from tests.integration.sources.conftest import Ris, drain
from yingqiao.hospital.source import Question, SourceRecord, SourceUnavailableError, Table, Trouble

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
    assert keys(source.changes(Table.EXAM, None, 4)) == keys(first)
    rest, _ = drain(source, first[1].position)  # two of the four were kept
    assert keys(rest) == ["E002", "E003", "E004", "E005"]


def test_after_a_restart_only_the_overlap_comes_again(ris: Ris):
    ris.add(*(day(n) for n in range(30)))
    _, position = drain(ris.source(overlap=300))
    ris.add(day(31), day(27, 30))
    told, _ = drain(ris.source(overlap=300), position)
    assert keys(told)[0] == "E024"
    assert {"E031", "E027"} <= set(keys(told))


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
    from sqlalchemy import text

    with pytest.raises(SourceUnavailableError), ris.source().connected() as connection:
        connection.execute(text("INSERT INTO exams (id) VALUES ('x')"))
        connection.commit()


def test_a_statement_that_takes_too_long_is_given_up(ris: Ris):
    from sqlalchemy import text

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
