"""Model-based: whatever order exams, reports, images and updates arrive in, linking ends where the facts
alone lead.

The oracle knows no order: it applies the pure decision to all facts at once. The linker works in tiny
batches, between arrivals.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from sqlalchemy import select

from tests.integration.store.link_world import HOSPITAL, OTHER, World
from yingqiao.exchange import link
from yingqiao.exchange.link import ExamFacts, ReportFacts
from yingqiao.exchange.timeline import ReportState, report_state, state_of
from yingqiao.store.database import open_database
from yingqiao.store.link_rows import (
    EXAM_COLUMNS,
    REPORT_COLUMNS,
    STUDY_COLUMNS,
    exam_facts,
    report_facts,
    study_facts,
)
from yingqiao.store.linkage import link_all, link_batch, relink_all
from yingqiao.store.schema import exam_keys, exam_studies, exams, reports

# Small worlds meet more often: most things share a number, few have a UID.
RIS = st.sampled_from(["RIS1", "RIS2"])
HOSPITALS = st.sampled_from([HOSPITAL, OTHER])
UIDS = st.sampled_from([(), (), (), ("1.1",), ("1.1", "1.2")])
NUMBERS = st.sampled_from([("A1",), ("A1",), ("A1", "A2"), ("A2",), ("0",), ()])
NUMBER = st.sampled_from(["A1", "A1", "A2", "0"])
PATIENTS = st.sampled_from([("P1", "张三"), ("P2", "李四"), ("", "")])
DAYS = st.sampled_from(["2026-03-01 09:00:00", "2024-03-01 09:00:00", ""])


class Arrivals(RuleBasedStateMachine):
    """Puts things in, in any order, with the linker taking a small batch now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = open_database(Path(self.folder.name))
        self.database.migrate()
        self.world = World(self.database)

    @rule(
        ris=RIS,
        hospital=HOSPITALS,
        uids=UIDS,
        numbers=NUMBERS,
        patient=PATIENTS,
        day=DAYS,
        status=st.sampled_from([None, 1, 4, 5]),
        modality=st.sampled_from(["CT", "MR", "US"]),
        deleted=st.sampled_from([False, False, False, True]),
    )
    def exam_arrives(self, ris: str, hospital: str, patient: tuple[str, str], **given: Any) -> None:
        self.world.exam(
            ris_study_id=ris,
            hospital_code=hospital,
            study_uids=given["uids"],
            accession_numbers=given["numbers"],
            patient_id=patient[0],
            his_patient_id="",
            patient_name=patient[1],
            exam_time=given["day"],
            exam_status=given["status"],
            modality=given["modality"],
            img_exam_type="",
            deleted=given["deleted"],
        )

    @rule(
        record=st.sampled_from(["R1", "R2"]),
        hospital=HOSPITALS,
        named=st.lists(RIS, min_size=1, max_size=2, unique=True).map(tuple),
        access_no=NUMBER,
        status=st.sampled_from([None, 0, 1, 3, 5, 6]),
        deleted=st.booleans(),
    )
    def report_arrives(self, record: str, hospital: str, named: tuple[str, ...], **given: Any) -> None:
        self.world.report(
            record_num=record,
            hospital_code=hospital,
            ris_study_ids=named,
            access_no=given["access_no"],
            report_status=given["status"],
            check_status=None,
            deleted=given["deleted"],
        )

    @rule(
        uid=st.sampled_from(["1.1", "1.2", "1.3"]),
        sender=st.sampled_from([HOSPITAL, OTHER, "", ""]),
        number=NUMBER,
        patient=PATIENTS,
        modality=st.sampled_from(["CT", "MR"]),
    )
    def images_arrive(
        self, uid: str, sender: str, number: str, patient: tuple[str, str], modality: str
    ) -> None:
        self.world.images(
            1,
            study_uid=uid,
            hospital_code=sender,
            accession_number=number,
            patient_id=patient[0],
            patient_name=patient[1],
            modalities=modality,
        )

    @rule(batch=st.integers(1, 3))
    def linker_passes(self, batch: int) -> None:
        link_batch(self.database, batch)

    @rule()
    def linker_catches_up(self) -> None:
        link_all(self.database)

    def teardown(self) -> None:
        while link_batch(self.database, 2):
            pass
        incremental = self._derived()
        assert incremental == self._expected()
        relink_all(self.database)
        link_all(self.database)
        assert self._derived() == incremental
        self.database.close()
        self.folder.cleanup()

    def _derived(self) -> dict[str, Any]:
        with self.database.read() as connection:
            return {
                "links": {tuple(row) for row in connection.execute(select(exam_studies))},
                "keys": {tuple(row) for row in connection.execute(_KEYS)},
                "parked": dict(map(tuple, connection.execute(select(reports.c.id, reports.c.parked)))),
                "exams": {row.id: tuple(row)[1:] for row in connection.execute(_STANDINGS)},
            }

    def _expected(self) -> dict[str, Any]:
        with self.database.read() as connection:
            all_exams = [exam_facts(row) for row in connection.execute(select(*EXAM_COLUMNS))]
            all_reports = [report_facts(row) for row in connection.execute(select(*REPORT_COLUMNS))]
            all_studies = [study_facts(row) for row in connection.execute(select(*STUDY_COLUMNS))]
        own = {exam.id: reports_of(exam, all_reports) for exam in all_exams}
        access_nos = {i: {r.access_no for r in found if not r.deleted} for i, found in own.items()}
        decisions = [link.link_study(study, all_exams, access_nos) for study in all_studies]
        links = [made for decision in decisions for made in decision.links]
        held = {back.exam_id for decision in decisions for back in decision.held}
        known = {(exam.hospital_code, exam.ris_study_id) for exam in all_exams}
        standings = {}
        for exam in all_exams:
            rules = [made.rule for made in links if made.exam_id == exam.id]
            ids = {made.study_id for made in links if made.exam_id == exam.id}
            pictures = [study for study in all_studies if study.id in ids]
            at = state_of(exam, own[exam.id], pictures, rules, exam.id in held)
            images = sum(study.instance_count for study in pictures)
            counted = sum(report_state(r) is not ReportState.VOID for r in own[exam.id])
            needs = ",".join(at.waiting_for)
            standings[exam.id] = (str(at.state), needs, at.waiting_on, at.waiting_since, images, counted)
        return {
            "links": {(m.exam_id, m.study_id, str(m.rule), ",".join(m.findings)) for m in links},
            "keys": {(k, v, e.id) for e in all_exams for k, v in link.exam_keys(e, own[e.id])},
            "parked": {r.id: link.is_parked(r, known) for r in all_reports},
            "exams": standings,
        }


_KEYS = select(exam_keys.c.kind, exam_keys.c.value, exam_keys.c.exam_id)
_STANDINGS = select(
    exams.c.id,
    exams.c.state,
    exams.c.waiting_for,
    exams.c.waiting_on,
    exams.c.waiting_since,
    exams.c.image_count,
    exams.c.report_count,
)


def reports_of(exam: ExamFacts, found: Iterable[ReportFacts]) -> list[ReportFacts]:
    return [
        r for r in found if r.hospital_code == exam.hospital_code and exam.ris_study_id in r.ris_study_ids
    ]


TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
