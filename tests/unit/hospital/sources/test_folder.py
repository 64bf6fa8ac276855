"""Folders of JSON and CSV as a source: encodings, half-written files, moving away only what was kept, any bytes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.hospital.source import Question, SourceUnavailableError, Table, Trouble
from yingqiao.hospital.sources import open_source
from yingqiao.hospital.sources.files import BadRow, FileError, read_rows
from yingqiao.hospital.sources.folder import FolderSource

FIELDS = {"risStudyId": "id", "patName": "病人.姓名", "lastChangeTime": "time", "patientId": "pid"}


def source(folder: Path, files: str = "*.json", **more: Any) -> FolderSource:
    exam = {"files": files, "fields": FIELDS, **more.pop("exam", {})}
    made = open_source(
        {"name": "f", "type": "folder", "path": ".", "ready": "rename", "exam": exam, **more}, folder
    )
    assert isinstance(made, FolderSource)
    return made


def row(number: int) -> dict[str, Any]:
    return {
        "id": f"E{number}",
        "time": f"2026-03-05 08:00:{number:02}",
        "病人": {"姓名": "张三"},
        "pid": f"P{number}",
    }


def write(path: Path, *numbers: int) -> None:
    path.write_text(json.dumps([row(n) for n in numbers], ensure_ascii=False), "utf-8")


def drain(folder: FolderSource, position: str | None = None, limit: int = 2) -> tuple[list[Any], str | None]:
    found: list[Any] = []
    while told := folder.changes(Table.EXAM, position, limit):
        found += told
        position = told[-1].position
    return found, position


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_files_are_told_once_and_moved_away(tmp_path: Path, limit: int):
    write(tmp_path / "a.json", 1, 2, 3)
    write(tmp_path / "b.json", 4)
    write(tmp_path / "c.json")
    made = source(tmp_path)
    told, position = drain(made, limit=limit)
    assert [one.key for one in told] == ["E1", "E2", "E3", "E4"]
    assert told[0].values["patName"] == "张三"
    assert sorted(p.name for p in (tmp_path / "done/exam").iterdir()) == ["a.json", "b.json", "c.json"]
    write(tmp_path / "a.json", 5)
    assert [one.key for one in drain(made, position)[0]] == ["E5"]
    assert len(list((tmp_path / "done/exam").iterdir())) == 4


def test_a_file_stays_until_its_records_were_kept(tmp_path: Path):
    write(tmp_path / "a.json", 1, 2)
    made = source(tmp_path)
    first = made.changes(Table.EXAM, None, 10)
    assert [one.key for one in made.changes(Table.EXAM, None, 10)] == ["E1", "E2"]  # nothing was kept
    assert (tmp_path / "a.json").exists()
    again = source(tmp_path)  # killed after the first record was kept
    assert [one.key for one in again.changes(Table.EXAM, first[0].position, 10)] == ["E2"]
    assert again.changes(Table.EXAM, first[1].position, 10) == []
    assert not (tmp_path / "a.json").exists()


def test_a_broken_file_tells_what_it_can_and_goes_to_failed(tmp_path: Path):
    (tmp_path / "a.json").write_text('[{"id":"E1"},{"id":', "utf-8")
    told, _ = drain(source(tmp_path))
    assert told[0].key == "E1"
    assert isinstance(told[1], Trouble)
    assert "不是合法的 JSON" in told[1].reason
    assert (tmp_path / "failed/exam/a.json").exists()
    assert "不是合法的 JSON" in (tmp_path / "failed/exam/a.json.原因.txt").read_text("utf-8")


def test_half_written_files_wait(tmp_path: Path):
    write(tmp_path / "a.json.tmp", 1)
    write(tmp_path / ".b.json", 2)
    assert source(tmp_path, "*").changes(Table.EXAM, None, 10) == []
    write(tmp_path / "c.json", 3)
    marked = source(tmp_path, ready="marker")
    assert marked.changes(Table.EXAM, None, 10) == []
    (tmp_path / "c.json.ok").touch()
    assert [one.key for one in drain(marked)[0]] == ["E3"]
    assert not (tmp_path / "c.json.ok").exists()


def test_a_file_must_be_stable(tmp_path: Path):
    write(tmp_path / "a.json", 1)
    made = source(tmp_path, ready="stable", stable_seconds=60)
    now = [0.0]
    made.configs[Table.EXAM].inbox.clock = lambda: now[0]
    assert made.changes(Table.EXAM, None, 10) == []
    now[0] = 59
    write(tmp_path / "a.json", 1, 2)  # still growing
    assert made.changes(Table.EXAM, None, 10) == []
    now[0] = 118
    assert made.changes(Table.EXAM, None, 10) == []
    now[0] = 119
    assert len(made.changes(Table.EXAM, None, 10)) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings_of_csv(tmp_path: Path, encoding: str):
    (tmp_path / "a.csv").write_text('id,病人.姓名\r\nE1,"张三,\n（女）"\r\n\r\nE2\r\n', encoding, newline="")
    told, _ = drain(source(tmp_path, "*.csv"))
    assert told[0].values == {"risStudyId": "E1", "patName": "张三,\n（女）"}
    assert "有 1 列，表头有 2 列" in told[1].reason


def test_questions_are_answered_from_done_files_too_by_the_newest_state(tmp_path: Path):
    write(tmp_path / "a.json", 1, 2, 3)
    made = source(tmp_path)
    drain(made)
    (tmp_path / "b.json").write_text(json.dumps({**row(2), "pid": "P9"}), "utf-8")
    assert [one.key for one in made.ask(Question(Table.EXAM, patient_id="P9"))] == ["E2"]
    assert list(made.ask(Question(Table.EXAM, patient_id="P2"))) == []
    asked = Question(Table.EXAM, start="2026-03-05 08:00:02", end="2026-03-05 08:00:03")
    assert [one.key for one in made.ask(asked)] == ["E2"]


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(SourceUnavailableError, match="没有挂载"):
        source(tmp_path, path="mount").changes(Table.EXAM, None, 1)


def test_large_json_is_streamed(tmp_path: Path):
    big = [{"id": f"E{n}", "pdf": "x" * 100_000} for n in range(30)]
    (tmp_path / "a.json").write_text(json.dumps(big), "utf-8")
    rows = list(read_rows(tmp_path / "a.json", "json", "auto", ","))
    assert [one["id"] for one in rows] == [one["id"] for one in big]  # type: ignore[index]


@given(
    st.sampled_from(["json", "jsonl", "csv"]),
    st.binary(max_size=200) | st.text('[]{}",:\n\\ae1张', max_size=100).map(str.encode),
)
def test_any_bytes_are_rows_or_a_file_error(
    tmp_path_factory: pytest.TempPathFactory, form: str, content: bytes
):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    try:
        rows = list(read_rows(path, form, "auto", ","))
    except FileError:
        return
    assert all(isinstance(one, dict | BadRow) for one in rows)


texts = st.text(st.characters(codec="gb18030", exclude_categories=["Cs", "Cc"]), max_size=10)


@given(st.lists(st.tuples(texts, texts), max_size=5), st.sampled_from(["utf-8", "gb18030"]))
def test_csv_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], encoding: str
):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([("甲", "乙"), *rows])
    path = tmp_path_factory.getbasetemp() / "written"
    path.write_bytes(stream.getvalue().encode(encoding))
    got = list(read_rows(path, "csv", encoding, ","))
    assert got == [{"甲": a, "乙": b} for a, b in rows]
