"""Pulling from real PACS (Q/R 模式, T52, T92): what is short comes, what is wrong is said."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.integration.pacs.rig import AET, LIMITS, Rig
from tests.integration.pacs.scripted import ScriptedPacs
from tests.integration.store.link_world import HOSPITAL, OTHER
from tests.peers.pacs import ROOT, Dcmqrscp, OrthancPacs, instance, study
from yingqiao.dicom.query_retrieve.node import Limits
from yingqiao.exchange.pacs import RetrieveBy
from yingqiao.exchange.work import ErrorClass, LineLimits, WorkError
from yingqiao.store.expectations import read
from yingqiao.store.pacs import get_node

pytestmark = pytest.mark.peer
MakeOrthanc = Callable[..., OrthancPacs]
MakeDcmqrscp = Callable[..., Dcmqrscp]
UID = f"{ROOT}.1"


def known_orthanc(make: MakeOrthanc, rig: Rig, instances: list[bytes], **settings: object) -> OrthancPacs:
    """An Orthanc with the instances, which knows the gateway, and is known to it."""
    pacs = make(**settings)
    pacs.keep(instances)
    pacs.knows(AET, rig.port)
    rig.node(pacs.address)
    return pacs


def test_an_audited_report_brings_its_images_by_move(rig: Rig, make_orthanc: MakeOrthanc):
    known_orthanc(make_orthanc, rig, study(UID, 2, 5))
    exam = rig.audited()
    assert rig.exam_state(exam) == "waiting-images"
    (asked,) = rig.works()
    task = rig.pull(exam=asked["payload"]["exam"])
    assert rig.count(UID) == rig.rows() == 10
    assert (task.state.done, task.state.total) == (10, 10)
    assert rig.exam_state(exam) == "complete"
    with rig.database.read() as connection:
        told = read(connection, [UID])[UID]
    assert {one.series_uid: one.expected for one in told} == {f"{UID}.1": 5, f"{UID}.2": 5, "": 10}
    assert [w["key"] for w in rig.works()] == [f"exam:{exam}@main", f"exam:{exam}@main+1"]


def test_and_by_dcmqrscp(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    """dcmqrscp counts nothing: the gateway counts its instances itself."""
    pacs = make_dcmqrscp(destinations={AET: rig.port})
    pacs.keep(study(UID, 2, 4))
    rig.node(pacs.address)
    exam = rig.audited()
    rig.pull(exam=exam)
    assert rig.count(UID) == 8
    assert rig.exam_state(exam) == "complete"


def test_a_short_study_is_brought_up_to_the_pacs(rig: Rig, make_orthanc: MakeOrthanc):
    """Counts per series: only what is missing is asked for again."""
    images = study(UID, 2, 6)
    pacs = known_orthanc(make_orthanc, rig, images[:4])
    exam = rig.audited()
    rig.pull(exam=exam)
    assert rig.count(UID) == 4
    pacs.keep(images[4:])
    rig.pull(exam=exam, look=1)
    assert rig.count(UID) == rig.rows() == 12
    assert rig.landed() == 12, "something was sent again"
    assert [w["payload"].get("look") for w in rig.works()] == [None, 1, 2]


def test_growth_at_the_last_look_starts_the_looks_again(rig: Rig, make_orthanc: MakeOrthanc):
    pacs = known_orthanc(make_orthanc, rig, study(UID, 1, 2))
    exam = rig.audited()
    rig.pull(exam=exam)
    pacs.keep([instance(UID, 1, 3)])
    rig.pull(exam=exam, look=2)
    assert rig.count(UID) == 3
    assert [w["payload"].get("look") for w in rig.works()] == [None, 1]
    rig.pull(exam=exam, look=2)
    assert len(rig.works()) == 2


@pytest.mark.parametrize("allowed", [True, False], ids=["A801", "aborts"])
def test_get_where_the_pacs_does_not_know_us(rig: Rig, make_orthanc: MakeOrthanc, allowed: bool):
    """No C-MOVE to us; C-GET works, and is remembered."""
    pacs = make_orthanc(DicomAlwaysAllowMove=allowed)
    pacs.keep(study(UID, 2, 3))
    rig.node(pacs.address)
    exam = rig.audited()
    rig.pull(exam=exam)
    assert rig.count(UID) == 6
    with rig.database.read() as connection:
        assert get_node(connection, "12140000MB0000001X", "main").options.learned == "get"
    assert rig.exam_state(exam) == "complete"


def test_move_only_says_what_to_register(rig: Rig, make_orthanc: MakeOrthanc):
    pacs = make_orthanc(DicomAlwaysAllowMove=True)
    pacs.keep(study(UID, 1, 1))
    rig.node(pacs.address, retrieve_by=RetrieveBy.MOVE)
    exam = rig.audited()
    with pytest.raises(WorkError) as failure:
        rig.pull(exam=exam)
    assert failure.value.error_class is ErrorClass.THEIRS
    assert f"登记 AET={AET} IP=127.0.0.1 端口={rig.port}" in failure.value.reason


def test_images_that_went_elsewhere_are_noticed(
    rig: Rig, make_orthanc: MakeOrthanc, storescp: tuple[int, object]
):
    """The PACS says success; nothing came here: its entry for our AE leads to another machine."""
    pacs = make_orthanc()
    pacs.keep(study(UID, 1, 3))
    pacs.knows(AET, storescp[0])
    rig.node(pacs.address, retrieve_by=RetrieveBy.MOVE)
    exam = rig.audited()
    with pytest.raises(WorkError, match="PACS 报告已发送 3 幅，本机收到 0 幅") as failure:
        rig.pull(exam=exam)
    assert failure.value.error_class is ErrorClass.THEIRS


def test_a_study_not_there_waits_and_suggests(rig: Rig, make_orthanc: MakeOrthanc):
    known_orthanc(make_orthanc, rig, study(UID, 1, 2, AccessionNumber="A1X", StudyDate="20260301"))
    exam = rig.audited()
    with pytest.raises(WorkError) as failure:
        rig.pull(exam=exam)
    assert failure.value.error_class is ErrorClass.THEIRS
    assert "没有找到" in failure.value.reason
    assert UID in failure.value.reason
    assert "张三" not in failure.value.reason
    assert rig.count() == 0


def test_another_patient_with_the_number_years_ago_is_left_there(rig: Rig, make_orthanc: MakeOrthanc):
    old = study(f"{ROOT}.9", 1, 2, PatientID="P77", PatientName="王五", StudyDate="20150101")
    known_orthanc(make_orthanc, rig, [*old, *study(UID, 1, 2)])
    exam = rig.audited()
    rig.pull(exam=exam)
    assert rig.count() == rig.count(UID) == 2


def test_study_uid_and_access_no_find_too(rig: Rig, make_orthanc: MakeOrthanc):
    """T52: studyUid where no number is usable; ACCESS_NO as the last try."""
    other = study(f"{ROOT}.2", 1, 2, AccessionNumber="R2")
    known_orthanc(make_orthanc, rig, [*study(UID, 1, 2, AccessionNumber=""), *other])
    by_uid = rig.audited(1, accession_numbers=("0",), study_uids=(UID,))
    rig.pull(exam=by_uid)
    assert rig.count(UID) == 2
    by_report = rig.audited(2, accession_numbers=())
    rig.pull(exam=by_report)
    assert rig.count(f"{ROOT}.2") == 2


def test_a_listed_study_that_is_not_there_yet(rig: Rig, make_orthanc: MakeOrthanc):
    """T49: of two listed studies one is brought, and the other asked for until it is there."""
    pacs = known_orthanc(make_orthanc, rig, study(UID, 1, 2))
    other = f"{ROOT}.4"
    exam = rig.audited(study_uids=(UID, other))
    with pytest.raises(WorkError, match=other) as failure:
        rig.pull(exam=exam)
    assert failure.value.error_class is ErrorClass.THEIRS
    assert rig.count(UID) == 2
    pacs.keep(study(other, 1, 1, AccessionNumber=""))
    rig.pull(exam=exam)
    assert rig.exam_state(exam) == "complete"


def test_two_nodes_each_bring_what_they_have(
    rig: Rig, make_orthanc: MakeOrthanc, make_dcmqrscp: MakeDcmqrscp
):
    known_orthanc(make_orthanc, rig, study(UID, 1, 2))
    second = make_dcmqrscp(destinations={AET: rig.port})
    second.keep(study(f"{ROOT}.5", 1, 3))
    rig.node(second.address, "second")
    exam = rig.audited()
    assert [w["key"] for w in rig.works()] == [f"exam:{exam}@main", f"exam:{exam}@second"]
    rig.pull("main", exam=exam)
    rig.pull("second", exam=exam)
    assert (rig.count(UID), rig.count(f"{ROOT}.5")) == (2, 3)


def test_two_hospitals_share_a_pacs(rig: Rig, make_orthanc: MakeOrthanc):
    """Both have an exam of the same number: each hospital's pull brings its own patient's, and no other's."""
    theirs = {"PatientID": "P9", "PatientName": "王五"}
    both = [*study(UID, 1, 2), *study(f"{ROOT}.6", 1, 3, **theirs)]
    pacs = known_orthanc(make_orthanc, rig, both)
    rig.node(pacs.address, hospital=OTHER)
    first = rig.audited()
    facts = {"patient_id": "P9", "his_patient_id": "H9", "patient_name": "王五"}
    second = rig.audited(2, hospital_code=OTHER, accession_numbers=("A1",), **facts)
    rig.pull(exam=first)
    rig.pull(hospital=OTHER, exam=second)
    assert rig.owners() == {UID: HOSPITAL, f"{ROOT}.6": OTHER}
    assert [rig.exam_state(exam) for exam in (first, second)] == ["complete", "complete"]
    assert rig.count(UID) == 2
    assert rig.landed() == 5


def test_a_node_that_has_nothing_is_content_when_another_had_it(
    rig: Rig, make_orthanc: MakeOrthanc, make_dcmqrscp: MakeDcmqrscp
):
    known_orthanc(make_orthanc, rig, study(UID, 1, 2))
    rig.node(make_dcmqrscp(destinations={AET: rig.port}).address, "empty")
    exam = rig.audited()
    with pytest.raises(WorkError):
        rig.pull("empty", exam=exam)
    rig.pull("main", exam=exam)
    assert rig.exam_state(exam) == "complete"
    rig.pull("empty", exam=exam)


def test_a_pacs_that_is_down_is_a_passing_fault(rig: Rig, make_orthanc: MakeOrthanc):
    pacs = known_orthanc(make_orthanc, rig, study(UID, 1, 2))
    exam = rig.audited()
    pacs.stop()
    with pytest.raises(WorkError, match="拒绝连接") as failure:
        rig.pull(exam=exam)
    assert failure.value.error_class is ErrorClass.PASSING
    pacs.start()
    rig.pull(exam=exam)
    assert rig.count(UID) == 2


def test_what_a_person_asks_for(rig: Rig, make_orthanc: MakeOrthanc):
    """By study, accession number, or patient and day; and of a study one series."""
    other = study(f"{ROOT}.2", 1, 2, AccessionNumber="A2", PatientID="P2", StudyDate="20260305")
    third = study(f"{ROOT}.3", 1, 2, AccessionNumber="A3", PatientID="P2", StudyDate="20250305")
    known_orthanc(make_orthanc, rig, [*study(UID, 2, 2), *other, *third])
    rig.pull(study=UID, series=[f"{UID}.2"])
    assert rig.count() == 2
    rig.pull(accession="A1")
    assert rig.count() == 4
    rig.pull(patient="P2", day="20260305")
    assert rig.count() == 6
    assert rig.count(f"{ROOT}.2") == 2


def test_bandwidth_is_kept(rig: Rig, make_orthanc: MakeOrthanc):
    pacs = make_orthanc()
    pacs.keep(study(UID, 2, 4, side=64))
    pacs.knows(AET, rig.port)
    rig.node(pacs.address, limits=LineLimits(bytes_per_second=50_000))
    exam = rig.audited()
    rig.pull(exam=exam)
    assert rig.count(UID) == 8


def scripted(rig: Rig, **given: float) -> ScriptedPacs:
    pacs = ScriptedPacs(study(UID, 1, 2), (AET, rig.port), **given)
    rig.node(pacs.address)
    return pacs


@pytest.mark.long
def test_a_move_that_is_silent_for_more_than_thirty_seconds(make_rig: Callable[..., Rig]):
    """Tape libraries take their time; a limit of 30 s between responses, common elsewhere, would end it."""
    rig = make_rig(limits=Limits(response=120.0))
    pacs = scripted(rig, silence=31.0)
    try:
        pacs.held = pacs.held[:1]
        rig.pull(exam=rig.audited())
    finally:
        pacs.close()
    assert rig.count(UID) == 1
    assert pacs.moves == 1


def test_a_pacs_that_accepts_a_move_and_never_answers(make_rig: Callable[..., Rig]):
    rig = make_rig(limits=replace(LIMITS, response=2.0))
    pacs = scripted(rig)
    pacs.stuck.set()
    exam = rig.audited()
    try:
        with pytest.raises(WorkError, match="没有应答") as failure:
            rig.pull(exam=exam)
        assert failure.value.error_class is ErrorClass.PASSING
        pacs.stuck.clear()
        rig.puller._rules = replace(rig.puller._rules, limits=LIMITS)
        rig.pull(exam=exam)
    finally:
        pacs.close()
    assert rig.count(UID) == rig.rows() == 2


def test_names_in_gb18030_are_read_and_compared(rig: Rig):
    """昞 ends in the byte of a backslash; patient numbers that differ are outweighed by the equal name."""
    pacs = ScriptedPacs(study(UID, 1, 2, PatientName="李昞", PatientID="OTHER"), (AET, rig.port))
    rig.node(pacs.address)
    try:
        rig.pull(exam=rig.audited(patient_name="李昞"))
    finally:
        pacs.close()
    assert rig.count(UID) == 2


def test_a_full_disk_is_ours_and_passes(rig: Rig, make_orthanc: MakeOrthanc):
    """Nothing is asked for while it cannot be kept; freed, it comes."""
    known_orthanc(make_orthanc, rig, study(UID, 1, 2))
    exam = rig.audited()
    rig.landing._reserve_bytes = 2**62
    with pytest.raises(WorkError, match="磁盘") as failure:
        rig.pull(exam=exam)
    assert failure.value.error_class is ErrorClass.OURS
    rig.landing._reserve_bytes = 0
    time.sleep(0.5)
    rig.pull(exam=exam)
    assert rig.count(UID) == 2


def test_a_study_of_many_instances(rig: Rig, make_orthanc: MakeOrthanc):
    """1,000 instances, 3 of which come to the PACS later: those three alone are asked for."""
    pacs = known_orthanc(make_orthanc, rig, study(UID, 1, 997))
    exam = rig.audited()
    rig.pull(exam=exam)
    pacs.keep([instance(UID, 1, number) for number in range(998, 1001)])
    rig.pull(exam=exam, look=1)
    assert rig.count(UID) == rig.landed() == 1000
