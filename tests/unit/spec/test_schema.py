"""The schemas are judged by real validators; the records are the strict form, or break it in one place."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from yingqiao.spec import Edition, Required
from yingqiao.spec.openapi import openapi
from yingqiao.spec.schema import json_schema

EXAM: dict[str, Any] = {
    "patName": "张三",
    "cardType": "01",
    "idCard": "140101199001010010",
    "sex": "1",
    "patTelephone": "13900000000",
    "fixmedinsCode": "H14010000001",
    "examAdmndvs": "140100",
    "hosplv": "02",
    "hospitalName": "测试医院",
    "hospitalCode": "1214000040000000X7",
    "labNum": "L1",
    "risStudyId": "E1",
    "inhospExamItemCode": "I1",
    "inhospExamItemName": "胸部平扫",
    "imgExamType": "2",
    "modality": "CT",
    "bodyCode": "BB24ZYZZZ,B020ZYZZZ",
    "patientId": "P1",
    "diagnosisCategoryCode": "J00",
    "diagnosisCategoryName": "呼吸",
    "diagnosisCode": "J00.x00",
    "diagnosisName": "感冒",
    "lastChangeTime": "2026-01-05 10:00:00",
    "disableFlag": 0,
    "billgDrCode": "D1",
    "orderName": "O1",
    "mtuRecMark": "晋HR",
    "patientFrom": 1,
    "examWay": "1，10",
    "setInfoList": [
        {"setId": "0" * 20, "medListCode": "M1", "feeDetailSn": "0" * 18, "examPart": "BB24ZYZZZ"}
    ],
}
REPORT: dict[str, Any] = {
    "hospitalName": "测试医院",
    "hospitalCode": "1214000040000000X7",
    "patId": "H1",
    "patType": 1,
    "xno": "P1",
    "labNum": "L1",
    "risStudyId": "E1,E2",
    "categoryName": "胸",
    "itemName": "胸部平扫，腹部平扫",
    "dep": 2,
    "instra": "CT",
    "radioDepName": "放射科",
    "recordNum": "R1",
    "ACCESS_NO": "R1",
    "reportStatus": 0,
    "modality": "CT",
    "isLastAudit": 0,
    "checkPositiveMark": 0,
    "checkStatus": 2,
    "lastChangeTime": "2026-01-05 10:00:00",
    "disableFlag": 0,
}


def errors(edition: Edition, table: str, record: object) -> list[str]:
    return [e.json_path for e in Draft202012Validator(json_schema(edition, table)).iter_errors(record)]


def test_every_table_has_a_valid_schema(edition: Edition) -> None:
    for table in edition.tables:
        schema = json_schema(edition, table)
        Draft202012Validator.check_schema(schema)
        assert schema["title"] == edition.tables[table].title


def test_strict_records_pass(edition: Edition) -> None:
    assert errors(edition, "exam", EXAM) == []
    assert errors(edition, "report", REPORT) == []
    assert errors(edition, "merged_upload", {"patient": EXAM, "report": REPORT}) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"sex": "男"}, "$.sex"),
        ({"sex": 1}, "$.sex"),  # accepted, but to be sent as the table's type (T33)
        ({"disableFlag": "0"}, "$.disableFlag"),  # T16
        ({"disableFlag": 3}, "$.disableFlag"),
        ({"lastChangeTime": "2026/01/05 10:00"}, "$.lastChangeTime"),  # T55
        ({"patTelephone": ""}, "$.patTelephone"),  # T15
        ({"patTelephone": "1" * 51}, "$.patTelephone"),
        ({"bodyCode": "BB24ZYZZZ;B020ZYZZZ"}, "$.bodyCode"),  # T43, T50
        ({"registeredDetailAddr": "x"}, "$"),  # T62: aliases are accepted, never sent
        ({"setInfoList": [{"setId": "1"}]}, "$.setInfoList[0]"),
    ],
)
def test_anything_else_is_told(edition: Edition, change: dict[str, Any], path: str) -> None:
    assert path in errors(edition, "exam", {**EXAM, **change})


def test_required_is_the_printed_flag_less_what_our_conditions_narrow(edition: Edition) -> None:
    """T20, T21."""
    schema = json_schema(edition, "exam")
    required = set(schema["$defs"]["exam"]["required"])
    always = {f.name for f in edition.tables["exam"].fields if f.required is Required.YES}
    assert always - required == {
        "checkFinishTime", "examDeptName", "examDoctorIndustryCode", "studyUid", "accessionNumber", "ageUnit",
        "examItemCode", "examItemName",
    }  # fmt: skip
    told = schema["$defs"]["exam"]["properties"]["outPatientId"]["x-yingqiao-conditions"]
    assert told[0]["when"] == "source:1,2"


def test_printed_lengths_that_cannot_hold_the_value_are_only_told(edition: Edition) -> None:
    """T38, T42, T51, T64."""
    properties = json_schema(edition, "report")["$defs"]["report"]["properties"]
    assert "maxLength" not in properties["ClientCert"]
    assert properties["ClientCert"]["x-yingqiao-printed-length"] == 1000
    assert properties["xno"]["maxLength"] == 255


def test_nested_parts_resolve(edition: Edition) -> None:
    """四(二)5: the example of the remark is a strict record but for its empty values."""
    day = {"hospitalCode": "1214000040000000X7", "date": "2026-01-05"}
    exams = [{"imgExamType": "CT", "pushExamNum": 2, "study_uids": ["E14476538", "E14476577"]}]
    assert errors(edition, "reconciliation", {**day, "examInfo": exams}) == []
    assert errors(edition, "reconciliation", {**day, "examInfo": [{}]}) == ["$.examInfo[0]"] * 3


def test_image_addresses_name_a_known_scheme(edition: Edition) -> None:
    """T94."""
    series = dict.fromkeys(
        (
            "PATIENT_ID",
            "MODALITY",
            "ACCESS_NO",
            "PATIENTNAME",
            "PATIENTAGE",
            "STUDYIUID",
            "SERIESIUID",
            "SERIESNO",
        ),
        "1",
    )
    series["STUDYDATE"] = "2026-01-05"
    assert (
        errors(edition, "images_list", {**series, "FILEPATH": ["http://a/1.dcm", "s3://b/1", "ftp://c/1"]})
        == []
    )
    assert errors(edition, "images_list", {**series, "FILEPATH": ["file:///etc/passwd"]}) == ["$.FILEPATH[0]"]


def test_openapi_is_valid(edition: Edition) -> None:
    document = openapi(edition)
    OpenAPIV31SpecValidator(document).validate()
    standard = {"/exam-sync", "/report/sync", "/examMergeReport-sync", "/images/list"}
    coss = {
        f"/coss/service/v1/{name}"
        for name in ("addSignJob", "getAuthSignResult", "createAndGetTssInfo", "verifyTS")
    }
    assert set(document["paths"]) == standard | coss | {"/images/list/status"}


def test_openapi_names_the_record_of_each_operation(edition: Edition) -> None:
    document = openapi(edition)
    for path, item in document["paths"].items():
        if path.startswith("/coss/"):
            continue  # plain parameters, described in place
        name = item["post"]["x-yingqiao-record"]["$ref"].rpartition("/")[2]
        assert document["components"]["schemas"][name]["properties"]


@pytest.mark.parametrize("service", ["addSignJob", "getAuthSignResult", "createAndGetTssInfo", "verifyTS"])
def test_the_samples_of_coss_fit_its_openapi(edition: Edition, service: str) -> None:
    """四(二)4: the printed requests and answers, where the misprints leave them whole."""
    operation = openapi(edition)["paths"][f"/coss/service/v1/{service}"]["post"]
    assert edition.folder is not None
    for part, kind in (
        ("request", operation["requestBody"]),
        ("response", operation["responses"]["200"]),
    ):
        text = edition.folder.joinpath("examples", f"coss_{service}_{part}.json").read_text("utf-8")
        schema = kind["content"]["application/json"]["schema"]
        problems = [
            e for e in Draft202012Validator(schema).iter_errors(json.loads(text)) if e.validator != "pattern"
        ]
        assert not problems, problems


def test_openapi_examples_fit_their_schemas(edition: Edition) -> None:
    """三(一), T08: the answers and the known-answer envelope."""
    document = openapi(edition)
    schemas = document["components"]["schemas"]
    answer = document["components"]["responses"]["Answer"]["content"]["application/json"]
    for example in answer["examples"].values():
        assert not list(Draft202012Validator(schemas["main_envelope.response"]).iter_errors(example["value"]))
    request = document["paths"]["/exam-sync"]["post"]["requestBody"]["content"]["application/json"]
    for example in request["examples"].values():
        assert not list(Draft202012Validator(schemas["main_envelope.request"]).iter_errors(example["value"]))
