"""Exam and report records as a RIS would send them (五(一), 五(二)): plain dictionaries with the standard's
names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yingqiao.hospital.simulate.catalogue import Item
from yingqiao.hospital.simulate.people import Person

Record = dict[str, Any]

SELF_PAID_SETTLEMENT, SELF_PAID_DETAIL = "0" * 20, "0" * 18
"""T59: what is sent when nothing was settled with the medical insurance."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One examination of one patient: everything its records and images share."""

    hospital_code: str
    hospital_name: str
    number: int
    patient: Person
    item: Item
    mutual_name: str
    ris_study_id: str
    study_uid: str
    accession: str
    image_number: str
    """影像号: patientId, DICOM Patient ID."""
    source: int
    """患者来源: 1 门诊, 2 急诊, 3 住院."""
    applied: datetime
    registered: datetime
    finished: datetime
    reported: datetime
    audited: datetime
    radiographer: str
    reporter: str
    auditor: str
    positive: bool


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def exam_record(visit: Visit, status: int, changed: datetime) -> Record:
    """The exam in `status` (2 booked, 4 examined, 5 terminated); `changed` is its lastChangeTime."""
    record = _patient(visit) | _institution(visit) | _application(visit) | _diagnosis() | _payment(visit)
    record |= {
        "registerTime": stamp(visit.registered),
        "examStatus": status,
        "lastChangeTime": stamp(changed),
        "disableFlag": 0,
        "efilmType": 2,
    }
    return record | _performed(visit) if status >= 4 else record


def _patient(visit: Visit) -> Record:
    patient = visit.patient
    age, unit = patient.age_on(visit.finished.date())
    return {
        "patName": patient.name,
        "patSpellName": patient.spelling.replace("^", " "),
        "cardType": "01",
        "idCard": patient.id_number,
        "sex": patient.sex,
        "patBirthday": f"{patient.birthday:%Y-%m-%d}",
        "patAge": str(age),
        "ageUnit": unit,
        "patTelephone": patient.phone,
        "currentDetailAddr": patient.address,
        "maritalStatus": "90",
        "ethnic": "01",
    }


def _institution(visit: Visit) -> Record:
    return {
        "fixmedinsCode": "H14990000001",
        "fixmedinsName": visit.hospital_name,
        "examAdmndvs": "140100",
        "hosplv": "02",
        "hospitalName": visit.hospital_name,
        "hospitalCode": visit.hospital_code,
    }


def _application(visit: Visit) -> Record:
    item, source = visit.item, visit.source
    number = f"{visit.number:06d}"
    record = {
        "applyNo": f"YZ{visit.accession}",
        "labNum": f"SQ{visit.accession}",
        "studyUid": visit.study_uid,
        "risStudyId": visit.ris_study_id,
        "isEmergency": int(source == 2),
        "deptName": {1: "呼吸内科门诊", 2: "急诊科", 3: "神经内科"}[source],
        "applyDoctorName": "申请医师",
        "applyTime": stamp(visit.applied),
        "inhospExamItemCode": f"XM{item.body_code}",
        "inhospExamItemName": item.name,
        "examWay": "10" if "增强" in item.name else "1",
        "imgExamType": item.imaging_type,
        "modality": item.modality,
        "bodyCode": item.body_code,
        "bodyPart": item.body_name,
        "patientFrom": source,
        "hisPatientId": f"HIS{visit.image_number}",
        "patientId": visit.image_number,
        "accessionNumber": visit.accession,
        "inPatientId" if source == 3 else "outPatientId": f"{'ZY' if source == 3 else 'MZ'}{number}",
    }
    if item.mutual_code:
        record |= {"examItemName": visit.mutual_name, "examItemCode": item.mutual_code}
    return record


def _diagnosis() -> Record:
    return {
        "clinicalDiagnosis": "待查",
        "diagnosisCategoryCode": "R93",
        "diagnosisCategoryName": "其他身体结构诊断性影像检查的异常所见",
        "diagnosisCode": "R93.8",
        "diagnosisName": "影像检查异常所见",
    }


def _performed(visit: Visit) -> Record:
    return {
        "arrivalTime": stamp(visit.registered),
        "checkFinishTime": stamp(visit.finished),
        "examDeptName": "医学影像科",
        "examDoctorIndustryCode": "HY14990000001",
        "examDoctorName": visit.radiographer,
        "device": f"{visit.item.modality} 设备",
    }


def _payment(visit: Visit) -> Record:
    settled = {
        "setId": SELF_PAID_SETTLEMENT,
        "medListCode": "002103000010000",
        "feeDetailSn": SELF_PAID_DETAIL,
        "examPart": visit.item.body_code,
    }
    return {
        "chargeType": "01",
        "examCharge": "260.00",
        "billgDrCode": "HY14990000002",
        "billgDrName": "开单医师",
        "setInfoList": [settled],
        "orderName": f"YZ{visit.accession}",
        "mtuRecMark": "晋HR",
    }


def report_record(visit: Visit, *, audited: bool, changed: datetime, pdf: str = "") -> Record:
    """The report, drafted or audited; `pdf` is base64 and belongs to an audited one (T24)."""
    item = visit.item
    findings, conclusion = item.abnormal if visit.positive else item.normal
    number = f"BG{visit.accession}"
    record: Record = {
        "hospitalName": visit.hospital_name,
        "hospitalCode": visit.hospital_code,
        "patId": f"HIS{visit.image_number}",
        "patType": visit.source,
        "xno": visit.image_number,
        "labNum": f"SQ{visit.accession}",
        "risStudyId": visit.ris_study_id,
        "categoryName": item.body_name,
        "itemName": item.name,
        "checkType": "10" if "增强" in item.name else "1",
        "dep": item.dep,
        "instra": item.modality,
        "registerDate": stamp(visit.registered),
        "checkDate": stamp(visit.finished),
        "radioDepName": "医学影像科",
        "radioDoctorName": visit.radiographer,
        "recordNum": number,
        "ACCESS_NO": number,
        "reportStatus": 3 if audited else 1,
        "modality": item.modality,
        "reportMedinsCode": visit.hospital_code,
        "reportDoctorName": visit.reporter,
        "reportDate": stamp(visit.reported),
        "reportDeptName": "医学影像科",
        "findings": findings,
        "inspectExamResult": conclusion,
        "isLastAudit": 0,
        "checkPositiveMark": 1 if visit.positive else 2,
        "checkStatus": 4 if audited else 3,
        "lastChangeTime": stamp(changed),
        "disableFlag": 0,
    }
    if audited:
        record |= {
            "confirmDoctorName": visit.auditor,
            "confirmDate": stamp(visit.audited),
            "reportPdfBase64": pdf,
        }
    return record
