"""How fast a connector empties its spool into a real gateway, and what a record costs it: `python -m
benchmarks.backfill.sender [--records N] [--profile FILE]`. Records are exams and reports of the simulator; the gateway
is a process of its own on the same machine.
"""

from __future__ import annotations

import argparse
import cProfile
import tempfile
import time
from datetime import date
from pathlib import Path

from tests.acceptance.senders import HOSPITAL, KEY_HEX
from tests.peers.gateway import RunningGateway
from yingqiao.client import AsyncGateway, Limits
from yingqiao.hospital.sender import Pace, Sender
from yingqiao.hospital.simulate.plan import Kind
from yingqiao.hospital.simulate.site import SitePlan, plan_site
from yingqiao.hospital.simulate.visits import Place
from yingqiao.hospital.source import SourceRecord, Table
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.intake import keep
from yingqiao.hospital.spool.outbox import waiting
from yingqiao.hospital.spool.store import Spool, open_spool

_TABLES = {Kind.EXAM: Table.EXAM, Kind.REPORT: Table.REPORT}


def fill(spool: Spool, records: int) -> None:
    plan = SitePlan(Place(HOSPITAL, "测试医院"), date(2026, 11, 20), records // 2, faulty=0)
    final = {
        (step.kind, step.key): step.record
        for case in plan_site(plan)
        for step in case.steps
        if step.kind in _TABLES
    }
    rows = [SourceRecord(_TABLES[kind], key, dict(values), "") for (kind, key), values in final.items()]
    for start in range(0, len(rows), 500):
        keep(spool, "ris", rows[start : start + 500], Lane.BACKFILL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=3000)
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--profile", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        gateway = RunningGateway(Path(folder) / "gateway")
        gateway.add_hospital()
        gateway.start()
        spool = open_spool(Path(folder) / "spool")
        fill(spool, asked.records)
        limits = Limits(tries=1, connections=1)
        sender = Sender(
            spool,
            lambda: AsyncGateway(gateway.url, HOSPITAL, KEY_HEX, limits=limits),
            Pace(asked.parallel, asked.parallel),
        )
        profile = cProfile.Profile()
        if asked.profile:
            inner = sender._run

            async def profiled() -> None:
                profile.enable()
                await inner()
                profile.disable()

            sender._run = profiled  # type: ignore[method-assign]
        began, cpu = time.monotonic(), time.process_time()
        sender.start()
        while waiting(spool, Lane.BACKFILL):
            time.sleep(0.1)
        wall, used = time.monotonic() - began, time.process_time() - cpu
        sender.close()
        if asked.profile:
            profile.dump_stats(asked.profile)
        sent = sender.health.sent
        print(
            f"{sent} records in {wall:.1f} s: {sent / wall:.0f}/s; CPU of the connector {1000 * used / sent:.2f} ms each"
        )
        spool.close()
        gateway.stop()


if __name__ == "__main__":
    main()
