"""A hospital for the connector's tests: a RIS in SQLite whose views it reads, its hospital.toml, its process."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.acceptance.senders import HOSPITAL, KEY_HEX, exam, report
from tests.helpers.commands import YINGQIAO, run
from tests.peers.gateway import RunningGateway
from yingqiao.hospital.config import read_config
from yingqiao.hospital.errors import SpoolError
from yingqiao.hospital.service import bounds_of
from yingqiao.hospital.spool.status import Status, status
from yingqiao.hospital.spool.store import open_spool

BEIJING = timezone(timedelta(hours=8))
_FIELDS = {
    "exam": [name for name in exam("E") if name != "setInfoList"],
    "report": list(report("R", "E")),
}
_KEYS = {"exam": "risStudyId", "report": "recordNum"}
_TIMES = {"exam": "checkFinishTime", "report": "confirmDate"}
_SETTLEMENT = {"setId": "0" * 20, "medListCode": "M1", "feeDetailSn": "0" * 18, "examPart": "BB24ZYZZZ"}


def beijing(**ago: float) -> str:
    """The time so long ago, as the standard writes it."""
    return (datetime.now(BEIJING) - timedelta(**ago)).strftime("%Y-%m-%d %H:%M:%S")


class Ris:
    """Two tables with a column for each of the standard's fields, as a vendor's view might have."""

    def __init__(self, file: Path, code: str = HOSPITAL) -> None:
        self.file, self.code = file, code
        with self._open() as db:
            for table, names in _FIELDS.items():
                columns = ", ".join(f'"{name}"' for name in names)
                db.execute(f'CREATE TABLE {table} ({columns}, PRIMARY KEY ("{_KEYS[table]}"))')
                for column in ("lastChangeTime", _TIMES[table]):
                    db.execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.file, timeout=120)
        db.execute("PRAGMA journal_mode = WAL")
        return db

    def put(self, table: str, *records: Mapping[str, Any]) -> None:
        """Inserts or replaces."""
        names = _FIELDS[table]
        marks = ", ".join("?" for _ in names)
        with self._open() as db:
            db.executemany(
                f"INSERT OR REPLACE INTO {table} VALUES ({marks})",
                [[self._value(record, name) for name in names] for record in records],
            )

    def _value(self, record: Mapping[str, Any], name: str) -> Any:
        value = record.get(name)
        return self.code if name == "hospitalCode" and value == HOSPITAL else value

    def remove(self, table: str, *keys: str) -> None:
        with self._open() as db:
            db.executemany(f'DELETE FROM {table} WHERE "{_KEYS[table]}" = ?', [(key,) for key in keys])

    def add_exams(self, *numbers: int, reports: bool = True, at: str | None = None, **changes: Any) -> None:
        """Finished `at` (default: an hour ago), each with its report."""
        when = at or beijing(hours=1)
        exams = [
            exam(f"E{n:05}", **{"checkFinishTime": when, "lastChangeTime": when, **changes}) for n in numbers
        ]
        self.put("exam", *exams)
        if reports:
            self.put(
                "report",
                *(report(f"R{n:05}", f"E{n:05}", confirmDate=when, lastChangeTime=when) for n in numbers),
            )


@dataclass
class Hospital:
    """The folder of a connector: hospital.toml, secret, spool, RIS."""

    folder: Path
    gateway_url: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    code: str = HOSPITAL

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "sm4.key").write_text(KEY_HEX)
        self.ris = Ris(self.folder / "ris.sqlite", self.code)
        self.write()

    @property
    def config(self) -> Path:
        return self.folder / "hospital.toml"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def log(self) -> str:
        """Its whole lines: of one that is being written, half a character may be there."""
        raw = (self.folder / "connector.log").read_bytes()
        return raw[: raw.rfind(b"\n") + 1].decode()

    def write(self, **changed: Mapping[str, Any]) -> None:
        """hospital.toml from the settings, those of `changed` over them."""
        base: dict[str, dict[str, Any]] = {
            "hospital": {"code": self.code, "name": "某某医院"},
            "gateway": {"url": self.gateway_url, "key": "file:sm4.key", "rest_seconds": 0.2},
            "spool": {"folder": "spool", "reserve_bytes": 0},
            "reading": {"poll_seconds": 0.2},
            "backfill": {"auto": False},
            "reconcile": {"enabled": False},
        }
        for section, values in [*self.settings.items(), *changed.items()]:
            base[section] = base.get(section, {}) | dict(values)
        lines = []
        for section, values in base.items():
            lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
        self.config.write_text("\n".join(lines) + self._source(), "utf-8")

    def _source(self) -> str:
        lines = ['\n[[source]]\nname = "ris"\ntype = "database"', 'url = "sqlite:///ris.sqlite"']
        for table, names in _FIELDS.items():
            time_column = _TIMES[table]
            lines += [
                f"[source.{table}]",
                f'view = "{table}"\nkey = "{_KEYS[table]}"\ncursor = "lastChangeTime"\ntime = "{time_column}"',
                "overlap = 86400",
                f"[source.{table}.fields]",
                *(f'{name} = "{name}"' for name in names),
            ]
            if table == "exam":
                members = ", ".join(f'{name} = {{value = "{value}"}}' for name, value in _SETTLEMENT.items())
                lines.append(f"setInfoList = {{objects = {{{members}}}}}")
        return "\n".join(lines) + "\n"

    def start(self) -> None:
        with (self.folder / "connector.log").open("ab") as log:
            self.process = subprocess.Popen(
                [YINGQIAO, "hospital", "run", "--config", str(self.config)], stdout=log, stderr=log
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(120)
        self.process = None
        return code

    def cli(self, *words: str, config: bool = True) -> subprocess.CompletedProcess[str]:
        where = ["--config", str(self.config)] if config else []
        return run(["hospital", *words, *where])

    def status(self) -> Status | None:
        """What `yingqiao hospital status` tells, without a process of its own; None before there is a spool."""
        try:
            spool = open_spool(self.spool, bounds_of(read_config(self.config).config), create=False)
        except SpoolError:
            return None
        try:
            return status(spool)
        finally:
            spool.close()

    def alarms(self) -> str:
        found = self.status()
        said = found.said.get("service") if found else None
        return " ".join(said[0]["alarms"]) if said else ""


def until(true: Callable[[], Any], seconds: float = 180.0, every: float = 0.05) -> Any:
    """The first true value, or the last before time ran out."""
    deadline = time.monotonic() + seconds
    while not (value := true()) and time.monotonic() < deadline:
        time.sleep(every)
    return value


def accepted(gateway: RunningGateway, interface: str = "", code: str = "%") -> int:
    """Submissions the gateway accepted, from its database."""
    return len(submissions(gateway, interface, "accepted", code))


def submissions(
    gateway: RunningGateway, interface: str = "", outcome: str = "", code: str = "%"
) -> list[tuple[str, str, str, str]]:
    """Interface, exam key, report key, outcome of every submission of a hospital in the order of their coming."""
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=120) as db:
        wanted = "SELECT interface, exam_key, report_key, outcome FROM submissions WHERE hospital_code LIKE ?"
        rows = db.execute(f"{wanted} ORDER BY id", (code,))
        return [
            row
            for row in rows.fetchall()
            if (not interface or row[0] == interface) and (not outcome or row[3] == outcome)
        ]


def held(gateway: RunningGateway, code: str = "%") -> tuple[set[str], set[str]]:
    """Keys of the exams and reports the gateway holds of a hospital."""
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=120) as db:
        of = "WHERE hospital_code LIKE ?"
        exams = {row[0] for row in db.execute(f"SELECT ris_study_id FROM exams {of}", (code,))}
        reports = {row[0] for row in db.execute(f"SELECT record_num FROM reports {of}", (code,))}
        return exams, reports
