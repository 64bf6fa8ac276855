"""Backfill of the first three months (四(一)): interrupted, complete, nothing doubled, live pushes hardly slower."""

from __future__ import annotations

import random
import signal
import sqlite3
import time

import pytest

from tests.acceptance.senders import exam
from tests.helpers.connector import Hospital, beijing, until
from tests.integration.connector.conftest import HospitalMaker
from tests.peers.gateway import GatewayMaker, RunningGateway

DAYS = 90


def counts(gateway: RunningGateway) -> tuple[int, int]:
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=30) as db:
        (exams,) = db.execute("SELECT count(*) FROM exams WHERE ris_study_id LIKE 'E%'").fetchone()
        (reports,) = db.execute("SELECT count(*) FROM reports").fetchone()
    return exams, reports


def p99(gateway: RunningGateway, mark: str, count: int = 120) -> float:
    """Of live pushes one after another, seconds."""
    took = []
    for number in range(count):
        began = time.perf_counter()
        assert gateway.push("/exam-sync", exam(f"{mark}{number}"))["code"] == 1
        took.append(time.perf_counter() - began)
        time.sleep(0.02)
    return sorted(took)[int(0.99 * count)]


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
    quiet = p99(gateway, "Q")
    hospital = make_hospital(gateway, reading={"first_days": 1}, backfill={"auto": True, "months": 3})
    history(hospital, exams)
    hospital.start()
    rng = random.Random(20)
    busy = 0.0
    for kill in range(kills):
        wanted = exams * (kill + 1) // (kills + 2)
        assert until(lambda wanted=wanted: counts(gateway)[0] >= wanted, 600, 0.2), hospital.log[-3000:]
        if kill == kills // 2:
            busy = p99(gateway, "B")
        time.sleep(rng.uniform(0, 0.5))
        hospital.stop(signal.SIGKILL)
        hospital.start()
    assert until(lambda: counts(gateway) == (exams, exams), 1200, 1), counts(gateway)
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True) as db:
        (sent,) = db.execute(
            "SELECT count(*) FROM submissions WHERE exam_key LIKE 'E%' OR report_key <> ''"
        ).fetchone()
    print(
        f"{exams} exams, {kills} kills: {sent - 2 * exams} sent twice; p99 quiet {quiet:.4f} s, busy {busy:.4f} s"
    )
    assert sent - 2 * exams <= kills * 200  # what was under way at a kill, which an upsert makes harmless
    assert busy < 3 * quiet, (quiet, busy)
