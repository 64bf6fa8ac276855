"""Run as a program: records without end and says on stdout what was acknowledged, until it is killed.

Arguments: URL, a prefix of keys, how many distinct keys (0 = no end), FSIZE limit in bytes (0 = none).
A line `kept ID KEY NUMBER` follows each acknowledgement; `error NAME` each failure; other lines are logs.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys

from tests.store_makers import exam_row, report_row, submission
from yingqiao.store.database import open_database
from yingqiao.store.errors import StoreError
from yingqiao.store.ledger import Ledger


async def load(url: str, prefix: str, keys: int, limit: int) -> None:
    ledger = Ledger(open_database(url))
    ledger.start()
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1)))

    async def one(worker: int) -> None:
        number = worker
        while True:
            key = f"{prefix}{number % keys if keys else number}"
            changed = f"2026-01-01 00:00:00 {number:09d}"
            item = submission(exam_row(key, changed), report_row(key, changed, ris_study_ids=(key,)))
            try:
                said = f"kept {await ledger.record(item)} {key} {number}"
            except StoreError as error:
                said = f"error {type(error).__name__}"
                await asyncio.sleep(0.01)
            os.write(1, f"{said}\n".encode())
            number += 16

    await asyncio.gather(*(one(worker) for worker in range(16)))


if __name__ == "__main__":
    asyncio.run(load(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
