"""What is missing, since when, who must act (T20, T21, T49, T60, T61, T71, T72), and how it is told."""

from __future__ import annotations

import pytest

from tests.unit.exchange.link_facts import T0, exam, report, study
from yingqiao.exchange.link import Link, Rule
from yingqiao.exchange.timeline import (
    NEED_NAMES,
    STATE_NAMES,
    ExamState,
    Need,
    ReportState,
    SubmissionFacts,
    beijing_ms,
    clock,
    events,
    report_state,
    state_of,
)


def test_complete() -> None:
    standing = state_of(exam(), [report()], [study()])
    assert (standing.state, standing.waiting_for, standing.waiting_on) == (ExamState.COMPLETE, (), "")


@pytest.mark.parametrize(
    ("status", "state", "needs"),
    [
        (1, ExamState.REGISTERED, (Need.EXAM,)),
        (2, ExamState.REGISTERED, (Need.EXAM,)),
        (3, ExamState.REGISTERED, (Need.EXAM,)),
        (4, ExamState.WAITING_IMAGES, (Need.IMAGES, Need.REPORT)),
        (5, ExamState.TERMINATED, ()),
        (None, ExamState.WAITING_IMAGES, (Need.IMAGES, Need.REPORT)),
    ],
)
def test_t20_exam_status(status: int | None, state: ExamState, needs: tuple[Need, ...]) -> None:
    """T20, T61: nothing is missing before 已检查; without a status the exam counts as performed."""
    standing = state_of(exam(exam_status=status), [], [])
    assert (standing.state, standing.waiting_for) == (state, needs)


def test_t20_what_is_here_outweighs_a_status_that_lags() -> None:
    assert state_of(exam(exam_status=1), [], [study()]).state is ExamState.WAITING_REPORT
    assert state_of(exam(exam_status=1), [report()], []).state is ExamState.WAITING_IMAGES
    assert state_of(exam(exam_status=1), [report(report_status=0)], []).state is ExamState.REGISTERED


@pytest.mark.parametrize(
    ("modality", "img_exam_type", "wanted"),
    [
        ("CT", "2", True),
        ("MR", "3", True),
        ("DX", "1", True),
        ("XA", "", True),
        ("NM", "5", True),
        ("US", "4", False),
        ("ES", "9", False),
        ("DX", "9", True),
        ("", "", False),
    ],
)
def test_t72_which_exams_need_images(modality: str, img_exam_type: str, wanted: bool) -> None:
    """T72, T73: X线, CT, MRI, ECT."""
    standing = state_of(exam(modality=modality, img_exam_type=img_exam_type), [report()], [])
    assert (Need.IMAGES in standing.waiting_for) is wanted


@pytest.mark.parametrize(
    ("report_status", "check_status", "deleted", "state"),
    [
        (0, None, False, ReportState.UNWRITTEN),
        (1, None, False, ReportState.UNAUDITED),
        (2, None, False, ReportState.AUDITED),
        (3, None, False, ReportState.AUDITED),
        (4, None, False, ReportState.UNWRITTEN),
        (5, None, False, ReportState.NONE_DUE),
        (6, None, False, ReportState.VOID),
        (9, None, False, ReportState.UNAUDITED),
        (None, 1, False, ReportState.UNWRITTEN),
        (None, 2, False, ReportState.UNWRITTEN),
        (None, 3, False, ReportState.UNAUDITED),
        (None, 4, False, ReportState.AUDITED),
        (3, 5, False, ReportState.VOID),
        (3, 4, True, ReportState.VOID),
        (1, 4, False, ReportState.UNAUDITED),
        (None, None, False, ReportState.AUDITED),
    ],
)
def test_t61_three_enumerations_kept_apart(
    report_status: int | None, check_status: int | None, deleted: bool, state: ReportState
) -> None:
    """T21, T60, T61."""
    given = report(report_status=report_status, check_status=check_status, deleted=deleted)
    assert report_state(given) is state


def test_t21_reports_of_every_state() -> None:
    """T21: an unwritten report is awaited, an unaudited one audited, none due none, a void one as if not
    there."""
    here = [study()]
    wanted = {0: Need.REPORT, 1: Need.AUDIT, 3: None, 4: Need.REPORT, 5: None, 6: Need.REPORT}
    for status, need in wanted.items():
        given = report(report_status=status, check_status=None)
        assert state_of(exam(), [given], here).waiting_for == ((need,) if need else ())
    both = [report(), report(id=2, record_num="R2", report_status=1)]
    assert state_of(exam(), both, here).state is ExamState.WAITING_AUDIT


def test_t60_deletion_hides() -> None:
    assert state_of(exam(deleted=True), [report()], [study()]).state is ExamState.DELETED


def test_t49_every_listed_study_is_awaited() -> None:
    """T49, until a number shows that the list is wrong."""
    listed = exam(study_uids=("1.2.3", "4.5.6"))
    assert state_of(listed, [report()], [study()], [Rule.STUDY_UID]).waiting_for == (Need.IMAGES,)
    assert state_of(listed, [report()], [study()], [Rule.ACCESSION]).waiting_for == ()


def test_who_must_act() -> None:
    """The hospital, unless images are here that only the gateway's people can assign."""
    assert state_of(exam(), [], []).waiting_on == "hospital"
    assert state_of(exam(), [], [], held=True).waiting_on == "gateway"
    assert state_of(exam(), [], [study()], held=True).waiting_on == "hospital"


def test_since_when() -> None:
    """From the examination, as far as it is believable: not before we knew, not after the last change."""
    during = clock(T0 + 500_000)
    late = exam(exam_time=during, updated_at=T0 + 900_000)
    assert state_of(late, [], []).waiting_since == T0 // 1000 * 1000 + 500_000
    assert state_of(exam(exam_time="2020-01-01 00:00:00"), [], []).waiting_since == T0
    assert state_of(exam(exam_time="2099-01-01 00:00:00"), [], []).waiting_since == T0 + 1000
    assert state_of(exam(exam_time=""), [], []).waiting_since == T0
    pending = report(report_status=1, report_time="", first_received_at=T0 + 7)
    assert state_of(exam(), [pending], [study()]).waiting_since == T0 + 7


def test_times_are_beijing() -> None:
    """T55."""
    assert beijing_ms("1970-01-01 08:00:00") == 0
    assert clock(0) == "1970-01-01 08:00:00"
    assert beijing_ms("") is None


def sub(number: int, changed: str, **given: object) -> SubmissionFacts:
    values = {
        "id": number,
        "interface": "exam-sync",
        "received_at": T0 + number,
        "accepted": True,
        "exam_key": "RIS1",
        "report_key": "",
        "last_change_time": changed,
        "message": "上传成功",
    }
    return SubmissionFacts(**(values | given))  # type: ignore[arg-type]


def test_timeline_tells_versions_refusals_and_what_is_missing() -> None:
    """T71: stale versions are told as such; refusals too; what is missing ends the story."""
    given = [
        sub(1, "2026-03-01 10:00:00", accepted=False, message="数据校验未通过"),
        sub(2, "2026-03-01 10:00:00", finding_count=2),
        sub(3, "2026-03-01 12:00:00", replay_of=1),
        sub(4, "2026-03-01 11:00:00"),
        sub(5, "2026-03-01 11:00:00", exam_key="", report_key="R1"),
    ]
    standing = state_of(exam(), [report(report_status=1)], [])
    told = events(exam(), given, [report(report_status=1)], [], standing)
    assert [event.kind for event in told] == [
        "refused",
        "exam-received",
        "exam-updated",
        "exam-stale",
        "report-received",
        "waiting",
    ]
    assert "数据校验未通过" in told[0].text
    assert "2 项数据质量提示" in told[1].text
    assert "重放第 1 号" in told[2].text
    assert "未覆盖" in told[3].text
    assert "影像、报告审核" in told[-1].text
    assert "医疗机构" in told[-1].text


def test_timeline_tells_images_and_audit() -> None:
    link = Link(1, 1, Rule.ACCESSION, ("name-differs",))
    told = events(exam(), [], [report()], [(study(), link)], state_of(exam(), [report()], [study()]))
    texts = {event.kind: event.text for event in told}
    assert "检查号 accessionNumber 一致" in texts["study-linked"]
    assert "姓名不一致" in texts["study-linked"]
    assert "3 幅（CT" in texts["images-arrived"]
    assert "王主任" in texts["report-audited"]


def test_a_merged_upload_is_told_as_both() -> None:
    """T26: one submission, an exam and a report."""
    told = events(exam(), [sub(1, "", report_key="R1")], [], [], state_of(exam(), [], []))
    assert [event.kind for event in told][:2] == ["exam-received", "report-received"]


def test_every_state_has_words() -> None:
    assert set(STATE_NAMES) == set(ExamState)
    assert set(NEED_NAMES) == set(Need)
