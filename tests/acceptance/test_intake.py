"""The intake interfaces from outside, over real HTTP: what a hospital's engineer sees."""

from __future__ import annotations

import base64
import gzip
import json
import time

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, envelope, exam, report
from tests.peers.gateway import RunningGateway

PATHS = ["/exam-sync", "/report/sync", "/examMergeReport-sync"]


def sealed(record: dict[str, object], **changes: object) -> bytes:
    return json.dumps(json.loads(envelope(record)) | changes).encode()


def test_an_exam_is_accepted_with_an_integer_code(shared_gateway: RunningGateway) -> None:
    """三(一) 返回值, T08, T10: HTTP 200, code is the integer 1."""
    answer = shared_gateway.post("/exam-sync", envelope(exam("E1")), encryption_type="SM4")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["code"] == 1
    assert type(answer.json()["code"]) is int
    assert set(answer.json()) == {"code", "message", "content"}


def test_a_report_and_a_merged_upload_are_accepted(shared_gateway: RunningGateway) -> None:
    """四(二)1.(2), (3)."""
    assert shared_gateway.push("/report/sync", report("R1", "E1"))["code"] == 1
    merged = {"patient": exam("E2"), "report": report("R2", "E2")}
    assert shared_gateway.push("/examMergeReport-sync", merged)["code"] == 1


@pytest.mark.parametrize("path", ["/exam/sync", "/report-sync", "/examMergeReport/sync"])
def test_aliases_are_served(shared_gateway: RunningGateway, path: str) -> None:
    """T14."""
    assert shared_gateway.post(path, b"{}").status_code in (200, 400)


@pytest.mark.parametrize("missing", ["data", "hospitalCode", "timestamp", "signature"])
def test_all_four_members_are_required(shared_gateway: RunningGateway, missing: str) -> None:
    """T01."""
    body = json.loads(envelope(exam("E3")))
    del body[missing]
    answer = shared_gateway.post("/exam-sync", json.dumps(body).encode())
    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    assert missing in answer.json()["message"]


@pytest.mark.parametrize(
    "form", [lambda s: s, int, lambda s: str(int(s) * 1000), lambda s: str(int(s) + 28800)]
)
def test_timestamps_hospitals_really_send_are_accepted(shared_gateway: RunningGateway, form: object) -> None:
    """T03: string or number; milliseconds and an offset of eight hours with a warning."""
    body = json.loads(envelope(exam("E4")))
    stamp = form(body["timestamp"])  # type: ignore[operator]
    resigned = _signed(body["data"], str(stamp)) | {"timestamp": stamp}
    answer = shared_gateway.post("/exam-sync", json.dumps(resigned).encode()).json()
    assert answer["code"] == 1
    if stamp != body["timestamp"] and str(stamp) != body["timestamp"]:
        assert any(finding["field"] == "timestamp" for finding in answer["content"]["findings"])


def _signed(data: str, timestamp: str) -> dict[str, object]:
    import hashlib

    signature = hashlib.sha1((data + HOSPITAL + timestamp).encode()).hexdigest().upper()
    return {"hospitalCode": HOSPITAL, "data": data, "timestamp": timestamp, "signature": signature}


def test_an_unknown_encryption_type_is_refused_clearly(shared_gateway: RunningGateway) -> None:
    """T05: absent means SM4, an unknown value answers code 0."""
    assert shared_gateway.post("/exam-sync", envelope(exam("E5"))).json()["code"] == 1
    answer = shared_gateway.post("/exam-sync", envelope(exam("E5")), encryption_type="AES")
    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    assert "AES" in answer.json()["message"]


def test_an_array_of_records_is_refused_clearly(shared_gateway: RunningGateway) -> None:
    """T18: one record per call."""
    answer = shared_gateway.push("/exam-sync", [exam("E6"), exam("E7")])  # type: ignore[arg-type]
    assert answer["code"] == 0
    assert "一条" in answer["message"]


def test_a_refusal_lists_every_finding_with_http_200(shared_gateway: RunningGateway) -> None:
    """T11: HTTP 200, code 0, a precise message; all findings in content."""
    answer = shared_gateway.post("/exam-sync", envelope(exam("", patName="", sex="9X")))
    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    findings = answer.json()["content"]
    assert {"risStudyId", "patName"} <= {finding["field"] for finding in findings}
    assert all({"field", "label", "rule", "level", "problem", "mend"} <= set(finding) for finding in findings)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"<xml/>", b"[" * 100_000])
def test_what_is_no_json_answers_400_with_json(
    shared_gateway: RunningGateway, path: str, body: bytes
) -> None:
    answer = shared_gateway.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == 0
    assert answer.json()["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_answer_405(shared_gateway: RunningGateway, method: str) -> None:
    """T07: POST."""
    answer = httpx.request(method, f"{shared_gateway.url}/exam-sync")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == 0


def test_a_compressed_body_is_refused_clearly(shared_gateway: RunningGateway) -> None:
    answer = shared_gateway.post("/exam-sync", gzip.compress(envelope(exam("E8"))), content_encoding="gzip")
    assert answer.status_code == 415
    assert "gzip" in answer.json()["message"]


def test_a_large_report_is_opened_and_its_pdf_kept_outside_the_row(shared_gateway: RunningGateway) -> None:
    pdf = b"%PDF-1.4\n" + bytes(range(256)) * 8192 + b"\n%%EOF\n"
    body = report("R9", "E9", reportPdfBase64=base64.b64encode(pdf).decode())
    assert shared_gateway.push("/report/sync", body)["code"] == 1
    kept = [path for path in (shared_gateway.data / "objects").rglob("*") if path.is_file()]
    assert pdf in [path.read_bytes() for path in kept]


def test_unknown_addresses_answer_404_with_json(shared_gateway: RunningGateway) -> None:
    answer = shared_gateway.post("/exam-syncc", b"{}")
    assert (answer.status_code, answer.json()["code"]) == (404, 0)


def test_a_disabled_hospital_is_refused_until_enabled(shared_gateway: RunningGateway) -> None:
    assert shared_gateway.cli("hospitals", "disable", HOSPITAL).returncode == 0
    assert _eventually(shared_gateway, 0)
    assert shared_gateway.cli("hospitals", "enable", HOSPITAL).returncode == 0
    assert _eventually(shared_gateway, 1)


def _eventually(gateway: RunningGateway, code: int, **sealing: str) -> bool:
    """Whether pushes are answered with `code` soon: it follows the commands, within a second on a quiet machine."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if gateway.push("/exam-sync", exam("E10"), **sealing)["code"] == code:
            return True
        time.sleep(0.1)
    return False


def test_keys_rotate_with_an_overlap(shared_gateway: RunningGateway) -> None:
    """The old key opens until its overlap ends; the new one at once."""
    second, third = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"

    def rotate(key_hex: str, overlap: str) -> None:
        words = ("hospitals", "rotate-key", HOSPITAL, "--sm4-key", key_hex, "--overlap", overlap)
        done = shared_gateway.cli(*words)
        assert done.returncode == 0, done.stderr

    rotate(second, "1h")
    assert _eventually(shared_gateway, 1, key_hex=second)
    assert shared_gateway.push("/exam-sync", exam("E11"), key_hex=KEY_HEX)["code"] == 1
    rotate(third, "2s")
    assert _eventually(shared_gateway, 1, key_hex=third)
    assert _eventually(shared_gateway, 0, key_hex=second)
    assert shared_gateway.push("/exam-sync", exam("E11"), key_hex=third)["code"] == 1
    rotate(KEY_HEX, "0s")
    assert _eventually(shared_gateway, 1)
