"""A small world for linking tests: records and images put in as the ledger and the indexer put them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update

from yingqiao.exchange.model import BodyKind, Outcome
from yingqiao.store.compression import compress
from yingqiao.store.database import Database
from yingqiao.store.ledger_rows import comma_list
from yingqiao.store.schema import exam_studies, exams, instances, reports, series, studies, submissions

HOSPITAL = "12140000MB0000001X"
OTHER = "12140000MB0000002X"
EXAM = {
    "hospital_code": HOSPITAL,
    "ris_study_id": "RIS1",
    "last_change_time": "2026-03-01 10:00:00",
    "deleted": False,
    "exam_status": 4,
    "patient_name": "张三",
    "patient_id": "P1",
    "his_patient_id": "H1",
    "id_number": "",
    "sex": "1",
    "age": "35岁",
    "lab_num": "L1",
    "accession_numbers": ("A1",),
    "study_uids": ("1.2.3",),
    "modality": "CT",
    "img_exam_type": "2",
    "item_name": "胸部CT平扫",
    "patient_from": "1",
    "is_emergency": False,
    "exam_time": "2026-03-01 09:00:00",
}
REPORT = {
    "hospital_code": HOSPITAL,
    "record_num": "R1",
    "ris_study_ids": ("RIS1",),
    "last_change_time": "2026-03-01 11:00:00",
    "deleted": False,
    "report_status": 3,
    "check_status": 4,
    "access_no": "R1",
    "patient_id": "P1",
    "his_patient_id": "H1",
    "lab_num": "L1",
    "modality": "CT",
    "report_doctor": "李医生",
    "confirm_doctor": "王主任",
    "report_time": "2026-03-01 10:30:00",
    "confirm_time": "2026-03-01 10:50:00",
    "positive": "2",
    "pdf_object": "",
    "pdf_path": "",
    "signed": False,
}
STUDY = {
    "study_uid": "1.2.3",
    "hospital_code": HOSPITAL,
    "patient_id": "P1",
    "patient_name": "张三",
    "patient_birth_date": "",
    "patient_sex": "M",
    "other_patient_ids": "",
    "accession_number": "A1",
    "study_id": "",
    "study_date": "20260301",
    "study_time": "090000",
    "description": "",
    "referring_physician": "",
    "institution": "",
    "modalities": "CT",
    "declared_charset": "",
    "used_charset": "",
    "oddities": "",
}


class World:
    """Puts rows in; `clock` is the time of the last arrival, in milliseconds."""

    def __init__(self, database: Database, clock: int = 1_772_330_000_000) -> None:
        self.database = database
        self.clock = clock

    def tick(self) -> int:
        self.clock += 1000
        return self.clock

    def submission(self, **given: Any) -> int:
        row = {
            "hospital_code": HOSPITAL,
            "interface": "exam-sync",
            "received_at": self.tick(),
            "peer": "10.0.0.1",
            "outcome": str(Outcome.ACCEPTED),
            "message": "上传成功",
            "findings": None,
            "body_kind": str(BodyKind.RECORD),
            "body": compress(b"{}"),
            "digest": b"\0" * 32,
            "edition": "shanxi/v2_1",
        } | given
        with self.database.write() as connection:
            return connection.execute(insert(submissions).values(row)).inserted_primary_key[0]

    def exam(self, **given: Any) -> int:
        """Inserts or replaces an exam, as an accepted submission does."""
        row = EXAM | given
        key = {"hospital_code": row["hospital_code"], "exam_key": row["ris_study_id"]}
        at = self.submission(**key, last_change_time=row["last_change_time"])
        row |= {
            "accession_numbers": comma_list(row["accession_numbers"]),
            "study_uids": comma_list(row["study_uids"]),
        }
        return self._put(exams, "ris_study_id", row, at, {"state": "", "waiting_for": "", "waiting_on": ""})

    def report(self, **given: Any) -> int:
        row = REPORT | given
        key = {
            "hospital_code": row["hospital_code"],
            "report_key": row["record_num"],
            "interface": "report-sync",
        }
        at = self.submission(**key, last_change_time=row["last_change_time"])
        row |= {"ris_study_ids": comma_list(row["ris_study_ids"])}
        return self._put(reports, "record_num", row, at, {"parked": True})

    def _put(self, table: Any, key: str, row: dict[str, Any], submission: int, first: dict[str, Any]) -> int:
        where = (table.c.hospital_code == row["hospital_code"]) & (table.c[key] == row[key])
        changed = {"submission_id": submission, "updated_at": self.clock, "link_due": True}
        with self.database.write() as connection:
            found = connection.scalar(select(table.c.id).where(where))
            if found is not None:
                connection.execute(update(table).where(where).values(row | changed))
                return found
            new = row | changed | first | {"first_received_at": self.clock}
            return connection.execute(insert(table).values(new)).inserted_primary_key[0]

    def images(self, count: int = 1, **given: Any) -> int:
        """`count` more instances of a study, as the indexer writes them."""
        row = STUDY | given
        at = self.tick()
        with self.database.write() as connection:
            found = connection.execute(
                select(studies.c.id, studies.c.instance_count).where(studies.c.study_uid == row["study_uid"])
            ).first()
            if found is None:
                counts = {"series_count": 1, "instance_count": 0, "byte_count": 0}
                new = row | counts | {"first_received_at": at, "updated_at": at, "link_due": True}
                study_id = connection.execute(insert(studies).values(new)).inserted_primary_key[0]
                had = 0
            else:
                study_id, had = found
            total = {"instance_count": had + count, "byte_count": 1000 * (had + count)}
            changed = total | {"updated_at": at, "link_due": True}
            connection.execute(update(studies).where(studies.c.id == study_id).values(changed))
            self._instances(connection, study_id, row, range(had, had + count), at)
        return study_id

    def _instances(
        self, connection: Any, study_id: int, row: dict[str, Any], numbers: range, at: int
    ) -> None:
        series_id = connection.scalar(select(series.c.id).where(series.c.study_id == study_id))
        if series_id is None:
            texts = dict.fromkeys(
                ("series_number", "description", "body_part", "manufacturer", "model_name", "station_name"),
                "",
            )
            new = {"study_id": study_id, "series_uid": f"{row['study_uid']}.1", "modality": row["modalities"]}
            times = {"first_received_at": at, "updated_at": at, "instance_count": 0}
            series_id = connection.execute(insert(series).values(texts | new | times)).inserted_primary_key[0]
        counted = series.c.instance_count + len(numbers)
        connection.execute(update(series).where(series.c.id == series_id).values(instance_count=counted))
        connection.execute(
            insert(instances),
            [self._instance(series_id, f"{row['study_uid']}.1.{n}", n, at) for n in numbers],
        )

    def _instance(self, series_id: int, uid: str, number: int, at: int) -> dict[str, Any]:
        return {
            "sop_uid": uid,
            "digest": uid.encode().ljust(32, b"\0")[:32],
            "series_id": series_id,
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
            "instance_number": str(number),
            "rows": 512,
            "columns": 512,
            "frames": 1,
            "segment": "seg-1",
            "offset": 1000 * number,
            "length": 1000,
            "dataset_offset": 132,
            "received_at": at,
            "calling_aet": "CT1",
            "called_aet": "YINGQIAO",
            "peer": "10.0.0.2",
            "oddities": "",
            "conflict": False,
            "shown": True,
        }

    def exam_row(self, ris_study_id: str = "RIS1", hospital_code: str = HOSPITAL) -> Any:
        where = (exams.c.ris_study_id == ris_study_id) & (exams.c.hospital_code == hospital_code)
        with self.database.read() as connection:
            return connection.execute(select(exams).where(where)).one()

    def links(self, ris_study_id: str = "RIS1") -> list[tuple[str, str, str]]:
        """(study uid, rule, findings) of an exam."""
        with self.database.read() as connection:
            rows = connection.execute(
                select(studies.c.study_uid, exam_studies.c.rule, exam_studies.c.findings)
                .join(exam_studies, exam_studies.c.study_id == studies.c.id)
                .join(exams, exams.c.id == exam_studies.c.exam_id)
                .where(exams.c.ris_study_id == ris_study_id)
                .order_by(studies.c.study_uid)
            )
            return [tuple(row) for row in rows]
