"""The connector's own reconciliation against the gateway's own endpoint (四(二)5): lost, told, sent again, even."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.senders import HOSPITAL
from tests.helpers.connector import Hospital, beijing, held, until
from tests.peers.gateway import GatewayMaker, RunningGateway

DAILY = {"enabled": True, "at": "00:00", "again_hours": 0.001}


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital(tmp_path / "hospital", "http://127.0.0.1:9")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def lose(hospital: Hospital, *exams: str) -> None:
    """As if a defect or a restored disk had them taken for sent, with their reports."""
    with sqlite3.connect(hospital.spool / "spool.sqlite") as db:
        for exam in exams:
            for kind, key in (("exam", exam), ("report", exam.replace("E", "R"))):
                gone = db.execute("DELETE FROM outbox WHERE kind = ? AND key = ?", (kind, key))
                assert gone.rowcount == 1
                db.execute(
                    "UPDATE records SET sent_version = version WHERE kind = ? AND key = ?", (kind, key)
                )


def balance(gateway: RunningGateway, day: str) -> dict[str, Any]:
    shown: dict[str, Any] = gateway.json("reconcile", "show", day, "--hospital", HOSPITAL)
    return shown


def told_missing(hospital: Hospital) -> list[int]:
    """How many the gateway said to lack, time after time."""
    events = [json.loads(line) for line in hospital.log.splitlines() if '"reconcile.done"' in line]
    return [event["missing"] for event in events]


@pytest.mark.long
def test_what_was_lost_comes_by_itself_and_the_day_is_even(make_gateway: GatewayMaker, hospital: Hospital):
    """四(二)5, T154, T158: nobody does anything; the day closes even and says what the hospital has."""
    gateway = make_gateway(start=False)
    day = beijing(days=1)[:10]
    hospital.gateway_url = gateway.url
    hospital.write()
    hospital.ris.add_exams(*range(12), at=f"{day} 09:00:00")
    hospital.start()
    assert until(lambda: (s := hospital.status()) and s.records.get("report") == 12)
    hospital.stop()
    lose(hospital, "E00003", "E00007", "E00011")
    gateway.start()
    hospital.start()
    assert until(lambda: len(held(gateway)[1]) == 9), hospital.log[-3000:]
    assert not {"E00003", "E00007", "E00011"} & held(gateway)[0]
    hospital.stop()
    hospital.write(reconcile=DAILY)
    hospital.start()
    assert until(lambda: len(held(gateway)[1]) == 12), hospital.log[-3000:]
    assert until(lambda: balance(gateway, day)["now"]["verdict"] == "平", 120, 1.0), balance(gateway, day)
    now = balance(gateway, day)["now"]
    assert now["stated"]["total"] == [12, None, 12]
    assert now["gateway"]["total"][0] == now["gateway"]["total"][2] == 12
    assert until(lambda: told_missing(hospital)[-1] == 0)
    assert told_missing(hospital)[0] == 3
    hospital.ris.add_exams(12, at=f"{day} 10:00:00")  # told late: the day is told again
    assert until(lambda: balance(gateway, day)["now"]["stated"]["total"] == [13, None, 13], 120, 1.0)
    assert gateway.cli("reconcile", "close", day, "--hospital", HOSPITAL).returncode == 0
    (closed,) = balance(gateway, day)["entries"]
    assert closed["content"]["verdict"] == "平"
    assert gateway.cli("reconcile", "verify").returncode == 0
