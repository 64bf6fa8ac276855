"""What the schemas call strict earns no finding: one standard, two readers of it."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.spec.test_schema import EXAM, REPORT
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.validate import compile_validator
from yingqiao.spec import load_edition
from yingqiao.spec.schema import json_schema

CHECKED_EXAM: dict[str, Any] = {
    **EXAM,
    "examStatus": 4,
    "outPatientId": "M1",
    "checkFinishTime": "2026-01-05 09:30:00",
    "examDeptName": "放射科",
    "examDoctorIndustryCode": "D140100000001",
    "studyUid": "1.2.840.1",
    "accessionNumber": "A1",
    "examItemCode": "CT020012506",
    "examItemName": load_edition().code_lists["mutual_recognition"].codes["CT020012506"].name,
}
RECORDS = {
    "exam": CHECKED_EXAM,
    "report": {**REPORT, "checkDate": "2026-01-05 09:30:00", "radioDoctorName": "李四"},
}


def findings(table: str, record: dict[str, Any]) -> list[tuple[str, str]]:
    validated = compile_validator(load_edition(), table, Profile())(record)
    return [(finding.field, finding.problem) for finding in validated.findings]


def strict(table: str, record: dict[str, Any]) -> bool:
    return Draft202012Validator(json_schema(load_edition(), table)).is_valid(record)


@pytest.mark.parametrize("table", RECORDS)
def test_a_strict_record_earns_no_finding(table: str) -> None:
    assert strict(table, RECORDS[table])
    assert findings(table, RECORDS[table]) == []


@pytest.mark.parametrize("table", RECORDS)
def test_each_required_member_is_missed_by_both(table: str) -> None:
    required = json_schema(load_edition(), table)["$defs"][table]["required"]
    for name in required:
        record = {key: value for key, value in RECORDS[table].items() if key != name}
        assert not strict(table, record)
        assert name in {field for field, _ in findings(table, record)}, name


@pytest.mark.parametrize("table", RECORDS)
def test_every_code_the_schema_allows_is_accepted(table: str) -> None:
    """六, and the lists of the remarks. Other rules may complain then, of contradictions say."""
    validate = compile_validator(load_edition(), table, Profile())
    properties = json_schema(load_edition(), table)["$defs"][table]["properties"]
    for name, schema in properties.items():
        for value in schema.get("enum", ()):
            found = validate({**RECORDS[table], name: value}).findings
            assert not [f for f in found if f.field == name and f.rule in {"code_list", "type", "length"}], (
                name
            )
