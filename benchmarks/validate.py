"""CPU microseconds of each step of the pure middle, for a whole exam of 113 fields and a
report with a PDF of 1 MB.

`python -m benchmarks.validate` prints the machine, the versions and the best of several rounds.
"""

from __future__ import annotations

import platform
import sys
import time
import timeit
from collections.abc import Callable
from importlib.metadata import version

import orjson
import pybase64

from tests.unit.exchange.records import CODE, EDITION, KEY, NOW_MS, NOW_S, exam, receiver, report
from yingqiao.exchange.envelope import Window, open_envelope, parse, seal, sign
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.record import exam_row
from yingqiao.exchange.validate import compile_validator
from yingqiao.gm import sm4


def main() -> None:
    packages = " ".join(f"{name} {version(name)}" for name in ("orjson", "pybase64", "cryptography"))
    print(f"{platform.machine()} · Python {platform.python_version()} · {packages}")
    for name, step, count in _steps():
        print(f"{name:<44}{_best(step, count):>12.1f} µs")


def _best(step: Callable[[], object], count: int) -> float:
    return min(timeit.repeat(step, timer=time.process_time, number=count, repeat=9)) / count * 1e6


def _steps() -> list[tuple[str, Callable[[], object], int]]:
    record = exam()
    plain = orjson.dumps(record)
    sealed = seal(plain, CODE, KEY, NOW_S)
    raw = orjson.dumps(sealed)
    envelope, cipher = parse(raw), pybase64.b64decode(sealed["data"])
    validator = compile_validator(EDITION, "exam", Profile())
    values = validator(record).values
    faulty = exam(patName=None, sex="7", lastChangeTime="2025/12/31 8:00", idCard="1", bodyCode="X")
    take = receiver().take
    paper = pybase64.b64encode(b"%PDF-1.4\n" + bytes(1_000_000) + b"\n%%EOF").decode()
    large = orjson.dumps(seal(report(reportPdfBase64=paper), CODE, KEY, NOW_S))
    return [
        ("outer JSON", lambda: parse(raw), 2000),
        ("SHA-1", lambda: sign(sealed["data"], CODE, sealed["timestamp"]), 2000),
        ("base64", lambda: pybase64.b64decode(sealed["data"], validate=True), 2000),
        ("SM4/ECB", lambda: sm4.decrypt_ecb(KEY, cipher), 2000),
        ("inner JSON", lambda: orjson.loads(plain), 2000),
        ("open_envelope, all of it", lambda: open_envelope(envelope, (KEY,), NOW_MS, Window()), 2000),
        ("validate, 113 fields, no findings", lambda: validator(record), 2000),
        ("validate, 113 fields, five findings", lambda: validator(faulty), 2000),
        ("columns of an exam", lambda: exam_row(CODE, values), 2000),
        ("Receiver.take, exam", lambda: take("exam-sync", raw, peer="b", received_at=NOW_MS), 1000),
        (
            "Receiver.take, report with a 1 MB PDF",
            lambda: take("report-sync", large, peer="b", received_at=NOW_MS),
            5,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
