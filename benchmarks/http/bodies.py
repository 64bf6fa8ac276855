"""Sealed request bodies, made before the clock starts: whole exams, reports with 1 MB PDFs."""

from __future__ import annotations

import base64
import random
import time
from pathlib import Path

import orjson

from tests.unit.exchange.records import CODE, KEY, exam, report
from yingqiao.exchange.envelope import seal

KEY_HEX = KEY.hex()
HOSPITAL = CODE


def write_exams(path: Path, count: int) -> int:
    """`count` exams of 113 fields, one sealed body a line; the mean size of a body in bytes."""
    rng = random.Random(7)
    with path.open("wb") as stream:
        for number in range(count):
            changes = {
                "risStudyId": f"RIS{number:08d}",
                "studyUid": f"1.2.826.0.1.3680043.8.498.{rng.getrandbits(90)}",
                "accessionNumber": f"A{number:08d}",
                "labNum": f"L{number:08d}",
                "patientId": f"P{rng.randrange(10**7):07d}",
                "illnessSummary": f"咳嗽{rng.randrange(30)}天，{rng.getrandbits(160):x}",
            }
            stream.write(_sealed(exam(**changes)) + b"\n")
    return path.stat().st_size // count


def write_reports(path: Path, count: int, pdf_bytes: int = 1_000_000) -> int:
    """`count` reports with an embedded PDF that does not compress; the mean size of a body in bytes."""
    rng = random.Random(8)
    with path.open("wb") as stream:
        for number in range(count):
            pdf = b"%PDF-1.4\n" + rng.randbytes(pdf_bytes) + b"\n%%EOF\n"
            changes = {
                "recordNum": f"REC{number:08d}",
                "risStudyId": f"RIS{number:08d}",
                "reportPdfBase64": base64.b64encode(pdf).decode(),
            }
            stream.write(_sealed(report(**changes)) + b"\n")
    return path.stat().st_size // count


def _sealed(record: dict[str, object]) -> bytes:
    return orjson.dumps(seal(orjson.dumps(record), HOSPITAL, KEY, int(time.time())))
