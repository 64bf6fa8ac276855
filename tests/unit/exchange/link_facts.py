"""Facts for linking tests: one CT examination of 张三, its report and its images."""

from __future__ import annotations

from typing import Any

from yingqiao.exchange.link import ExamFacts, ReportFacts, StudyFacts

T0 = 1_772_330_000_000


def exam(**given: Any) -> ExamFacts:
    values: dict[str, Any] = {
        "id": 1,
        "hospital_code": "H1",
        "ris_study_id": "RIS1",
        "deleted": False,
        "exam_status": 4,
        "patient_name": "张三",
        "patient_id": "P1",
        "his_patient_id": "HIS1",
        "id_number": "",
        "accession_numbers": ("A1",),
        "study_uids": (),
        "modality": "CT",
        "img_exam_type": "2",
        "exam_time": "2026-03-01 09:00:00",
        "first_received_at": T0,
        "updated_at": T0 + 1000,
    }
    return ExamFacts(**(values | given))


def report(**given: Any) -> ReportFacts:
    values: dict[str, Any] = {
        "id": 1,
        "hospital_code": "H1",
        "record_num": "R1",
        "ris_study_ids": ("RIS1",),
        "deleted": False,
        "report_status": 3,
        "check_status": 4,
        "access_no": "R1",
        "patient_id": "P1",
        "his_patient_id": "HIS1",
        "modality": "CT",
        "report_time": "2026-03-01 10:00:00",
        "confirm_time": "2026-03-01 11:00:00",
        "report_doctor": "李医生",
        "confirm_doctor": "王主任",
        "first_received_at": T0,
        "updated_at": T0,
    }
    return ReportFacts(**(values | given))


def study(**given: Any) -> StudyFacts:
    values: dict[str, Any] = {
        "id": 1,
        "study_uid": "1.2.3",
        "hospital_code": "H1",
        "patient_id": "P1",
        "patient_name": "张三",
        "other_patient_ids": "",
        "accession_number": "A1",
        "study_date": "20260301",
        "modalities": "CT",
        "instance_count": 3,
        "first_received_at": T0,
        "updated_at": T0,
    }
    return StudyFacts(**(values | given))
