"""Backfill of the first three months (四(一)): interrupted, complete, nothing doubled, live pushes hardly slower."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from benchmarks.backfill.live import run
from tests.helpers.connector import Hospital, beijing, until
from tests.integration.connector.conftest import HospitalMaker
from tests.peers.gateway import GatewayMaker, RunningGateway

DAYS = 90


def counts(gateway: RunningGateway) -> tuple[int, int]:
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=30) as db:
        (exams,) = db.execute("SELECT count(*) FROM exams WHERE ris_study_id LIKE 'E%'").fetchone()
        (reports,) = db.execute("SELECT count(*) FROM reports").fetchone()
    return exams, reports


def history(hospital: Hospital, exams: int) -> None:
    """Spread over three months, none of them of the last two days."""
    each = -(-exams // (DAYS - 2))
    for at, first in enumerate(range(0, exams, each)):
        hospital.ris.add_exams(*range(first, min(first + each, exams)), at=beijing(days=2 + at))


@pytest.mark.long
@pytest.mark.parametrize(("exams", "kills"), [(1_000, 5), (100_000, 20)])
def test_backfill_loses_and_doubles_nothing(
    exams: int, kills: int, make_gateway: GatewayMaker, make_hospital: HospitalMaker
):
    gateway = make_gateway()
    hospital = make_hospital(gateway, reading={"first_days": 1}, backfill={"auto": True, "months": 3})
    history(hospital, exams)
    hospital.start()
    rng = random.Random(20)
    for kill in range(kills):
        wanted = exams * (kill + 1) // (kills + 2)
        assert until(lambda wanted=wanted: counts(gateway)[0] >= wanted, 600, 1), hospital.log[-3000:]
        time.sleep(rng.uniform(0, 0.5))
        hospital.stop(signal.SIGKILL)
        hospital.start()
    assert until(lambda: counts(gateway) == (exams, exams), 1200, 1), counts(gateway)
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True) as db:
        (sent,) = db.execute(
            "SELECT count(*) FROM submissions WHERE exam_key LIKE 'E%' OR report_key <> ''"
        ).fetchone()
    print(f"{exams} exams, {kills} kills: {sent - 2 * exams} sent twice")
    assert sent - 2 * exams <= kills * 200  # what was under way at a kill, which an upsert makes harmless


@pytest.mark.long
def test_live_pushes_are_hardly_slower(tmp_path: Path):
    """p99 beside a backfill under three times the quiet one, in one run."""
    before, during, after, rate = run(tmp_path, 20_000, 12.0, 0.02)
    print(f"quiet {before}; beside {rate:.0f} records/s {during}; quiet {after}")
    assert during.p99 < 3 * min(before.p99, after.p99)
