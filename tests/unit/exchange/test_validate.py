"""Validation of exams and reports, trap by trap. `rules_at` shows what a changed record is
told about a field.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.exchange.records import CODE, EDITION, OTHER_CODE, exam, report
from yingqiao.exchange.model import Level, Validated
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.validate import compile_validator


def validate(table: str, record: dict[str, Any], profile: Profile | None = None) -> Validated:
    return compile_validator(EDITION, table, profile or Profile())(record)


def of_exam(profile: Profile | None = None, **changes: Any) -> Validated:
    return validate("exam", exam(**changes), profile)


def of_report(profile: Profile | None = None, **changes: Any) -> Validated:
    return validate("report", report(**{"reportPdfBase64": "object:sha256:0"} | changes), profile)


def told(validated: Validated) -> set[tuple[str, str, str]]:
    return {(f.field, f.rule, f.level.value) for f in validated.findings}


def test_whole_records_have_no_findings():
    assert of_exam().findings == ()
    assert of_report().findings == ()
    assert len(of_exam().values) == 113


def test_every_finding_comes_at_once():
    """All of them, each saying what was wrong and how to mend."""
    validated = of_exam(patName=None, sex="7", lastChangeTime="昨天", patTelephone="1" * 60)
    assert told(validated) == {
        ("patName", "required", "refuse"),
        ("sex", "code_list", "warn"),
        ("lastChangeTime", "date", "warn"),
        ("patTelephone", "length", "warn"),
    }
    assert all(f.label and f.problem and f.mend for f in validated.findings)
    assert validated.refused


@pytest.mark.parametrize("empty", ["", None, "  ", "\t"])
def test_t15_empty_is_absent(empty: Any):
    """T15: and an empty field that need not be there is no finding."""
    assert told(validate("exam", exam() | {"patName": empty})) == {("patName", "required", "refuse")}
    assert told(validate("exam", exam() | {"patSpellName": empty})) == set()
    assert "patSpellName" not in validate("exam", exam() | {"patSpellName": empty}).values


@pytest.mark.parametrize("value", [1, "1", 1.0, " 1 "])
def test_t16_numbers_and_texts_are_the_same(value: Any):
    """T16, T33, T28: 数字 fields and codes."""
    validated = of_exam(patientFrom=value, sex=value, patientId=value)
    assert validated.findings == ()
    assert (validated.values["patientFrom"], validated.values["sex"], validated.values["patientId"]) == (
        1,
        "1",
        "1",
    )


@pytest.mark.parametrize("value", [{"a": 1}, [1, [2]], [[]]])
def test_t16_what_is_no_single_value_is_told(value: Any):
    """T16: and what is required is then missing."""
    assert told(of_exam(patName=value)) == {("patName", "type", "warn"), ("patName", "required", "refuse")}


def test_t12_fields_to_be_sent_if_known_are_silent_unless_asked_for():
    """T12: 否 = 有则必填; countable."""
    assert told(of_exam(bedNo=None)) == set()
    asked = Profile(grades={"if_known": Level.NOTE})
    assert told(of_exam(asked, bedNo=None)) == {("bedNo", "if_known", "note")}
    validator = compile_validator(EDITION, "exam", Profile())
    assert validator.missing_if_known(dict(of_exam(bedNo=None).values)) == ("bedNo",)


CHECKED_LATER = ("checkFinishTime", "examDeptName", "examDoctorIndustryCode", "studyUid", "accessionNumber")


@pytest.mark.parametrize("name", CHECKED_LATER)
@pytest.mark.parametrize(
    ("status", "rule"), [(1, "suggested"), (3, "suggested"), (4, "conditional"), (5, "conditional")]
)
def test_t20_what_an_examination_brings_is_required_from_checked_on(name: str, status: int, rule: str):
    """T20: examStatus >= 4; before that a warning."""
    level = "refuse" if rule == "conditional" else "warn"
    assert told(of_exam(examStatus=status, **{name: None})) == {(name, rule, level)}


def test_t20_without_a_status_the_finish_time_says_it():
    """T20."""
    assert told(of_exam(examStatus=None, studyUid=None)) == {("studyUid", "conditional", "refuse")}
    assert told(of_exam(examStatus=None, checkFinishTime=None)) == {("checkFinishTime", "suggested", "warn")}


@pytest.mark.parametrize(("report_status", "check_status"), [(0, 2), (5, 2), (6, 1)])
def test_t21_an_unfinished_report_needs_no_result(report_status: int, check_status: int):
    """T21: unwritten, not to come, abandoned. A returned one (4) was written: its text is there."""
    bare = dict.fromkeys(("findings", "inspectExamResult", "confirmDoctorName", "confirmDate", "CAData"))
    validated = validate(
        "report", report(reportStatus=report_status, checkStatus=check_status, **bare, reportPdfBase64=None)
    )
    assert not validated.refused


def test_t21_a_written_report_needs_its_text_an_audited_one_its_auditor():
    """T21."""
    written = of_report(reportStatus=1, checkStatus=3, findings=None, confirmDoctorName=None)
    assert told(written) == {("findings", "conditional", "refuse")}
    audited = of_report(confirmDate=None)
    assert told(audited) == {("confirmDate", "conditional", "refuse")}
    by_check_status = of_report(reportStatus=None, confirmDate=None)
    assert ("confirmDate", "conditional", "refuse") in told(by_check_status)


def test_t22_t23_the_last_auditor_is_required_only_when_there_is_one():
    """T22, T23."""
    names = [f.name for f in EDITION.tables["report"].fields if f.name.startswith("lastAudit")]
    none = dict.fromkeys(names)
    assert of_report(isLastAudit=0, **none).findings == ()
    missing = told(of_report(isLastAudit=1, **none))
    assert ("lastAuditDoctor", "conditional", "refuse") in missing
    assert ("lastAuditTime", "suggested", "warn") in missing


def test_t24_an_audited_report_needs_a_pdf_or_its_address():
    """T24: one finding when neither is there."""
    assert told(of_report(reportPdfBase64=None)) == {("pdf_path", "conditional", "refuse")}
    assert of_report(reportPdfBase64=None, pdf_path="http://10.0.0.2/r.pdf").findings == ()
    assert of_report(pdf_path="https://10.0.0.2/r.pdf").findings == ()
    assert told(of_report(pdf_path="ftp://10.0.0.2/r.pdf")) == {("pdf_path", "url", "warn")}


def test_t25_members_of_the_printed_example():
    """T25: pdfBase64 is an alias, uploadAgain has no effect."""
    record = report(reportPdfBase64=None) | {"pdfBase64": "object:sha256:0", "uploadAgain": 0}
    validated = validate("report", record)
    assert validated.values["reportPdfBase64"] == "object:sha256:0"
    assert validated.unknown == {"uploadAgain": 0}
    assert told(validated) == {("reportPdfBase64", "name", "note")}


@pytest.mark.parametrize(("source", "name"), [(1, "outPatientId"), (2, "outPatientId"), (3, "inPatientId")])
def test_t27_the_number_of_its_source_is_required(source: int, name: str):
    """T27: 急诊 like 门诊."""
    assert told(of_exam(patientFrom=source, **{name: None})) == {(name, "conditional", "refuse")}
    others = dict.fromkeys({"outPatientId", "inPatientId", "examPatientId"} - {name})
    assert of_exam(patientFrom=source, **others).findings == ()


def test_t27_without_a_source_one_of_the_three_numbers_is_wanted():
    """T27."""
    numbers: dict[str, Any] = dict.fromkeys(("outPatientId", "inPatientId", "examPatientId"))
    assert of_exam(patientFrom=None).findings == ()
    assert told(of_exam(patientFrom=None, **numbers)) == {("patientFrom", "suggested", "warn")}


def test_t27_health_checks_are_others():
    """T27: 体检 has no code and is mapped to 9."""
    validated = of_exam(patientFrom="体检", outPatientId=None, inPatientId=None, examPatientId=None)
    assert validated.values["patientFrom"] == 9
    assert told(validated) == {("patientFrom", "code_list", "warn"), ("examPatientId", "suggested", "warn")}


def test_t28_a_wrong_patient_type_warns():
    """T28."""
    assert told(of_exam(patientFrom=7)) == {("patientFrom", "code_list", "warn")}
    assert told(of_report(patType=7)) == {("patType", "code_list", "warn")}


def test_t29_the_examination_is_named_once_it_is_finished():
    """T29."""
    none: dict[str, Any] = {"checkDate": None, "radioDoctorName": None}
    assert told(of_report(**none)) == {(n, "conditional", "refuse") for n in none}
    assert of_report(**none, checkStatus=1, reportStatus=0).findings == ()


def test_t30_an_age_with_its_unit_is_split():
    """T30."""
    validated = of_exam(patAge="35岁", ageUnit=None)
    assert (validated.values["patAge"], validated.values["ageUnit"]) == ("35", "Y")
    assert told(validated) == {("patAge", "age", "warn")}
    assert of_exam(patAge="5", ageUnit="H").findings == ()
    assert of_exam(patAge=None, ageUnit=None).findings == ()
    assert told(of_exam(ageUnit=None)) == {("ageUnit", "conditional", "refuse")}
    assert told(of_exam(patAge="三岁")) == {("patAge", "age", "warn")}


def test_t31_a_one_digit_card_type_is_padded_and_told():
    """T31: 1 could be 01 居民身份证 or 医保卡."""
    validated = of_exam(cardType="1")
    assert validated.values["cardType"] == "01"
    assert told(validated) == {("cardType", "code_list", "warn")}


def test_t34_check_digits_warn():
    """T34."""
    assert told(of_exam(idCard="140105199001010033")) == {("idCard", "number", "warn")}
    assert of_exam(idCard="E12345678", cardType="03").findings == ()
    assert told(of_exam(hospitalCode="TestHospital")) == {("hospitalCode", "number", "warn")}
    assert told(of_report(auditMedinsCode="TestHospital")) == {("auditMedinsCode", "number", "warn")}


@pytest.mark.parametrize("code", ["140105", "140105001", "140105001002"])
def test_t35_divisions_below_the_province(code: str):
    """T35."""
    assert of_exam(currentDivisionCode=code).findings == ()


@pytest.mark.parametrize("code", ["990000", "14", "1401050", "太原", "１４０１０５"])
def test_t35_what_is_no_division(code: str):
    """T35."""
    assert told(of_exam(currentDivisionCode=code)) == {("currentDivisionCode", "code_list", "warn")}


@pytest.mark.parametrize(
    ("sent", "rule"), [("1", "coded"), (1, "coded"), ("HA", "code_list"), ("汉族", "code_list")]
)
def test_t36_two_digit_codes_in_other_spellings(sent: Any, rule: str):
    """T36: padded; letters with a warning."""
    validated = of_exam(ethnic=sent)
    assert validated.values["ethnic"] == "01"
    assert {f.rule for f in validated.findings} == {rule}


@pytest.mark.parametrize("sent", ["2|3", "2,3", "2，3", "2、3", "2;3", "2 3"])
def test_t37_imaging_types_in_any_separator(sent: str):
    """T37."""
    validated = of_exam(imgExamType=sent)
    assert validated.values["imgExamType"] == "2|3"
    assert validated.findings == ()


@pytest.mark.parametrize("sent", ["1，2，10", "1,2,10", ["1", "2", "10"], [1, 2, 10]])
def test_t38_exam_ways(sent: Any):
    """T38: both commas, 10 is one code, no length; a JSON array too."""
    assert of_exam(examWay=sent).values["examWay"] == "1，2，10"
    assert of_exam(examWay="1,2,3,4,5,6,7,8,9,10").findings == ()
    assert told(of_report(checkType="1，11")) == {("checkType", "code_list", "warn")}


def test_t39_t40_three_modality_fields_have_to_agree():
    """T39, T40: two lists; unknown modalities contradict nothing."""
    assert told(of_report(dep=3)) == {("dep", "conflict", "warn")}
    assert told(of_report(instra="MR")) == {("dep", "conflict", "warn")}
    assert of_report(dep=99, instra="OT", modality="OT").findings == ()
    assert of_report(dep=9, instra="NM", modality="NM").findings == ()
    assert of_report(dep=7, instra="PT", modality="PT").findings == ()


def test_t41_mutual_recognition_items():
    """T41: names without white space; unlisted items may be empty or the hospital's own, with a warning."""
    assert of_exam(examItemName="鞍区 CT 平扫").findings == ()
    assert told(of_exam(examItemName="院内自定项目")) == {("examItemName", "code_list", "warn")}
    assert told(of_exam(examItemName=None, examItemCode=None)) == {("examItemCode", "suggested", "warn")}
    assert told(of_exam(examItemCode=None)) == {("examItemCode", "conditional", "refuse")}
    assert told(of_exam(examItemName="院内自定项目", examItemCode=None)) == {
        ("examItemName", "code_list", "warn")
    }


@pytest.mark.parametrize("mark", ["HR", "晋HR", "全国HR", "0", 1, "是", "否"])
def test_t42_recognition_marks_have_no_enforced_length(mark: Any):
    """T42."""
    assert of_exam(mtuRecMark=mark).findings == ()


@pytest.mark.parametrize(
    "sent", ["B020ZYZZZ,B02010ZZZ", "B020ZYZZZ，B02010ZZZ", "B020ZYZZZ;B02010ZZZ", "B020ZYZZZ|B02010ZZZ"]
)
def test_t43_body_codes_in_a_list(sent: str):
    """T43."""
    validated = of_exam(bodyCode=sent)
    assert validated.values["bodyCode"] == "B020ZYZZZ,B02010ZZZ"
    assert validated.findings == ()


def test_t43_an_unknown_body_code_warns_an_unverified_one_is_fine():
    """T43, part D: the dictionary is partly unverified; proposals and printed forms are accepted."""
    assert told(of_exam(bodyCode="X99999999")) == {("bodyCode", "code_list", "warn")}
    for code in ("B206ZZZ1", "B206ZZZZ1", "BD0", "BR09ZZZ6Z"):
        assert of_exam(bodyCode=code).findings == ()
    printed = of_exam(bodyCode="B2063ZZZ5Z")
    assert printed.values["bodyCode"] == "B2063ZZ5Z"
    assert told(printed) == {("bodyCode", "coded", "note")}


def test_t43_the_whole_technique_list_is_accepted():
    """Part B and D: every code of the list, verified or not."""
    for code in EDITION.code_lists["technique_code"].codes:
        assert of_exam(bodyCode=code).findings == ()


def test_t45_t47_codes_of_other_bodies_are_not_judged():
    """T45, T47: any diagnosis code; length 20 of billgDrCode is not enforced."""
    assert of_exam(diagnosisCode="任意").findings == ()
    assert of_exam(billgDrCode="D140105012345678901234").findings == ()


@pytest.mark.parametrize("sent", ["A1,A2", "A1，A2", "A1, A2"])
def test_t50_both_commas_separate(sent: str):
    """T50: the canonical form has the separator the remark names."""
    assert of_exam(accessionNumber=sent).values["accessionNumber"] == "A1,A2"
    assert of_report(itemName="胸部平扫,腹部平扫").values["itemName"] == "胸部平扫，腹部平扫"


def test_t49_t51_many_studies_are_kept_whatever_the_length():
    """T49, T51: a comma list, longer than 255 is stored with a warning."""
    uids = ",".join(f"1.2.156.112605.{'9' * 40}.{i}" for i in range(8))
    validated = of_exam(studyUid=uids)
    assert validated.values["studyUid"] == uids
    assert told(validated) == {("studyUid", "length", "warn")}


def test_t52_the_access_number_of_a_report():
    """T52."""
    assert told(of_report(ACCESS_NO="ACC1")) == {("ACCESS_NO", "conflict", "warn")}


@pytest.mark.parametrize("name", ["applyTime", "lastChangeTime", "checkFinishTime"])
def test_t55_dates_are_normalised_with_a_note(name: str):
    """T55."""
    validated = of_exam(**{name: "2025/12/31 08:05"})
    assert validated.values[name] == "2025-12-31 08:05:00"
    assert told(validated) == {(name, "format", "note")}


def test_t56_a_confirm_date_without_its_day_warns():
    """T56."""
    assert told(of_report(confirmDate="08:05:00")) == {("confirmDate", "date", "warn")}


@pytest.mark.parametrize("sent", ["2025-12-30", "2025-12-30 08:00:00", "20251230", "2025/12/30"])
def test_t57_dates_without_a_format(sent: str):
    """T57."""
    assert of_exam(sympBegdate=sent).findings == ()
    assert of_report(reportPubDate=sent).findings == ()
    assert told(of_exam(sympEnddate="三天前")) == {("sympEnddate", "date", "warn")}


def test_t58_an_appointment_is_an_interval_or_a_time():
    """T58."""
    assert of_exam(reserveTime="2025-12-31 08:00").values["reserveTime"] == "2025-12-31 08:00:00"
    assert of_exam(reserveTime="2025-12-31 08:00 ~ 2025-12-31 09:00").findings == ()
    assert told(of_exam(reserveTime="上午")) == {("reserveTime", "date", "warn")}


def test_t59_settlements():
    """T59: any all-zero text; none at all only warns; members are judged with their place."""
    row = {"setId": "0", "medListCode": "M", "feeDetailSn": "0" * 30, "examPart": "B020ZYZZZ"}
    assert of_exam(setInfoList=[row]).findings == ()
    assert of_exam(setInfoList=row).findings == ()
    assert told(of_exam(setInfoList=[])) == {("setInfoList", "required", "warn")}
    assert told(of_exam(setInfoList=None)) == {("setInfoList", "required", "warn")}
    assert told(of_exam(setInfoList=[row, row | {"medListCode": ""}])) == {
        ("setInfoList[1].medListCode", "required", "warn")
    }
    assert ("setInfoList", "type", "warn") in told(of_exam(setInfoList="无"))


def test_t60_a_deletion_needs_its_key_only():
    """T60: disableFlag 1, checkStatus 5."""
    validated = validate("exam", {"risStudyId": "R1", "disableFlag": 1, "hospitalCode": CODE})
    assert validated.findings
    assert not validated.refused
    assert validate("exam", {"disableFlag": "1"}).refused
    assert not validate("report", {"recordNum": "N", "checkStatus": 5}).refused


def test_t61_three_states_are_three_lists():
    """T61: checkStatus 4 goes with reportStatus 2 or 3."""
    assert told(of_report(reportStatus=1)) == {("checkStatus", "conflict", "warn")}
    assert told(of_report(checkStatus=3)) == {("checkStatus", "conflict", "warn")}
    assert of_report(reportStatus=2).findings == ()


def test_t62_the_other_spelling_of_the_registered_address():
    """T62."""
    validated = validate("exam", exam(registeredDetailAdr=None) | {"registeredDetailAddr": "太原"})
    assert validated.values["registeredDetailAdr"] == "太原"
    assert told(validated) == {("registeredDetailAdr", "name", "note")}


def test_t63_names_without_case_and_underscore():
    """T63: an exact name wins; what no table knows is kept and named once."""
    record = report() | {"accessNo": "REP-2025-000001", "cadata": "原文", "SELF_DEFINED": {"a": 1}}
    del record["ACCESS_NO"], record["CAData"]
    validated = validate("report", record)
    assert validated.values["ACCESS_NO"] == "REP-2025-000001"
    assert validated.values["CAData"] == "原文"
    assert validated.unknown == {"SELF_DEFINED": {"a": 1}}
    assert told(validated) == {
        ("ACCESS_NO", "name", "note"),
        ("CAData", "name", "note"),
        ("", "unknown", "note"),
    }


@pytest.mark.parametrize(
    ("name", "length"), [("ClientCert", 1044), ("SignValue", 1160), ("Timestampvalue", 2248)]
)
def test_t64_the_standards_own_samples_are_longer_than_it_allows(name: str, length: int):
    """T64: warn, keep."""
    validated = of_report(**{name: "A" * length})
    assert told(validated) == {(name, "length", "warn")}
    assert len(validated.values[name]) == length


def test_t65_ca_fields_are_required_when_the_hospital_has_joined():
    """T65."""
    assert told(of_report(SignValue=None)) == {("SignValue", "ca", "warn")}
    assert told(of_report(Profile(ca_required=True), SignValue=None)) == {
        ("SignValue", "conditional", "refuse")
    }


def test_t69_no_insurance_code():
    """T69."""
    assert of_report(itemNumSbh="Z" * 15).findings == ()


def test_t70_the_list_decides_not_the_length():
    """T70."""
    assert told(of_exam(hosplv="三级甲等医院（省直属）很长")) == {("hosplv", "code_list", "warn")}
    assert told(of_exam(chargeType="99999")) == {("chargeType", "code_list", "warn")}


@pytest.mark.parametrize(
    ("modality", "kind"),
    [("CR", "1"), ("DX", "1"), ("MG", "1"), ("MR", "3"), ("US", "4"), ("PT", "5"), ("ES", "9")],
)
def test_t73_modality_and_imaging_type(modality: str, kind: str):
    """T73."""
    assert of_exam(modality=modality, imgExamType=kind).findings == ()
    assert told(of_exam(modality=modality, imgExamType="2")) == {("imgExamType", "conflict", "warn")}


def test_t72_all_types_are_accepted():
    """T72: ultrasound and others too."""
    assert of_exam(modality="US", imgExamType="4").findings == ()


@pytest.mark.parametrize("key", ["R" * 300, "R\0", "R\n1", "\0"])
def test_a_key_that_is_too_long_or_invisible_is_no_key(key: str):
    """And no profile softens it."""
    assert told(of_exam(risStudyId=key)) == {("risStudyId", "key", "refuse")}
    soft = Profile(grades={"key": Level.NOTE, "exam.risStudyId": None})
    assert told(of_exam(soft, risStudyId=key)) == {("risStudyId", "key", "refuse")}


def test_a_profile_changes_the_grade_by_rule_and_by_field():
    """The most specific grade wins; off keeps silent."""
    assert told(of_exam(Profile(grades={"required": Level.WARN}), patName=None)) == {
        ("patName", "required", "warn")
    }
    strict = Profile(grades={"exam.sex": Level.REFUSE})
    assert told(of_exam(strict, sex="7")) == {("sex", "code_list", "refuse")}
    silent = Profile(grades={"exam.sex:code_list": None, "exam.sex": Level.REFUSE})
    assert of_exam(silent, sex="7").findings == ()


def test_findings_are_bounded():
    """A hostile record gets a bounded answer."""
    rows = [{"x": 1}] * 5000
    validated = of_exam(setInfoList=rows)
    assert len(validated.findings) <= 501
    assert validated.findings[-1].rule == "more"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from([f.name for t in ("exam", "report", "settlement") for f in EDITION.tables[t].fields])


@given(
    st.sampled_from(["exam", "report", "settlement", "images_list"]),
    st.dictionaries(names | st.text(max_size=8), json_values, max_size=20),
)
def test_any_json_is_validated(table: str, record: dict[str, Any]):
    """Never raises on arbitrary JSON."""
    validate(table, record)


@given(names, json_values)
def test_any_value_in_a_whole_record_is_validated(name: str, value: Any):
    validate("exam", exam() | {name: value})
    validate("report", report() | {name: value})


def test_other_hospital_codes_are_valid_codes():
    assert of_exam(hospitalCode=OTHER_CODE).findings == ()
