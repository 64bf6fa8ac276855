"""Whole records as a careful hospital sends them: all 113 exam fields, all 70 report
fields; persons are invented.
"""

from __future__ import annotations

from typing import Any

import orjson
import pybase64

from yingqiao.exchange.envelope import seal
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.receive import HospitalEntry, Policy, Receiver, Taken
from yingqiao.spec import load_edition

EDITION = load_edition()
CODE = "12140000MB0001231X"
OTHER_CODE = "121400004052005503"
KEY = bytes(range(16))
NEXT_KEY = bytes(range(16, 32))
NOW_S = 1_767_225_600
NOW_MS = NOW_S * 1000
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
PDF_TEXT = pybase64.b64encode(PDF).decode()


def exam(**changes: Any) -> dict[str, Any]:
    """A finished CT examination without findings; a change to None leaves the field out."""
    record = {f.name: f"{f.label}文本" for f in EDITION.tables["exam"].fields}
    record |= {f.name: "2025-12-31 08:30:00" for f in EDITION.tables["exam"].fields if f.format == "datetime"}
    record |= _EXAM
    return _changed(record, changes)


def report(**changes: Any) -> dict[str, Any]:
    """An audited report with signature and embedded PDF, without findings."""
    record = {f.name: f"{f.label}文本" for f in EDITION.tables["report"].fields}
    record |= {
        f.name: "2025-12-31 10:30:00" for f in EDITION.tables["report"].fields if f.format == "datetime"
    }
    record |= _REPORT
    return _changed(record, changes)


def _changed(record: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    record |= changes
    return {name: value for name, value in record.items() if value is not None}


class Register:
    """Hospitals in memory."""

    def __init__(self, *entries: HospitalEntry) -> None:
        self._entries = {entry.code: entry for entry in entries}

    def get(self, code: str) -> HospitalEntry | None:
        return self._entries.get(code)


def hospital(
    profile: Profile | None = None, keys: tuple[bytes, ...] = (KEY,), disabled: bool = False
) -> HospitalEntry:
    return HospitalEntry(CODE, "太原市测试医院", disabled, keys, profile or Profile())


def receiver(entry: HospitalEntry | None = None, keep_unknown: bool = False) -> Receiver:
    return Receiver(EDITION, Register(entry or hospital()), Policy(keep_unknown))


def body(record: Any, key: bytes = KEY, code: str = CODE, now_s: int = NOW_S) -> bytes:
    payload = record if isinstance(record, bytes) else orjson.dumps(record)
    return orjson.dumps(seal(payload, code, key, now_s))


def take(record: Any, interface: str = "exam-sync", entry: HospitalEntry | None = None) -> Taken:
    return receiver(entry).take(
        interface, body(record), peer="10.0.0.8", received_at=NOW_MS, encryption_type="SM4"
    )


_EXAM: dict[str, Any] = {
    "patName": "张三",
    "cardType": "01",
    "idCard": "140105199001010032",
    "sex": "1",
    "patBirthday": "1990-01-01",
    "patAge": "35",
    "ageUnit": "Y",
    "patTelephone": "13900000000",
    "currentDivisionCode": "140105",
    "registeredDivisionCode": "140105001000",
    "maritalStatus": "20",
    "ethnic": "01",
    "occupationCode": "24",
    "hosplv": "02",
    "hospitalCode": CODE,
    "studyUid": "1.2.156.112605.1.20251231.1",
    "risStudyId": "RIS-2025-000001",
    "isEmergency": 0,
    "diagnosticDoctorType": "01",
    "applyDoctorIdType": "01",
    "examItemName": "鞍区CT平扫",
    "examItemCode": "CT010012506",
    "examWay": "1",
    "imgExamType": "2",
    "modality": "CT",
    "bodyCode": "B020ZYZZZ",
    "patientFrom": 1,
    "sympBegdate": "2025-12-30",
    "sympEnddate": "2025-12-31",
    "reserveTime": "2025-12-31 08:00:00 / 2025-12-31 08:30:00",
    "examDoctorIdType": "01",
    "examStatus": 4,
    "accessionNumber": "ACC0001",
    "disableFlag": 0,
    "efilmType": 2,
    "chargeType": "01",
    "mtuRecMark": "HR",
    "setInfoList": [
        {
            "setId": "0" * 20,
            "medListCode": "002104000020000",
            "feeDetailSn": "0" * 18,
            "examPart": "B020ZYZZZ",
        }
    ],
}
_REPORT: dict[str, Any] = {
    "hospitalCode": CODE,
    "patType": 1,
    "risStudyId": "RIS-2025-000001",
    "categoryName": "头部",
    "itemName": "头颅平扫",
    "itemNum": "CT01",
    "itemNumSbh": "Z" * 15,
    "checkType": "1",
    "dep": 2,
    "instra": "CT",
    "modality": "CT",
    "recordNum": "REP-2025-000001",
    "ACCESS_NO": "REP-2025-000001",
    "reportStatus": 3,
    "reportMedinsCode": CODE,
    "auditMedinsCode": CODE,
    "lastAuditMedinsCode": CODE,
    "reportDoctorIdType": "01",
    "auditDoctorIdType": "01",
    "lastAuditDoctorIdType": "01",
    "isLastAudit": 1,
    "pdf_path": None,
    "reportPdfBase64": PDF_TEXT,
    "reportPubDate": "2025-12-31",
    "checkPositiveMark": 1,
    "printStatus": 1,
    "checkStatus": 4,
    "digfilmPayStatus": 1,
    "disableFlag": 0,
    "SignType": 1,
}
