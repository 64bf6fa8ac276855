"""Which exam a study and a report belong to: the decision table of T48-T54 and T75, row by row."""

from __future__ import annotations

import pytest

from tests.unit.exchange.link_facts import exam, report, study
from yingqiao.exchange import link
from yingqiao.exchange.link import Decision, ExamFacts, StudyFacts, link_study, split_list


def made(decision: Decision) -> list[tuple[int, str]]:
    return [(one.exam_id, str(one.rule)) for one in decision.links]


def findings(exam_facts: ExamFacts, study_facts: StudyFacts) -> tuple[str, ...]:
    return link_study(study_facts, [exam_facts], {}).links[0].findings


def test_t48_study_uid_links_before_everything_else() -> None:
    """T48: studyUid is the DICOM UID; an exam that names it wins over one that only shares the number."""
    exams = [exam(id=1, accession_numbers=("A1",)), exam(id=2, study_uids=("1.2.3",), accession_numbers=())]
    assert made(link_study(study(), exams, {})) == [(2, "study-uid")]


def test_t49_one_of_several_study_uids() -> None:
    """T49: 多份报告合并检查 names several studies."""
    exams = [exam(study_uids=("9.9", "1.2.3"))]
    assert made(link_study(study(), exams, {})) == [(1, "study-uid")]


def test_t49_one_study_for_several_exams() -> None:
    exams = [exam(id=1, study_uids=("1.2.3",)), exam(id=2, study_uids=("1.2.3",))]
    assert made(link_study(study(), exams, {})) == [(1, "study-uid"), (2, "study-uid")]


@pytest.mark.parametrize("text", ["A1,A2", "A1，A2", ",A1,A2,", " A1 ， A2 ,A1", "A1,,A2"])
def test_t50_both_commas(text: str) -> None:
    """T50."""
    assert split_list(text) == ("A1", "A2")


def test_t52_accession_number_within_the_hospital() -> None:
    """T52: accessionNumber is (0008,0050), unique in one hospital only."""
    exams = [exam(id=1), exam(id=2, hospital_code="H2")]
    assert made(link_study(study(), exams, {})) == [(1, "accession")]
    assert made(link_study(study(hospital_code="H3"), exams, {})) == []


def test_t52_report_access_no_is_the_last_try() -> None:
    """T52: report.ACCESS_NO only when nothing else fits."""
    exams = [exam(id=1, accession_numbers=())]
    assert made(link_study(study(), exams, {1: {"A1"}})) == [(1, "report-access-no")]
    exams.append(exam(id=2))
    assert made(link_study(study(), exams, {1: {"A1"}})) == [(2, "accession")]


def test_t53_patient_is_compared_by_every_number() -> None:
    """T53: patientId, hisPatientId and ID number name one patient; leading zeros and case do not matter."""
    for number in ("P1", "p1", "HIS1", "00P1"):
        assert findings(exam(), study(patient_id=number)) == ()
    assert findings(exam(), study(patient_id="X", other_patient_ids="Y\\P1")) == ()
    assert findings(exam(), study(patient_id="X", patient_name="李四")) == ("patient-differs",)
    assert findings(exam(), study(patient_id="P1", patient_name="李四")) == ("name-differs",)


def test_t53_names_in_other_writing_are_not_compared() -> None:
    assert findings(exam(), study(patient_name="Zhang^San")) == ()
    assert findings(exam(), study(patient_name="Zhang^San=张^三")) == ()
    assert findings(exam(patient_id="", his_patient_id=""), study(patient_name="Zhang^San")) == ()
    assert findings(exam(), study(patient_id="X", patient_name="Zhang^San")) == ("patient-differs",)
    assert findings(exam(), study(patient_id="X", patient_name="Zhang^San=张^三")) == ()


def test_t54_application_and_order_link_nothing() -> None:
    """T54: labNum and applyNo are no keys: linking knows neither."""
    fields = set(ExamFacts.__dataclass_fields__)
    assert not fields & {"lab_num", "apply_no"}
    assert {kind for kind, _ in link.exam_keys(exam(study_uids=("1",)), [report()])} == {
        "study_uid",
        "accession",
        "access_no",
    }


def test_t60_deleted_exams_claim_nothing() -> None:
    """T60."""
    assert made(link_study(study(), [exam(study_uids=("1.2.3",), deleted=True)], {})) == []
    assert link.exam_keys(exam(deleted=True), []) == frozenset()


def test_t73_modality_is_compared_by_imaging_type() -> None:
    """T73: CR, DX, DR are one type; presentation states and reports beside images say nothing."""
    assert findings(exam(modality="DX", img_exam_type="1"), study(modalities="CR")) == ()
    assert findings(exam(), study(modalities="CT,SR,PR")) == ()
    assert findings(exam(), study(modalities="SR")) == ()
    assert findings(exam(), study(modalities="MR")) == ("modality-differs",)


@pytest.mark.parametrize("text", ["2|3", "2,3", "2，3", "2、3", "2;3", "2 3"])
def test_t37_several_imaging_types(text: str) -> None:
    """T37: the separator of imgExamType is lost in print."""
    assert link.imaging_types("", text) == {"2", "3"}


def test_unknown_sender_links_when_one_hospital_has_the_number() -> None:
    """A sender in no list: linked and said so; two hospitals with the number: held until a person decides."""
    unknown = study(hospital_code="")
    decision = link_study(unknown, [exam()], {})
    assert (made(decision), decision.links[0].findings) == ([(1, "accession")], ("sender-unknown",))
    both = link_study(unknown, [exam(), exam(id=2, hospital_code="H2")], {})
    assert (both.links, [(h.exam_id, h.reason) for h in both.held]) == (
        (),
        [(1, "several-hospitals"), (2, "several-hospitals")],
    )


def test_a_shared_sender_s_study_goes_to_the_hospital_of_its_patient() -> None:
    """Only where the patients of all other hospitals are somebody else."""
    shared = study(hospital_code="")
    other = {"id": 2, "hospital_code": "H2", "patient_id": "P9", "his_patient_id": "", "patient_name": "王五"}
    assert made(link_study(shared, [exam(), exam(**other)], {})) == [(1, "accession")]
    unclear = exam(**other | {"patient_id": "", "patient_name": ""})
    assert [h.reason for h in link_study(shared, [exam(), unclear], {}).held] == ["several-hospitals"] * 2


def test_study_uid_across_hospitals_is_linked_and_flagged() -> None:
    """A shared PACS sends for several hospitals; the UID is unique in the world. The sender's own exam
    goes first."""
    other = exam(id=2, hospital_code="H2", study_uids=("1.2.3",))
    decision = link_study(study(), [other], {})
    assert decision.links[0].findings == ("hospital-differs",)
    own = exam(id=1, study_uids=("1.2.3",))
    assert made(link_study(study(), [other, own], {})) == [(1, "study-uid")]


def test_number_used_again_for_another_patient_is_not_linked() -> None:
    """Accession numbers come again: patient and day both differ."""
    again = study(patient_id="X9", patient_name="李四", study_date="20240101")
    decision = link_study(again, [exam()], {})
    assert (decision.links, decision.held[0].reason) == ((), "patient-and-date-differ")
    assert findings(exam(), study(study_date="20240101")) == ("date-differs",)


def test_several_exams_with_the_number() -> None:
    """Those of the same patient are preferred; several of them are all linked, and said so."""
    mine, twin = exam(id=1), exam(id=2, ris_study_id="RIS2")
    stranger = exam(id=3, patient_id="X", his_patient_id="", patient_name="李四")
    assert made(link_study(study(), [mine, stranger], {})) == [(1, "accession")]
    decision = link_study(study(), [mine, twin, stranger], {})
    assert [one.exam_id for one in decision.links] == [1, 2]
    assert all("several-candidates" in one.findings for one in decision.links)


def test_number_link_against_a_listed_uid_is_flagged() -> None:
    """A RIS that makes up studyUid: the number still finds the images."""
    assert findings(exam(study_uids=("9.9",)), study()) == ("study-uid-differs",)


@pytest.mark.parametrize("number", ["", "0", "000", "-", "NULL", "null", "None", "N/A", "无", "空", "."])
def test_t15_placeholders_are_no_numbers(number: str) -> None:
    """T15."""
    assert made(link_study(study(accession_number=number), [exam(accession_numbers=(number,))], {})) == []
    assert link.exam_keys(exam(accession_numbers=(number,)), [report(access_no=number)]) == frozenset()


def test_t75_report_waits_for_its_exam() -> None:
    """T75, T48: parked until one of its exams of the same hospital is here."""
    waiting = report(ris_study_ids=("RIS1", "RIS2"))
    assert link.is_parked(waiting, set())
    assert link.is_parked(waiting, {("H2", "RIS1")})
    assert not link.is_parked(waiting, {("H1", "RIS2")})


def test_report_compared_with_its_exam() -> None:
    """T52, T53, T61."""
    assert link.compare_report(exam(), report()) == ()
    assert link.compare_report(exam(), report(patient_id="X", his_patient_id="Y")) == ("patient-differs",)
    assert link.compare_report(exam(), report(patient_id="X")) == ()
    assert link.compare_report(exam(), report(modality="MR")) == ("modality-differs",)
    assert link.compare_report(exam(), report(access_no="A7")) == ("access-no-differs",)
    assert link.compare_report(exam(), report(report_status=1)) == ("status-differs",)


def test_patient_modality_and_day_only_suggest() -> None:
    """A wrong picture under a name is worse than a missing one."""
    alike = study(accession_number="MISTYPED")
    assert link_study(alike, [exam()], {}).links == ()
    assert link.suggest(exam(), [alike]) == (1,)
    for other in (
        study(patient_id="X", patient_name="李四"),
        study(modalities="MR"),
        study(study_date="20260305"),
        study(study_date=""),
        study(hospital_code="H2"),
    ):
        assert link.suggest(exam(), [other]) == ()


def test_every_finding_has_words() -> None:
    """What people see is Chinese."""
    assert set(link.RULE_NAMES) == set(link.Rule)
