"""How long a day of many ids takes to be answered, and how much memory; and a ledger of many rows to be balanced.

    .venv/bin/python -m benchmarks.reconcile [--ids 100000] [--rows 1000000] [--database URL]

Each figure is of a process of its own, so that its peak of memory is its own. The ledger is made by SQL: what is
measured reads it as it always does. Exit code 1 when 100,000 ids are not answered in under 2 s and 300 MB, or the
balance takes more.
"""

from __future__ import annotations

import argparse
import base64
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from yingqiao.exchange.reconcile import StatementReceiver, answer
from yingqiao.gm import sm4
from yingqiao.gm.keystore import MasterKey
from yingqiao.spec import load_edition
from yingqiao.store.balances import balance_of
from yingqiao.store.database import Database, open_database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.ledger import Ledger
from yingqiao.store.reconciliation import keep
from yingqiao.store.schema import exams

CODE, KEY, DAY = "12140000MB00000005", "2a77be8ebc9c90cd25ccd1d31dce7a77", "2026-01-01"
_PART = 20_000
_TEXTS = (
    *("last_change_time", "patient_name", "patient_id", "his_patient_id", "id_number", "sex", "age"),
    *("lab_num", "item_name", "patient_from", "state", "waiting_for", "waiting_on"),
)


def registry(database: Database) -> HospitalRegistry:
    return HospitalRegistry(database, MasterKey(b"m" * 32))


def fill(database: Database, rows: int) -> None:
    """A hospital with `rows` exams of one day, E0000000 on."""
    registry(database).add(CODE, "某某医院", KEY)
    for start in range(0, rows, _PART):
        with database.write() as connection:
            connection.execute(insert(exams), [_exam(n) for n in range(start, min(rows, start + _PART))])


def _exam(number: int) -> dict[str, Any]:
    return dict.fromkeys(_TEXTS, "") | {
        "hospital_code": CODE,
        "ris_study_id": f"E{number:07d}",
        "submission_id": number,
        "deleted": False,
        "accession_numbers": f",A{number:07d},",
        "study_uids": f",1.2.826.0.1.3680043.9.{number},",
        "modality": "CT",
        "img_exam_type": "2",
        "is_emergency": False,
        "exam_time": f"{DAY} 08:00:00",
        "first_received_at": 0,
        "updated_at": 0,
        "link_due": False,
        "image_count": 3,
        "report_count": 1,
    }


def body(ids: int, rows: int) -> bytes:
    """A statement of `ids` ids, the last tenth of which the ledger does not have."""
    first = max(0, rows - ids + ids // 10)
    listed = [f"E{number:07d}" for number in range(first, first + ids)]
    said = {
        "hospitalCode": CODE,
        "date": DAY,
        "examInfo": [{"imgExamType": "CT", "pushExamNum": ids, "study_uids": listed}],
    }
    cipher = sm4.encrypt_ecb(bytes.fromhex(KEY), json.dumps(said).encode())
    return json.dumps({"content": base64.b64encode(cipher).decode()}).encode()


def answered(where: str, raw: bytes) -> int:
    """One statement from body to answer, durable; how many are missing."""
    database = open_database(where)
    edition = load_edition("shanxi/v2_1")
    receiver = StatementReceiver(edition.id, edition.messages, registry(database))
    taken = receiver.take(raw, peer="10.0.0.1", received_at=int(time.time() * 1000))
    done = keep(database, Ledger(database), taken)
    answer("0", done.message, done.missing, taken.key)
    database.close()
    return len(done.missing)


def balanced(where: str, _: bytes) -> int:
    """The whole balance of the day; how many rows of the ledger the hospital did not list."""
    database = open_database(where)
    with database.read() as connection:
        found = balance_of(connection, CODE, DAY)
    database.close()
    return found.unlisted_count


def measure(what: Callable[[str, bytes], int], where: str, raw: bytes) -> tuple[float, float, int]:
    """Seconds, MB of peak memory, and the result, in a fresh process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(what, where, raw, queue))
    process.start()
    found: tuple[float, float, int] = queue.get(timeout=600)
    process.join()
    return found


def _measured(what: Callable[[str, bytes], int], where: str, raw: bytes, queue: Any) -> None:
    began = time.perf_counter()
    result = what(where, raw)
    seconds = time.perf_counter() - began
    queue.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, result))


def run(where: str, ids: int, rows: int) -> list[tuple[str, float, float, int]]:
    """Fill, then measure both."""
    database = open_database(where)
    database.migrate()
    fill(database, rows)
    database.close()
    raw = body(ids, rows)
    return [
        ("answer", *measure(answered, where, raw)),
        ("balance", *measure(balanced, where, raw)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ids", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(given.database or str(Path(folder)), given.ids, given.rows)
    for name, seconds, size, result in figures:
        print(f"{name:8} {given.ids} ids, {given.rows} rows: {seconds:.2f} s, {size:.0f} MB, found {result}")
    (_, answering, *_), _ = figures
    raise SystemExit(answering >= 2 or max(size for _, _, size, _ in figures) >= 300)


if __name__ == "__main__":
    main()
