"""The plan of a pull: what is asked (T52), what is believed, what is fetched, what came of it (Q/R 模式)."""

from __future__ import annotations

import pytest

from tests.unit.exchange.link_facts import exam, report
from yingqiao.exchange.pull import (
    MANY_STUDIES,
    Outcome,
    PacsSeries,
    PacsStudy,
    Query,
    QueryKind,
    Result,
    Sent,
    access_no_queries,
    judge,
    mark_of,
    meets,
    nothing_found,
    number_queries,
    outcome_of,
    patient_queries,
    plan_study,
    suggestions,
    uid_queries,
    unfound_uids,
    wants_pull,
    words_of,
)

BY_NUMBER = Query(QueryKind.ACCESSION, "A1")


def offered(**given: object) -> PacsStudy:
    values: dict[str, object] = {
        "study_uid": "1.2.3",
        "patient_id": "P1",
        "patient_name": "张三",
        "accession_number": "A1",
        "study_date": "20260301",
        "modalities": "CT",
    }
    return PacsStudy(**(values | given))  # type: ignore[arg-type]


def test_an_audited_report_of_an_exam_with_images_wants_a_pull():
    assert wants_pull(exam(), [report()])
    assert not wants_pull(exam(), [])
    assert not wants_pull(exam(), [report(report_status=1, check_status=3)])
    assert not wants_pull(exam(), [report(deleted=True)])
    assert not wants_pull(exam(deleted=True), [report()])
    assert not wants_pull(exam(exam_status=5), [report()])


def test_exams_without_images_of_ours_want_none():
    """T72: 超声 and 内镜 are complete without images."""
    assert not wants_pull(exam(modality="US", img_exam_type="4"), [report()])


def test_the_mark_changes_with_what_the_pull_depends_on():
    mark = mark_of(exam(), [report()])
    assert mark == mark_of(exam(updated_at=9), [report(updated_at=9)])
    assert mark != mark_of(exam(accession_numbers=("A1", "A2")), [report()])
    assert mark != mark_of(exam(study_uids=("1.2.3",)), [report()])
    assert mark != mark_of(exam(patient_name="李四"), [report()])
    assert mark != mark_of(exam(), [report(confirm_time="2026-03-02 09:00:00")])
    assert mark != mark_of(exam(), [report(), report(id=2, record_num="R2")])


def test_queries_go_in_the_order_of_t52():
    wanted = exam(accession_numbers=("A1", "0", "A2"), study_uids=("1.2.3", "1.2.4"))
    assert [q.keys() for q in number_queries(wanted)] == [
        {"AccessionNumber": "A1"},
        {"AccessionNumber": "A2"},
    ]
    assert [q.keys() for q in uid_queries(wanted, {"1.2.3"})] == [{"StudyInstanceUID": "1.2.4"}]
    assert [q.value for q in access_no_queries(wanted, [report(access_no="X9"), report(access_no="A1")])] == [
        "X9"
    ]
    assert access_no_queries(wanted, [report(access_no="无"), report(access_no="X9", deleted=True)]) == ()


def test_patient_and_day_are_asked_for_one_day_either_side():
    assert [q.keys() for q in patient_queries(exam())] == [
        {"PatientID": "P1", "StudyDate": "20260228-20260302"},
        {"PatientID": "HIS1", "StudyDate": "20260228-20260302"},
    ]
    assert patient_queries(exam(exam_time="")) == ()


def test_a_study_with_the_number_and_the_patient_is_accepted():
    judged = judge(exam(), [report()], BY_NUMBER, [offered()])
    assert [s.study_uid for s in judged.accepted] == ["1.2.3"]
    assert not judged.refused


def test_a_pacs_that_ignores_the_key_is_not_believed():
    others = [offered(study_uid="1.9", accession_number="B7", patient_id="P9", patient_name="李四")]
    judged = judge(exam(), [report()], BY_NUMBER, [offered(), *others])
    assert [s.study_uid for s in judged.accepted] == ["1.2.3"]
    assert "不符" in judged.refused[0].reason
    crowd = [offered(study_uid=f"1.{n}") for n in range(MANY_STUDIES + 1)]
    assert not judge(exam(), [report()], BY_NUMBER, crowd).accepted


def test_a_number_that_comes_again_years_later_is_not_pulled():
    """Patient and date both speak against it, as in `exchange.link`."""
    again = offered(study_uid="1.8", patient_id="P7", patient_name="王五", study_date="20190301")
    judged = judge(exam(), [report()], BY_NUMBER, [again])
    assert not judged.accepted
    assert "患者与日期均不一致" in judged.refused[0].reason


def test_of_several_with_the_number_those_of_the_patient_are_pulled():
    stranger = offered(study_uid="1.8", patient_id="P7", patient_name="王五")
    judged = judge(exam(), [report()], BY_NUMBER, [stranger, offered()])
    assert [s.study_uid for s in judged.accepted] == ["1.2.3"]
    assert [no.study.study_uid for no in judged.refused] == ["1.8"]


def test_an_answer_without_number_counts_only_with_the_patient():
    assert judge(exam(), [report()], BY_NUMBER, [offered(accession_number="")]).accepted
    nameless = offered(accession_number="", patient_id="", patient_name="")
    assert not judge(exam(), [report()], BY_NUMBER, [nameless]).accepted
    named = exam(study_uids=("1.2.3",))
    assert judge(named, [report()], BY_NUMBER, [nameless]).accepted


def test_access_no_finds_by_the_report():
    query = Query(QueryKind.ACCESS_NO, "X9")
    judged = judge(exam(), [report(access_no="X9")], query, [offered(accession_number="X9")])
    assert [s.study_uid for s in judged.accepted] == ["1.2.3"]


def test_patient_and_day_only_suggest():
    query = Query(QueryKind.PATIENT_DAY, "P1", "20260228-20260302")
    mistyped = offered(accession_number="A1X")
    older = offered(study_uid="1.7", study_date="20251201")
    assert [s.study_uid for s in suggestions(exam(), query, [older, mistyped])] == ["1.2.3"]
    words = nothing_found([BY_NUMBER, query], [], [mistyped])
    assert "1.2.3" in words
    assert "张三" not in words


def series(uid: str, count: int | None) -> PacsSeries:
    return PacsSeries(uid, "CT", "1", "", count)


def test_what_is_short_is_wanted():
    plan = plan_study("1", [series("a", 10), series("b", 5), series("c", 7)], {"a": 10, "b": 3, "z": 2})
    assert [(s.series_uid, s.missing) for s in plan.wanted] == [("b", 2), ("c", 7)]
    assert (plan.expected, plan.here, plan.missing) == (22, 13, 9)
    assert not plan.whole


def test_a_study_of_which_nothing_is_here_is_wanted_whole():
    assert plan_study("1", [series("a", 10), series("b", 5)], {}).whole
    assert not plan_study("1", [series("a", 0)], {}).wanted


def test_a_pacs_that_does_not_count_is_asked_once_for_each_series():
    plan = plan_study("1", [series("a", None), series("b", None)], {"a": 4})
    assert [s.series_uid for s in plan.wanted] == ["b"]


def test_only_the_series_asked_for():
    plan = plan_study("1", [series("a", 10), series("b", 5)], {}, only=("b",))
    assert [s.series_uid for s in plan.wanted] == ["b"]


PLAN = plan_study("1", [series("a", 10), series("b", 5)], {"a": 4})
FRESH = plan_study("1", [series("a", 10), series("b", 5)], {})


@pytest.mark.parametrize(
    ("plan", "after", "sent", "result", "said"),
    [
        (PLAN, {"a": 10, "b": 5}, Sent(11), Result.COMPLETE, "调取 11 幅"),
        (PLAN, {"a": 10, "b": 6}, Sent(11), Result.COMPLETE, "PACS 有 15 幅"),
        (PLAN, {"a": 9, "b": 5}, Sent(10, 1), Result.SHORT, "还缺 1 幅"),
        (PLAN, {"a": 4}, Sent(11), Result.STUCK, "报告已发送 11 幅，但所缺的 11 幅没有到"),
        (FRESH, {}, Sent(15), Result.NOWHERE, "PACS 报告已发送 15 幅，本机收到 0 幅"),
        (FRESH, {}, Sent(0, 15, comment="no route"), Result.NOT_SENT, "失败 15 幅（no route）"),
        (plan_study("1", [series("a", 4)], {"a": 4}), {"a": 4}, Sent(), Result.ALREADY, "已齐"),
    ],
)
def test_what_came_of_it(plan, after: dict[str, int], sent: Sent, result: Result, said: str):
    """Counts per series before and after decide, not what the PACS says it sent."""
    outcome = outcome_of(plan, after, sent)
    assert isinstance(outcome, Outcome)
    assert outcome.result is result
    assert said in outcome.words


@pytest.mark.parametrize(
    ("key", "state", "said"),
    [
        ("exam:1@main", "done", "从 PACS 节点 main 调取影像：完成，3/3 幅"),
        ("exam:1@main+1", "delayed", "从 PACS 节点 main 复查是否增加影像：未到时间，3/3 幅；为何"),
        ("exam:1@main!", "retrying", "从 PACS 节点 main 调取影像：待重试，3/3 幅；为何"),
    ],
)
def test_a_pull_as_a_line_of_the_timeline(key: str, state: str, said: str):
    assert words_of(key, state, "为何", 3, 3) == said


def test_listed_studies_that_were_not_found():
    """T49: several studyUids; once a study was found by its number the list is known to be wrong."""
    listed = exam(study_uids=("1.2.3", "1.2.4"))
    assert unfound_uids(listed, [offered()]) == ("1.2.4",)
    assert unfound_uids(listed, [offered(study_uid="9")]) == ()
    assert unfound_uids(listed, [offered(), offered(study_uid="1.2.4")]) == ()
    assert unfound_uids(exam(), [offered()]) == ()


def test_what_a_person_asks_for_is_met_or_left_out():
    assert meets(BY_NUMBER, offered())
    assert meets(BY_NUMBER, offered(accession_number=""))
    assert not meets(BY_NUMBER, offered(accession_number="B"))
    day = Query(QueryKind.PATIENT_DAY, "P1", "20260301")
    assert meets(day, offered())
    assert not meets(day, offered(study_date="20260302"))
    assert not meets(day, offered(patient_id="P2"))
    assert not meets(Query(QueryKind.STUDY_UID, "1.2"), offered())
