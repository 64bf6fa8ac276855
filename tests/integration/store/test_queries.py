"""What the lists and details show, the same on both databases."""

import orjson
import pytest
from sqlalchemy import text

from tests.integration.store.link_world import HOSPITAL, OTHER, World
from yingqiao.exchange.model import Outcome
from yingqiao.exchange.timeline import ExamState, Need
from yingqiao.store import queries
from yingqiao.store.compression import compress
from yingqiao.store.database import Database
from yingqiao.store.linkage import link_all
from yingqiao.store.queries import ExamFilter, Range, ReportFilter, StudyFilter, SubmissionFilter

FINDING = {
    "field": "patName",
    "label": "姓名",
    "rule": "required",
    "level": "refuse",
    "problem": "不能为空",
    "mend": "请填写",
}


@pytest.fixture
def world(database: Database) -> World:
    world = World(database)
    world.exam()
    world.report()
    world.images(3)
    world.exam(
        ris_study_id="RIS2",
        patient_name="李四",
        patient_id="P2",
        his_patient_id="H2",
        accession_numbers=("A2", "A22"),
        study_uids=(),
        modality="MR",
        img_exam_type="3",
        is_emergency=True,
        exam_time="2026-03-02 09:00:00",
    )
    world.exam(
        ris_study_id="RIS3",
        hospital_code=OTHER,
        exam_status=1,
        accession_numbers=(),
        study_uids=(),
        exam_time="",
    )
    world.exam(ris_study_id="RIS4", deleted=True, accession_numbers=("A4",), study_uids=())
    world.report(record_num="R9", ris_study_ids=("NONE",), report_status=1)
    world.images(
        2, study_uid="7.7", accession_number="", patient_id="P2", modalities="MR", study_date="20260302"
    )
    link_all(database)
    return world


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ExamFilter(), ["RIS3", "RIS2", "RIS1"]),
        (ExamFilter(deleted=None), ["RIS4", "RIS3", "RIS2", "RIS1"]),
        (ExamFilter(deleted=True), ["RIS4"]),
        (ExamFilter(hospital_code=OTHER), ["RIS3"]),
        (ExamFilter(ris_study_id="RIS2"), ["RIS2"]),
        (ExamFilter(patient_name="张"), ["RIS3", "RIS1"]),
        (ExamFilter(patient_name="%"), []),
        (ExamFilter(his_patient_id="H2"), ["RIS2"]),
        (ExamFilter(patient_id="P2"), ["RIS2"]),
        (ExamFilter(received=Range(0, 1_772_330_000_000)), []),
        (ExamFilter(received=Range(1_772_330_000_000, 1_872_330_000_000)), ["RIS3", "RIS2", "RIS1"]),
        (
            ExamFilter(hospital_code=HOSPITAL, exam_time=Range("2026-03-01", "2026-03-03")),
            ["RIS2", "RIS1"],
        ),
        (ExamFilter(accession_number="A22"), ["RIS2"]),
        (ExamFilter(study_uid="1.2.3"), ["RIS1"]),
        (ExamFilter(modality="MR"), ["RIS2"]),
        (ExamFilter(state=ExamState.COMPLETE), ["RIS1"]),
        (ExamFilter(state=ExamState.REGISTERED), ["RIS3"]),
        (ExamFilter(waiting_for=Need.IMAGES), ["RIS2"]),
        (ExamFilter(waiting_for=Need.REPORT), ["RIS2"]),
        (ExamFilter(waiting_on="hospital"), ["RIS3", "RIS2"]),
        (ExamFilter(emergency=True), ["RIS2"]),
        (ExamFilter(exam_time=Range("2026-03-02", "2026-03-03")), ["RIS2"]),
        (ExamFilter(text="A22"), ["RIS2"]),
        (ExamFilter(text="李"), ["RIS2"]),
    ],
)
def test_exam_filters(world: World, wanted: ExamFilter, found: list[str]) -> None:
    """Every filter people would expect."""
    with world.database.read() as connection:
        page = queries.list_exams(connection, wanted, with_total=True)
    assert [exam.ris_study_id for exam in page.items] == found
    assert page.total == len(found)


def test_pages_and_totals(world: World) -> None:
    with world.database.read() as connection:
        first = queries.list_exams(connection, limit=2, with_total=True)
        second = queries.list_exams(connection, limit=2, offset=2, with_total=True)
        beyond = queries.list_exams(connection, limit=2, offset=8, with_total=True)
        with pytest.raises(ValueError):
            queries.list_exams(connection, limit=0)
        with pytest.raises(ValueError):
            queries.list_exams(connection, order="nonsense")
    assert [len(page.items) for page in (first, second, beyond)] == [2, 1, 0]
    assert {page.total for page in (first, second, beyond)} == {3}


def test_exam_detail(world: World) -> None:
    """One exam: record, reports, studies, versions, timeline."""
    with world.database.read() as connection:
        detail = queries.show_exam(connection, HOSPITAL, "RIS1")
        assert queries.show_exam(connection, HOSPITAL, "RIS999") is None
        assert queries.show_exam(connection, OTHER, "RIS1") is None
    assert detail is not None
    assert (detail.exam.state_name, detail.exam.image_count) == ("齐全", 3)
    assert [report.record_num for report in detail.reports] == ["R1"]
    assert [(s.study_uid, s.rule, s.instance_count) for s in detail.studies] == [("1.2.3", "study-uid", 3)]
    kinds = [event.kind for event in detail.timeline]
    assert set(kinds) >= {
        "exam-received",
        "report-received",
        "study-linked",
        "images-arrived",
        "report-audited",
    }


def test_record_of_the_version_shown(world: World) -> None:
    """The values are those of the newest version, also of a merged upload (T26)."""
    body = compress(
        orjson.dumps({"patient": {"risStudyId": "M1", "patName": "王五"}, "report": {"recordNum": "RM"}})
    )
    world.exam(ris_study_id="M1")
    world.report(record_num="RM", ris_study_ids=("M1",))
    with world.database.write() as connection:
        connection.execute(text("UPDATE submissions SET body = :body"), {"body": body})
    with world.database.read() as connection:
        assert queries.show_exam(connection, HOSPITAL, "M1").values["patName"] == "王五"
        assert queries.show_report(connection, HOSPITAL, "RM").values == {"recordNum": "RM"}


def test_missing_images_come_with_suggestions(world: World) -> None:
    """An exam without images shows studies that look like its own; nothing is linked by patient alone."""
    with world.database.read() as connection:
        detail = queries.show_exam(connection, HOSPITAL, "RIS2")
    assert detail.studies == ()
    assert [(c.study_uid, c.instance_count) for c in detail.candidates] == [("7.7", 2)]


def test_stale_and_refused_submissions_in_the_timeline(world: World) -> None:
    """T71: an older version is kept and shown as such; refusals about the key too."""
    world.submission(exam_key="RIS1", last_change_time="2026-02-01 00:00:00")
    world.submission(
        exam_key="RIS1",
        outcome=str(Outcome.REFUSED),
        message="数据校验未通过",
        findings=orjson.dumps([FINDING]).decode(),
    )
    with world.database.read() as connection:
        detail = queries.show_exam(connection, HOSPITAL, "RIS1")
    kinds = [event.kind for event in detail.timeline]
    assert [kind for kind in kinds if kind in ("exam-stale", "refused")] == ["exam-stale", "refused"]
    assert [version.shown for version in detail.versions] == [True, False, False]


def test_studies_and_orphans(world: World) -> None:
    with world.database.read() as connection:
        everything = queries.list_studies(connection, with_total=True)
        orphans = queries.list_studies(connection, StudyFilter(orphan=True))
        joined = queries.list_studies(connection, StudyFilter(orphan=False))
        mr = queries.list_studies(connection, StudyFilter(modality="MR"))
        detail = queries.show_study(connection, "1.2.3")
        assert queries.show_study(connection, "none") is None
    assert (everything.total, [s.study_uid for s in orphans.items]) == (2, ["7.7"])
    assert [s.study_uid for s in joined.items] == ["1.2.3"]
    assert [s.study_uid for s in mr.items] == ["7.7"]
    assert [e.ris_study_id for e in detail.exams] == ["RIS1"]
    assert [len(s.instances) for s in detail.series] == [3]
    assert (detail.conflict_count, detail.truncated) == (0, False)


def test_reports_and_parked(world: World) -> None:
    """T75."""
    with world.database.read() as connection:
        parked = queries.list_reports(connection, ReportFilter(parked=True))
        of_exam = queries.list_reports(connection, ReportFilter(ris_study_id="RIS1", hospital_code=HOSPITAL))
        detail = queries.show_report(connection, HOSPITAL, "R9")
        assert queries.show_report(connection, HOSPITAL, "none") is None
    assert [(r.record_num, r.state_name) for r in parked.items] == [("R9", "待审核")]
    assert [r.record_num for r in of_exam.items] == ["R1"]
    assert [(e.ris_study_id, e.here) for e in detail.exams] == [("NONE", False)]


def test_submissions(world: World) -> None:
    made = world.submission(
        exam_key="RISX",
        outcome=str(Outcome.REFUSED),
        message="数据校验未通过",
        findings=orjson.dumps([FINDING]).decode(),
        body=compress(b'{"risStudyId":"RISX"}'),
    )
    world.submission(
        body_kind="envelope", body=compress(b"\xff not json"), hospital_code="", outcome="refused"
    )
    with world.database.read() as connection:
        refused = queries.list_submissions(
            connection, SubmissionFilter(outcome=Outcome.REFUSED, hospital_code=HOSPITAL)
        )
        since = queries.list_submissions(connection, SubmissionFilter(received=Range(world.clock)))
        detail = queries.show_submission(connection, made)
        opaque = queries.show_submission(connection, made + 1)
        assert queries.show_submission(connection, 10**9) is None
    assert [s.id for s in refused.items] == [made]
    assert [s.id for s in since.items] == [made + 1]
    assert (detail.values, detail.findings[0]["label"]) == ({"risStudyId": "RISX"}, "姓名")
    assert (opaque.values, opaque.body) == ({}, "\ufffd not json")


def test_summary_of_a_day(world: World) -> None:
    """Received, refused and why, linked, still missing."""
    world.submission(outcome="refused", message="x", findings=orjson.dumps([FINDING]).decode())
    with world.database.read() as connection:
        days = queries.summarize(connection, world.clock - 86_400_000, world.clock + 1)
    ours = next(day for day in days if day.hospital_code == HOSPITAL)
    assert (ours.accepted, ours.refused, ours.exams) == (5, 1, 2)
    assert [(r.text, r.count) for r in ours.reasons] == [("姓名：不能为空", 1)]
    assert ours.states == {"complete": 1, "waiting-images": 1}
    assert ours.missing == {"images": 1, "report": 1}
    assert (ours.with_images, ours.with_report, ours.reports, ours.parked_reports) == (1, 1, 2, 1)
    assert (ours.studies, ours.orphan_studies, ours.images, ours.image_bytes) == (2, 1, 5, 5000)
