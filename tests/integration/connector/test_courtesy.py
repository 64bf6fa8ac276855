"""A backfill asks a slow gateway less (四(一): beside the day's own records)."""

from __future__ import annotations

import time
from pathlib import Path

from tests.helpers.connector import until
from tests.helpers.receiver_server import ReceiverServer, serve_receiver
from tests.unit.exchange import records
from yingqiao.client import AsyncGateway
from yingqiao.hospital.sender import Pace, Sender
from yingqiao.hospital.source import SourceRecord, Table
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.intake import keep
from yingqiao.hospital.spool.outbox import waiting
from yingqiao.hospital.spool.store import open_spool

KEY = "0123456789abcdeffedcba9876543210"
SLOW, COUNT = 0.1, 5


def slow_down(server: ReceiverServer) -> None:
    answer = server.answer

    def slowly(path: str, body: bytes, kind: str | None) -> tuple[int, dict[str, str], bytes]:
        time.sleep(SLOW)
        return answer(path, body, kind)

    server.answer = slowly


def test_a_backfill_rests_as_long_as_the_gateway_took(tmp_path: Path):
    rows = [
        SourceRecord(Table.EXAM, f"E{n}", records.exam() | {"risStudyId": f"E{n}"}, "") for n in range(COUNT)
    ]
    spool = open_spool(tmp_path)
    keep(spool, "ris", rows, Lane.BACKFILL)
    with serve_receiver(records.CODE, KEY) as server:
        slow_down(server)
        sender = Sender(spool, lambda: AsyncGateway(server.url, records.CODE, KEY), Pace(1, 1))
        began = time.monotonic()
        sender.start()
        assert until(lambda: not waiting(spool, Lane.BACKFILL))
        assert time.monotonic() - began > (2 * COUNT - 1) * SLOW
        sender.close()
    spool.close()
