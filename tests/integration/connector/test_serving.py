"""The connector asked by a gateway's own caller of hospitals: /exam/get, /report/get, /series/get (四(二)3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, exam
from tests.helpers.connector import Ris, beijing
from tests.helpers.ports import free_port
from tests.integration.connector.conftest import HospitalMaker
from tests.peers.pacs import Dcmqrscp, study
from yingqiao.client import BadKey, ExamQuestion, HospitalSystem, Refused, ReportQuestion, SeriesQuestion
from yingqiao.hospital.config import read_config
from yingqiao.hospital.service import Connector
from yingqiao.hospital.sources import open_source

Served = Callable[..., tuple[str, Ris]]


@pytest.fixture
def serve(make_hospital: HospitalMaker) -> Iterator[Served]:
    running: list[Connector] = []

    def start(encryption: str = "sm4", **settings: dict[str, object]) -> tuple[str, Ris]:
        port = free_port()
        serving = {"host": "127.0.0.1", "port": port, "encryption": encryption} | settings.pop("serve", {})
        hospital = make_hospital(f"http://127.0.0.1:{free_port()}", serve=serving, **settings)
        connector = Connector(read_config(hospital.config), open_source)
        running.append(connector)
        connector.start()
        return f"http://127.0.0.1:{port}", hospital.ris

    yield start
    for connector in running:
        connector.stop()


def test_pages_in_a_stable_order_whole_and_once(serve: Served):
    """T101, T102: no total; page until one is short; the same order each time."""
    url, ris = serve("plain")
    ris.add_exams(*range(125))
    with HospitalSystem(url, page_size=25) as system:
        question = ExamQuestion(beijing(days=1), beijing(hours=-1))
        told = [row["risStudyId"] for row in system.exams(question)]
        assert sorted(told) == [f"E{n:05}" for n in range(125)]
        assert [row["risStudyId"] for row in system.exams(question)] == told
        assert [row["risStudyId"] for row in system.page(question, 3, 25)] == told[50:75]
        assert system.page(question, 9, 25) == []


def test_filters_and_bounds(serve: Served):
    """T103, T105: start inclusive; applyId, patientId, reportId."""
    url, ris = serve("plain")
    ris.add_exams(1, 2, at="2026-11-20 08:00:00")
    ris.add_exams(3, at="2026-11-21 08:00:00", patientId="P3")
    with HospitalSystem(url) as system:

        def exams(**asked: str) -> set[str]:
            window = {"start": "2026-11-20 08:00:00", "end": "2026-11-22 00:00:00"} | asked
            return {row["risStudyId"] for row in system.exams(ExamQuestion(**window))}

        assert exams() == {"E00001", "E00002", "E00003"}
        assert exams(end="2026-11-21 08:00:00") == {"E00001", "E00002"}
        assert exams(patient_id="P3") == {"E00003"}
        assert exams(apply_id="LE00002") == {"E00002"}
        asked = ReportQuestion("2026-11-20 00:00:00", "2026-11-22 00:00:00", report_id="R00003")
        assert [row["recordNum"] for row in system.reports(asked)] == ["R00003"]


def test_the_answer_sealed_too(serve: Served):
    """T100: when both sides agreed so."""
    url, ris = serve("sm4", serve={"seal_content": True})
    ris.add_exams(1)
    assert "E00001" not in httpx.post(f"{url}/exam/get", json={}, trust_env=False).text
    with HospitalSystem(url, KEY_HEX, HOSPITAL) as system:
        told = list(system.exams(ExamQuestion(beijing(days=1), beijing(hours=-1))))
        assert [row["risStudyId"] for row in told] == ["E00001"]


def test_sealed_as_agreed(serve: Served):
    """T100: with the SM4 envelope agreed, nothing else is answered."""
    url, ris = serve("sm4")
    ris.add_exams(1)
    question = ExamQuestion(beijing(days=1), beijing(hours=-1))
    with HospitalSystem(url, KEY_HEX, HOSPITAL) as system:
        assert [row["risStudyId"] for row in system.exams(question)] == ["E00001"]
    with HospitalSystem(url, KEY_HEX[::-1], HOSPITAL) as system, pytest.raises((BadKey, Refused)):
        list(system.exams(question))
    with HospitalSystem(url) as system, pytest.raises(Refused):
        list(system.exams(question))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 200),
        (b"[]", 200),
        (b'{"pageNum": 0}', 200),
        (b'{"pageNum": "x"}', 200),
        (b'{"startTime": "yesterday"}', 200),
        (b'{"applyId": ["a"]}', 200),
        (b'{"startTime": "2026-11-22 00:00:00", "endTime": "2026-11-20 00:00:00"}', 200),
        (b'{"applyId": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_bad_requests_get_the_standards_form(serve: Served, body: bytes, status: int):
    url, _ = serve("plain")
    answer = httpx.post(f"{url}/exam/get", content=body, trust_env=False)
    assert answer.status_code == status
    said = answer.json()
    assert said["code"] == 0
    assert said["message"]
    assert httpx.post(f"{url}/series/get", json={}, trust_env=False).json()["code"] == 0


def test_series_of_a_folder(serve: Served, tmp_path: Path):
    """四(二)3: start inclusive, end exclusive, days; the members of /images/list."""
    folder = tmp_path / "pacs"
    folder.mkdir()
    for n, content in enumerate(study("1.2.3", 2, 2) + study("1.2.4", 1, 1, StudyDate="20260302")):
        (folder / f"{n} 号.dcm").write_bytes(content)
    (folder / "readme.txt").write_text("no image")
    images = {
        "mode": "folder",
        "folder": str(folder),
        "base_url": "http://pacs/files",
        "settle_seconds": 0,
    }
    url, _ = serve("plain", images=images)
    with HospitalSystem(url) as system:
        told = list(system.series(SeriesQuestion("2026-03-01", "2026-03-02")))
        assert [row["SERIESIUID"] for row in told] == ["1.2.3.1", "1.2.3.2"]
        assert told[0]["FILEPATH"] == [f"http://pacs/files/{n}%20%E5%8F%B7.dcm" for n in (0, 1)]
        assert told[0]["PATIENTNAME"] == "张三"
        assert len(list(system.series(SeriesQuestion(accession_number="A1")))) == 3


@pytest.mark.peer
def test_series_of_a_pacs(serve: Served, tmp_path: Path):
    """四(二)3: C-FIND at series level."""
    pacs = Dcmqrscp(tmp_path / "pacs")
    pacs.start()
    try:
        later = study("1.2.4", 1, 1, StudyDate="20260305", AccessionNumber="A2")
        pacs.keep([*study("1.2.3", 2, 2), *later])
        asked = {"host": "127.0.0.1", "port": pacs.port, "called_aet": pacs.aet}
        url, ris = serve("plain", pacs=asked)
        ris.put("exam", exam("E2", labNum="L2", accessionNumber="A2"))
        with HospitalSystem(url) as system:
            told = list(system.series(SeriesQuestion("2026-03-01", "2026-03-05")))
            assert [row["SERIESIUID"] for row in told] == ["1.2.3.1", "1.2.3.2"]
            assert told[0]["PATIENTNAME"] == "张三"
            found = list(system.series(SeriesQuestion(apply_id="L2")))
            assert [row["SERIESIUID"] for row in found] == ["1.2.4.1"]
            with pytest.raises(Refused):
                list(system.series(SeriesQuestion()))
    finally:
        pacs.stop()
