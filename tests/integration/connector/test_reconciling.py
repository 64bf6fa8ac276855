"""The day's totals to a platform that knows the standard and nothing of our code (四(二)5, T150–T159)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.padding import PKCS7

from tests.acceptance.senders import KEY_HEX, exam
from tests.helpers.connector import BEIJING, Hospital, beijing, held, submissions, until
from tests.integration.connector.conftest import HospitalMaker
from tests.peers.gateway import RunningGateway
from yingqiao.hospital.spool.catalogue import let_go
from yingqiao.hospital.spool.store import open_spool


def _cipher() -> Cipher[modes.ECB]:
    return Cipher(SM4(bytes.fromhex(KEY_HEX)), modes.ECB())


class Platform:
    """Answers with the ids it is told to miss, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.missing: list[str] = []
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                platform.asked.append(platform.opened(self.path, body))
                answer = json.dumps({"status": "0", "message": "成功", "data": platform.sealed()}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def opened(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        assert path == "/statisticalData/upload"
        assert set(body) == {"content"}
        decryptor, unpadder = _cipher().decryptor(), PKCS7(128).unpadder()
        plain = decryptor.update(base64.b64decode(body["content"])) + decryptor.finalize()
        asked: dict[str, Any] = json.loads(unpadder.update(plain) + unpadder.finalize())
        return asked

    def sealed(self) -> str:
        encryptor, padder = _cipher().encryptor(), PKCS7(128).padder()
        plain = padder.update(json.dumps(self.missing).encode()) + padder.finalize()
        return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_totals_are_sent_and_what_is_missing_goes_again(
    platform: Platform, shared_gateway: RunningGateway, make_hospital: HospitalMaker
):
    """Missing ids are risStudyIds or study UIDs (T154); the day is that of checkFinishTime (T158)."""
    gateway = shared_gateway
    hospital = make_hospital(gateway, own=True, reconcile={"url": platform.url, "enabled": False})
    today = datetime.now(BEIJING).date()
    day = f"{today - timedelta(days=1)}"
    hospital.ris.add_exams(*range(6), at=f"{day} 09:00:00")
    hospital.ris.put(
        "exam",
        exam("M1", modality="MR", studyUid="1.2.77", checkFinishTime=f"{day} 23:59:59"),
        exam("D1", disableFlag=1, checkFinishTime=f"{day} 10:00:00"),
    )
    hospital.ris.add_exams(50, at=f"{today} 00:00:00")
    hospital.start()
    assert until(
        lambda: len(held(gateway, hospital.code)[0]) == 9 and len(held(gateway, hospital.code)[1]) == 7
    ), hospital.log[-3000:]
    before = len(submissions(gateway, code=hospital.code))
    platform.missing = ["E00003", "1.2.77", "GONE"]
    done = hospital.cli("reconcile", day, "--json")
    assert done.returncode == 0, done.stderr
    assert platform.asked[-1] == {
        "hospitalCode": hospital.code,
        "date": day,
        "examInfo": [
            {
                "imgExamType": "CT",
                "pushExamNum": 6,
                "pushReportNum": 6,
                "study_uids": [f"E{n:05}" for n in range(6)],
            },
            {"imgExamType": "MR", "pushExamNum": 1, "pushReportNum": 0, "study_uids": ["M1"]},
        ],
    }
    assert json.loads(done.stdout)["unknown"] == ["GONE"]
    assert until(lambda: len(submissions(gateway, code=hospital.code)) == before + 3)
    again = [
        exam_key or report_key
        for _, exam_key, report_key, _ in submissions(gateway, code=hospital.code)[before:]
    ]
    assert set(again) == {"E00003", "R00003", "M1"}
    # what the gateway has, the connector may not have noted yet, and would send once more
    assert until(lambda: (s := hospital.status()) and not s.waiting_live + s.waiting_backfill)
    hospital.stop()
    let_contents_go(hospital)
    hospital.ris.remove("exam", "M1")
    done = hospital.cli("reconcile", day, "--json")
    assert json.loads(done.stdout)["resent"] == 2
    assert "keep_days" in json.loads(done.stdout)["message"]
    assert "M1" in json.loads(done.stdout)["message"]
    assert "keep_days" in hospital.cli("status").stdout
    before = len(submissions(gateway, code=hospital.code))
    hospital.start()
    assert until(lambda: len(submissions(gateway, code=hospital.code)) == before + 2)


def let_contents_go(hospital: Hospital) -> None:
    """As after `spool.keep_days`."""
    spool = open_spool(hospital.spool)
    assert let_go(spool, keep_days=-1)
    spool.close()


def test_a_day_the_connector_missed_is_read_again(
    platform: Platform, shared_gateway: RunningGateway, make_hospital: HospitalMaker
):
    """Counting asks the sources anew: what was never read is found, counted and sent."""
    gateway = shared_gateway
    hospital = make_hospital(
        gateway, own=True, reconcile={"url": platform.url, "enabled": False}, reading={"first_days": 1}
    )
    day = beijing(days=5)[:10]
    hospital.ris.add_exams(1, 2, at=f"{day} 09:00:00")
    hospital.start()
    assert until(lambda: "source.caught_up" in hospital.log)
    assert held(gateway, hospital.code) == (set(), set())
    assert hospital.cli("reconcile", day).returncode == 0
    assert platform.asked[-1]["examInfo"][0]["study_uids"] == ["E00001", "E00002"]
    assert until(lambda: held(gateway, hospital.code) == ({"E00001", "E00002"}, {"R00001", "R00002"}))


def test_a_day_without_exams(
    platform: Platform, shared_gateway: RunningGateway, make_hospital: HospitalMaker
):
    """T159: an empty array."""
    hospital = make_hospital("http://127.0.0.1:9", reconcile={"url": platform.url, "enabled": False})
    done = hospital.cli("reconcile", "2026-01-01")
    assert done.returncode == 0, done.stderr
    assert platform.asked[-1]["examInfo"] == []
