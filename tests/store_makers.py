"""Submissions and landed instances for tests of the stores."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from yingqiao.exchange.model import (
    BodyKind,
    ExamRow,
    InstanceFacts,
    LandedInstance,
    Outcome,
    ReportRow,
    Submission,
)

NOW = 1_767_225_600_000


def exam_row(key: str, changed: str = "2026-01-01 08:00:00", **more: Any) -> ExamRow:
    values: dict[str, Any] = {
        "hospital_code": "H1",
        "ris_study_id": key,
        "last_change_time": changed,
        "deleted": False,
        "exam_status": 3,
        "patient_name": "张三",
        "patient_id": f"P-{key}",
        "his_patient_id": "HIS1",
        "id_number": "140101199001011234",
        "sex": "1",
        "age": "35Y",
        "lab_num": "L1",
        "accession_numbers": (f"A-{key}",),
        "study_uids": (f"1.2.{key}",),
        "modality": "CT",
        "img_exam_type": "1",
        "item_name": "胸部CT平扫",
        "patient_from": "1",
        "is_emergency": False,
        "exam_time": "2026-01-01 08:00:00",
    }
    return ExamRow(**(values | more))


def report_row(key: str, changed: str = "2026-01-01 09:00:00", **more: Any) -> ReportRow:
    values: dict[str, Any] = {
        "hospital_code": "H1",
        "record_num": key,
        "ris_study_ids": ("E1", "E2"),
        "last_change_time": changed,
        "deleted": False,
        "report_status": 4,
        "check_status": None,
        "access_no": "A1",
        "patient_id": "P1",
        "his_patient_id": "HIS1",
        "lab_num": "L1",
        "modality": "CT",
        "report_doctor": "李四",
        "confirm_doctor": "王五",
        "report_time": "2026-01-01 09:00:00",
        "confirm_time": "",
        "positive": "1",
        "pdf_object": "",
        "pdf_path": "",
        "signed": False,
    }
    return ReportRow(**(values | more))


def submission(
    exam: ExamRow | None = None, report: ReportRow | None = None, at: int = NOW, **more: Any
) -> Submission:
    body = json.dumps({"exam": str(exam), "report": str(report)}, ensure_ascii=False).encode()
    values: dict[str, Any] = {
        "interface": "exam-sync",
        "hospital_code": "H1",
        "received_at": at,
        "peer": "127.0.0.1",
        "outcome": Outcome.ACCEPTED,
        "message": "成功",
        "findings": (),
        "body_kind": BodyKind.RECORD,
        "body": body,
        "digest": hashlib.sha256(body).digest(),
        "edition": "shanxi/v2_1",
        "exam": exam,
        "report": report,
    }
    return Submission(**(values | more))


def landed(sop: str, content: str = "", at: int = NOW, offset: int = 0, **facts: Any) -> LandedInstance:
    described: dict[str, Any] = {
        "study_uid": "1.2.3",
        "series_uid": "1.2.3.1",
        "patient_id": "P1",
        "patient_name": "张三",
        "modality": "CT",
        "accession_number": "A1",
        "rows": 512,
        "columns": 512,
    }
    return LandedInstance(
        segment="s-1",
        offset=offset,
        length=1000,
        dataset_offset=200,
        digest=hashlib.sha256((sop + content).encode()).digest(),
        received_at=at,
        calling_aet="CT1",
        called_aet="YINGQIAO",
        peer="10.1.2.3",
        facts=InstanceFacts("1.2.840.10008.5.1.4.1.1.2", sop, "1.2.840.10008.1.2.1", **(described | facts)),
    )
