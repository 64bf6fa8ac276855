"""The account after a disaster: everything acknowledged is there, byte-exact, and nothing is half there."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import orjson
from sqlalchemy import Connection, func, select

from tests.acceptance.senders import Pushed
from yingqiao.store.compression import decompress
from yingqiao.store.database import Database, open_database
from yingqiao.store.landing import LandingReader
from yingqiao.store.objects import LocalObjects
from yingqiao.store.schema import exams, instances, reports, submissions


def check_everything(data: Path, pushed: Pushed, url: str = "") -> None:
    """Raises AssertionError. `url`: of the database, when it is not the data folder's SQLite."""
    database = open_database(url or data)
    try:
        _wait_until_indexed(database, len(pushed.instances))
        with database.read() as connection:
            if database.is_sqlite:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            _check_records(connection, data, pushed)
            _check_images(connection, data, pushed)
    finally:
        database.close()


def _wait_until_indexed(database: Database, count: int) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        with database.read() as connection:
            if (connection.scalar(select(func.count()).select_from(instances)) or 0) >= count:
                return
        time.sleep(0.1)


def _check_records(connection: Connection, data: Path, pushed: Pushed) -> None:
    for table, key, member, acknowledged in (
        (exams, "ris_study_id", "illnessSummary", pushed.exams),
        (reports, "record_num", "remark", pushed.reports),
    ):
        rows = select(table.c[key], submissions.c.body).join(
            submissions, submissions.c.id == table.c.submission_id
        )
        shown = {k: orjson.loads(decompress(body))[member] for k, body in connection.execute(rows)}
        lost = {k for k, value in acknowledged.items() if shown.get(k) != value}
        assert not lost, f"{len(lost)} acknowledged {table.name} are lost"
    for pdf in connection.scalars(select(reports.c.pdf_object)):
        LocalObjects(data / "objects").verify(pdf)


def _check_images(connection: Connection, data: Path, pushed: Pushed) -> None:
    landing = LandingReader(data / "landing")
    indexed = {}
    for row in connection.execute(select(instances)):
        dataset = landing.read(row.segment, row.offset, row.length)[row.dataset_offset :]
        assert hashlib.sha256(dataset).digest() == row.digest, f"{row.sop_uid} is half there"
        indexed[row.sop_uid] = row.digest.hex()
    lost = {uid for uid, digest in pushed.instances.items() if indexed.get(uid) != digest}
    assert not lost, f"{len(lost)} acknowledged instances are lost"
