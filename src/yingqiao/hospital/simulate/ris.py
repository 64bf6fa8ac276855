"""The simulated RIS: a SQLite file with the views a vendor would give, the hospital.toml that maps them, and the
record of what has to arrive in the end.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from yingqiao.hospital.simulate.plan import Kind, Step
from yingqiao.hospital.simulate.site import SiteCase
from yingqiao.spec import Edition, load_edition

RIS, TRUTH, TOML, KEY = "ris.sqlite", "truth.sqlite", "hospital.toml", "sm4.key"
_TABLES = {Kind.EXAM: "exam", Kind.REPORT: "report"}
_KEYS = {"exam": "risStudyId", "report": "recordNum"}
_TIMES = {"exam": "checkFinishTime", "report": "confirmDate"}
_TRUTH = """
CREATE TABLE exams (ris_study_id TEXT PRIMARY KEY, study_uid TEXT, accession TEXT, modality TEXT, day TEXT,
                    patient_name TEXT, fault TEXT);
CREATE TABLE reports (record_num TEXT PRIMARY KEY, ris_study_id TEXT, audited_at TEXT);
CREATE TABLE instances (sop_uid TEXT PRIMARY KEY, study_uid TEXT);
"""


def column(field: str) -> str:
    """`risStudyId` → `ris_study_id`, as vendors name columns."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field).lower()


def fields_of(table: str, edition: Edition | None = None) -> list[str]:
    """The standard's fields of `exam` or `report`: the view has a column for each."""
    edition = edition or load_edition()
    return [field.name for field in edition.tables[table].fields]


class Ris:
    """Written by the simulator, read by the connector at the same time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._fields = {table: fields_of(table) for table in _KEYS}
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            for table, fields in self._fields.items():
                columns = ", ".join(f'"{column(field)}"' for field in fields)
                key = column(_KEYS[table])
                db.execute(f"CREATE TABLE IF NOT EXISTS t_{table} ({columns}, copy INTEGER DEFAULT 0)")
                db.execute(f'CREATE UNIQUE INDEX IF NOT EXISTS {table}_key ON t_{table} ("{key}", copy)')
                db.execute(f"CREATE INDEX IF NOT EXISTS {table}_changed ON t_{table} (last_change_time)")
                db.execute(f"CREATE VIEW IF NOT EXISTS v_{table} AS SELECT {columns} FROM t_{table}")  # noqa: S608

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._file, timeout=60)
        try:
            with db:
                yield db
        finally:
            db.close()

    def write(self, steps: Iterable[Step], doubled: frozenset[str] = frozenset()) -> None:
        """Each row as it is from now on, in one transaction; exams of `doubled` stand in the view twice."""
        with self._open() as db:
            for step in steps:
                table = _TABLES[step.kind]
                for copy in (0, 1) if step.key in doubled else (0,):
                    self._put(db, table, step.record, copy)

    def _put(self, db: sqlite3.Connection, table: str, record: Mapping[str, Any], copy: int) -> None:
        fields = self._fields[table]
        marks = ", ".join("?" * (len(fields) + 1))
        values = [_plain(record.get(field)) for field in fields]
        db.execute(f"INSERT OR REPLACE INTO t_{table} VALUES ({marks})", [*values, copy])  # noqa: S608


def _plain(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def write_truth(file: Path, cases: Sequence[SiteCase]) -> None:
    """What has to be there in the end, from the plan alone. Tables: see `_TRUTH`."""
    file.unlink(missing_ok=True)
    db = sqlite3.connect(file)
    try:
        with db:
            db.executescript(_TRUTH)
            db.executemany("INSERT INTO exams VALUES (?, ?, ?, ?, ?, ?, ?)", map(_exam_truth, cases))
            for case in cases:
                reports = {
                    step.key: step.at.isoformat(" ") for step in case.steps if step.kind is Kind.REPORT
                }
                rows = [(key, case.visit.ris_study_id, at) for key, at in reports.items()]
                db.executemany("INSERT INTO reports VALUES (?, ?, ?)", rows)
                images = [(uid, case.visit.study_uid) for uid in sorted(case.instances)]
                db.executemany("INSERT INTO instances VALUES (?, ?)", images)
    finally:
        db.close()


def _exam_truth(case: SiteCase) -> tuple[str, ...]:
    visit = case.visit
    return (
        visit.ris_study_id,
        visit.study_uid,
        visit.accession,
        visit.item.modality,
        visit.finished.date().isoformat(),
        visit.patient.name,
        case.fault.value,
    )


def write_config(folder: Path, sections: Mapping[str, Mapping[str, Any]]) -> Path:
    """hospital.toml of a connector for this RIS: `sections`, and the mapping of both views."""
    lines: list[str] = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items()), ""]
    lines += ["[[source]]", 'name = "ris"', 'type = "database"', f'url = "sqlite:///{RIS}"', ""]
    for table in _KEYS:
        lines += _mapping(table)
    file = folder / TOML
    file.write_text("\n".join(lines), "utf-8")
    return file


def _mapping(table: str) -> list[str]:
    where = f'view = "v_{table}"\nkey = "{column(_KEYS[table])}"\ncursor = "last_change_time"'
    lines = [f"[source.{table}]", where, f'time = "{column(_TIMES[table])}"', "", f"[source.{table}.fields]"]
    return [*lines, *(f"{name} = {_rule(name)}" for name in fields_of(table)), ""]


def _rule(field: str) -> str:
    if field == "setInfoList":
        return f'{{ column = "{column(field)}", transform = ["json"] }}'
    if field == "patName":
        return f'{{ column = "{column(field)}", transform = ["gbk-repair"] }}'
    return f'"{column(field)}"'
