"""Images that a PACS serves as files, listed by the connector and fetched by the gateway (四(二)2(3), T94)."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from tests.helpers.connector import BEIJING, until
from tests.helpers.days import wait_for_a_day_that_lasts
from tests.integration.connector.conftest import HospitalMaker
from tests.peers.gateway import RunningGateway
from tests.peers.nginx import nginx
from tests.peers.pacs import Dcmqrscp, study
from tests.unit.exchange import records
from yingqiao.hospital.images.patient import is_whole, with_patient
from yingqiao.hospital.source import SourceRecord, Table
from yingqiao.hospital.spool.intake import keep
from yingqiao.hospital.spool.store import open_spool


def arrived(gateway: RunningGateway) -> set[str]:
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=120) as db:
        return {row[0] for row in db.execute("SELECT sop_uid FROM instances")}


@pytest.mark.peer
def test_a_pacs_is_listed_and_refused_addresses_are_told(
    tmp_path: Path, shared_gateway: RunningGateway, make_hospital: HospitalMaker
):
    """Found by C-FIND, listed by /images/list; an address the gateway may not fetch waits in the worklist with its
    reason, and arrives once the host is registered and the list sent again. A day of history comes by its exams.
    """
    files = tmp_path / "files"
    files.mkdir()
    wait_for_a_day_that_lasts()
    today = f"{datetime.now(BEIJING):%Y%m%d}"
    born = {"PatientBirthDate": "19800101", "PatientSex": "F"}
    recent = study("1.2.3", 1, 2, StudyDate=today, **born)
    old = study("1.2.4", 1, 1, **born)
    for uid, content in zip(("1.2.3.1.1", "1.2.3.1.2", "1.2.4.1.1"), [*recent, *old], strict=True):
        (files / f"{uid}.dcm").write_bytes(content)
    pacs = Dcmqrscp(tmp_path / "pacs")
    pacs.start()
    gateway = shared_gateway
    try:
        pacs.keep([*recent, *old])
        with nginx(files, tmp_path / "nginx") as port:
            images = {
                "mode": "pacs",
                "address": f"http://127.0.0.1:{port}/{{instance}}.dcm",
                "scan_seconds": 0.5,
                "settle_seconds": 0.2,
            }
            asked = {"host": "127.0.0.1", "port": pacs.port, "called_aet": pacs.aet}
            hospital = make_hospital(gateway, own=True, images=images, pacs=asked)
            hospital.start()
            assert until(lambda: (s := hospital.status()) and s.refused == 1), hospital.log[-3000:]
            shown = json.loads(hospital.cli("worklist", "show", "images", "1.2.3.1", "--json").stdout)
            assert "2 个地址" in shown["item"]["reason"]
            assert {f"http://127.0.0.1:{port}/1.2.3.1.{n}.dcm" for n in (1, 2)} == {
                found["problem"].partition("：")[0] for found in shown["findings"]
            }
            place = f"http://127.0.0.1:{port}"
            assert gateway.cli("hospitals", "hosts", "add", hospital.code, place, "--private").returncode == 0
            assert hospital.cli("worklist", "resend", "--all").returncode == 0
            hospital.ris.add_exams(1, at="2026-03-01 09:00:00")
            assert until(lambda: arrived(gateway) == {"1.2.3.1.1", "1.2.3.1.2", "1.2.4.1.1"}), hospital.log
            assert until(lambda: (s := hospital.status()) and s.refused == 0)
    finally:
        pacs.stop()


def test_what_the_pacs_does_not_say_of_the_patient_comes_from_the_exam(tmp_path: Path):
    """T95: PATIENTNAME and PATIENTAGE are required, and many a PACS knows no birth date."""
    spool = open_spool(tmp_path)
    told = {"PATIENTNAME": "", "PATIENTAGE": "", "PATIENTSEX": "F", "STUDYIUID": "1.2.3"}
    assert with_patient(spool, [told]) == [told]
    exam = records.exam() | {"studyUid": "1.2.3", "patName": "张三", "sex": "1"}
    for age, unit, said in (("35", "Y", "035Y"), ("6", "M", "006M"), ("9", "H", "000D"), ("?", "Y", "")):
        keep(spool, "ris", [SourceRecord(Table.EXAM, "E1", exam | {"patAge": age, "ageUnit": unit}, "")])
        (whole,) = with_patient(spool, [told])
        assert whole == told | {"PATIENTNAME": "张三", "PATIENTAGE": said}
        assert is_whole(whole) == bool(said)
    spool.close()
