"""The walk of a request from its body to a submission and an answer."""

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.exchange.records import (
    CODE,
    EDITION,
    KEY,
    NEXT_KEY,
    NOW_MS,
    OTHER_CODE,
    PDF,
    PDF_TEXT,
    body,
    exam,
    hospital,
    receiver,
    report,
    take,
)
from yingqiao.exchange.model import BodyKind, Level, Outcome, Submission
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.receive import Kept, Taken

PDF_DIGEST = f"sha256:{hashlib.sha256(PDF).hexdigest()}"


def only(taken: Taken) -> Submission:
    (submission,) = taken.submissions
    return submission


def rules(taken: Taken) -> set[tuple[str, str]]:
    return {(f.field, f.rule) for f in only(taken).findings}


def kept(taken: Taken, number: int = 7) -> Kept:
    s = only(taken)
    return Kept(number, s.interface, s.hospital_code, s.peer, s.received_at, s.body_kind, s.body, s.digest)


def load(digest: str) -> bytes | None:
    return PDF if digest == PDF_DIGEST else None


def test_a_whole_exam_is_accepted():
    """四(二)1.(1): the plaintext is kept byte for byte, the answer is a receipt."""
    plaintext = orjson.dumps(exam())
    taken = take(plaintext)
    submission = only(taken)
    assert (taken.http_status, taken.answer.code, taken.answer.message) == (200, 1, "上传成功")
    assert taken.answer.content == {"risStudyId": "RIS-2025-000001", "digest": submission.digest.hex()}
    assert (submission.outcome, submission.body_kind, submission.body) == (
        Outcome.ACCEPTED,
        BodyKind.RECORD,
        plaintext,
    )
    assert submission.digest == hashlib.sha256(plaintext).digest()
    assert (submission.interface, submission.hospital_code, submission.peer) == (
        "exam-sync",
        CODE,
        "10.0.0.8",
    )
    assert submission.edition == EDITION.id
    assert submission.report is None


def test_the_columns_of_an_exam():
    row = only(
        take(exam(studyUid="1.2.3,1.2.4", accessionNumber="A1，A2", lastChangeTime="20251231103000"))
    ).exam
    assert row is not None
    assert (row.hospital_code, row.ris_study_id) == (CODE, "RIS-2025-000001")
    assert row.last_change_time == "2025-12-31 10:30:00"
    assert (row.study_uids, row.accession_numbers) == (("1.2.3", "1.2.4"), ("A1", "A2"))
    assert (row.exam_status, row.deleted, row.is_emergency) == (4, False, False)
    assert (row.patient_name, row.sex, row.age, row.patient_from) == ("张三", "1", "35Y", "1")
    assert row.exam_time == "2025-12-31 08:30:00"


def test_the_time_of_an_exam_is_the_best_there_is():
    """checkFinishTime, else registerTime, else applyTime."""
    names = ("checkFinishTime", "registerTime", "applyTime")
    times = {name: f"2025-12-31 0{i}:00:00" for i, name in enumerate(names)}
    for i, name in enumerate(names):
        row = only(take(exam(examStatus=1, **times | dict.fromkeys(names[:i])))).exam
        assert row is not None
        assert row.exam_time == times[name]


def test_a_report_with_its_pdf():
    """四(二)1.(2), T24, T74: the PDF leaves the record, byte for byte the rest stays."""
    plaintext = orjson.dumps(report())
    taken = take(plaintext, "report-sync")
    submission = only(taken)
    assert (taken.answer.code, submission.findings) == (1, ())
    (document,) = submission.documents
    assert (document.field, document.digest, document.content) == ("reportPdfBase64", PDF_DIGEST, PDF)
    assert submission.body == plaintext.replace(PDF_TEXT.encode(), f"object:{PDF_DIGEST}".encode())
    assert submission.digest == hashlib.sha256(plaintext).digest()
    row = submission.report
    assert row is not None
    assert (row.pdf_object, row.signed, row.record_num) == (PDF_DIGEST, True, "REP-2025-000001")
    assert row.ris_study_ids == ("RIS-2025-000001",)
    assert (row.report_status, row.check_status, row.positive) == (3, 4, "1")


def test_t25_the_alias_of_the_pdf():
    """T25."""
    submission = only(
        take(report(reportPdfBase64=None) | {"pdfBase64": PDF_TEXT, "uploadAgain": 0}, "report-sync")
    )
    assert submission.outcome is Outcome.ACCEPTED
    assert submission.documents[0].digest == PDF_DIGEST
    assert orjson.loads(submission.body)["pdfBase64"] == f"object:{PDF_DIGEST}"
    assert orjson.loads(submission.body)["uploadAgain"] == 0


def test_t74_escaped_base64_is_taken_out_too():
    r"""T74: a sender may escape `/` as `\/`."""
    paper = PDF.replace(b"1 0 obj", b"\xff\xff\xff\xff\xfe")
    text = pybase64.b64encode(paper).decode()
    assert "/" in text
    submission = only(take(orjson.dumps(report(reportPdfBase64=text)).replace(b"/", b"\\/"), "report-sync"))
    assert submission.documents[0].content == paper
    assert orjson.loads(submission.body) == report(reportPdfBase64=f"object:{submission.documents[0].digest}")


@pytest.mark.parametrize(
    "text", [PDF_TEXT[:40] + "\r\n" + PDF_TEXT[40:], "data:application/pdf;base64," + PDF_TEXT]
)
def test_t74_line_breaks_and_a_data_uri_are_tolerated(text: str):
    """T74."""
    assert only(take(report(reportPdfBase64=text), "report-sync")).documents[0].digest == PDF_DIGEST


@pytest.mark.parametrize(
    "text", ["这不是", "aGVsbG8=", pybase64.b64encode(PDF[:-8]).decode(), f"object:{PDF_DIGEST}", "QUJD"]
)
def test_t74_what_is_no_pdf_is_refused(text: str):
    """T74: a reference of ours is no PDF either; the body stays as sent, to be replayed
    under another profile.
    """
    plaintext = orjson.dumps(report(reportPdfBase64=text))
    taken = take(plaintext, "report-sync")
    assert ("reportPdfBase64", "pdf") in rules(taken)
    assert (taken.answer.code, only(taken).body, only(taken).documents) == (0, plaintext, ())
    lenient = take(plaintext, "report-sync", hospital(Profile(grades={"pdf": Level.WARN})))
    assert lenient.answer.code == 1
    assert only(lenient).report is not None


def test_a_refusal_lists_all_findings():
    taken = take(exam(patName=None, idCard=None, sex="7"))
    assert (taken.http_status, taken.answer.code) == (200, 0)
    assert taken.answer.message == "数据校验未通过：姓名（patName）该字段必填，但未填写等共 2 项"
    assert {(f["field"], f["level"]) for f in taken.answer.content} == {
        ("patName", "refuse"),
        ("idCard", "refuse"),
        ("sex", "warn"),
    }
    assert set(taken.answer.content[0]) == {"field", "label", "rule", "level", "problem", "mend"}
    submission = only(taken)
    assert (submission.outcome, submission.exam, submission.body_kind) == (
        Outcome.REFUSED,
        None,
        BodyKind.RECORD,
    )


def test_warnings_come_with_the_success():
    taken = take(exam(sex="7", patientFrom=8))
    assert (taken.answer.code, taken.answer.message) == (1, "上传成功，另有2项数据质量提示")
    assert len(taken.answer.content["findings"]) == 2


def test_t08_t09_the_answer_is_real_json_with_an_integer_code():
    """T08, T09."""
    answer = orjson.loads(take(exam()).answer.to_json())
    assert answer["code"] == 1
    assert list(answer) == ["code", "message", "content"]


def test_t11_refusals_are_http_200_malformed_bodies_400():
    """T11."""
    malformed = receiver().take("exam-sync", b"{oops", peer="p", received_at=NOW_MS)
    assert (malformed.http_status, malformed.answer.code, malformed.submissions) == (400, 0, ())
    assert "JSON" in malformed.answer.message
    unknown = receiver().take("exam-sync", body(exam(), code="X" * 90), peer="p", received_at=NOW_MS)
    assert (unknown.http_status, unknown.answer.code, unknown.submissions) == (200, 0, ())
    assert "未登记" in unknown.answer.message


def test_unknown_hospitals_are_kept_only_when_the_policy_says_so():
    raw = body(exam(), code=OTHER_CODE)
    submission = only(receiver(keep_unknown=True).take("exam-sync", raw, peer="p", received_at=NOW_MS))
    assert (submission.hospital_code, submission.body_kind, submission.body) == (
        OTHER_CODE,
        BodyKind.ENVELOPE,
        raw,
    )
    assert submission.digest == hashlib.sha256(raw).digest()


def test_what_cannot_be_opened_is_kept_as_it_came():
    raw = body(exam(), NEXT_KEY)
    taken = receiver().take("exam-sync", raw, peer="p", received_at=NOW_MS)
    assert (only(taken).body_kind, only(taken).body, only(taken).hospital_code) == (
        BodyKind.ENVELOPE,
        raw,
        CODE,
    )
    assert "SM4" in taken.answer.message


def test_a_missing_member_of_a_known_hospital_is_kept():
    """T01."""
    raw = orjson.dumps({"hospitalCode": CODE, "data": "x"})
    assert only(receiver().take("exam-sync", raw, peer="p", received_at=NOW_MS)).hospital_code == CODE


def test_a_disabled_hospital_is_refused():
    taken = take(exam(), entry=hospital(disabled=True))
    assert "已停用" in taken.answer.message
    assert only(taken).outcome is Outcome.REFUSED


def test_t05_an_unknown_encryption_type_is_refused():
    """T05."""
    taken = receiver().take("exam-sync", body(exam()), peer="p", received_at=NOW_MS, encryption_type="AES")
    assert (taken.answer.code, taken.http_status) == (0, 200)
    assert "encryption-type=AES" in taken.answer.message


def test_t03_the_profile_decides_on_the_timestamp():
    """T03."""
    late = NOW_MS + 3_600_000
    warned = receiver().take("exam-sync", body(exam()), peer="p", received_at=late)
    assert (warned.answer.code, rules(warned)) == (1, {("timestamp", "timestamp")})
    strict = receiver(hospital(Profile(window="refuse")))
    assert strict.take("exam-sync", body(exam()), peer="p", received_at=late).answer.code == 0


def test_t17_another_hospital_inside_is_refused_unless_of_the_group():
    """T17."""
    refused = take(exam(hospitalCode=OTHER_CODE, patName=None))
    assert rules(refused) == {("hospitalCode", "hospital"), ("patName", "required")}
    assert (refused.answer.code, only(refused).body_kind) == (0, BodyKind.RECORD)
    assert OTHER_CODE in refused.answer.message
    grouped = take(exam(hospitalCode=OTHER_CODE), entry=hospital(Profile(group=frozenset({OTHER_CODE}))))
    row = only(grouped).exam
    assert row is not None
    assert row.hospital_code == CODE


@pytest.mark.parametrize("records", [[], [exam(), exam()]])
def test_t18_one_record_per_call(records: list[Any]):
    """T18."""
    taken = take(records)
    assert taken.answer.code == 0
    assert f"收到了 {len(records)} 条" in taken.answer.message


def test_t18_an_array_of_one_is_tolerated():
    """T18."""
    taken = take([exam()])
    assert (taken.answer.code, rules(taken)) == (1, {("", "single")})


@pytest.mark.parametrize("value", [1, "x", None, [1]])
def test_a_record_is_an_object(value: Any):
    assert take(value).answer.code == 0


def test_t26_merged_upload_is_one_submission_with_both():
    """T26, 四(二)1.(3)."""
    taken = take({"patient": exam(), "report": report()}, "examMergeReport-sync")
    submission = only(taken)
    assert (taken.answer.code, submission.findings) == (1, ())
    assert submission.exam is not None
    assert submission.report is not None
    assert submission.report.pdf_object == PDF_DIGEST
    assert set(taken.answer.content) == {"risStudyId", "recordNum", "digest"}


def test_t26_a_mistake_in_one_part_refuses_the_whole():
    """T26: findings are dotted."""
    taken = take({"patient": exam(sex="7"), "report": report(recordNum=None)}, "examMergeReport-sync")
    assert taken.answer.code == 0
    assert rules(taken) == {("patient.sex", "code_list"), ("report.recordNum", "key")}
    assert (only(taken).exam, only(taken).report) == (None, None)


def test_t26_the_report_may_be_absent_the_exam_may_not():
    """T26."""
    alone = take({"patient": exam()}, "examMergeReport-sync")
    assert (alone.answer.code, rules(alone)) == (1, {("report", "suggested")})
    assert only(alone).report is None
    assert take({"report": report()}, "examMergeReport-sync").answer.code == 0
    assert take({"patient": exam(), "report": [1]}, "examMergeReport-sync").answer.code == 0


def test_t26_the_pair_belongs_together():
    """T26."""
    taken = take({"patient": exam(), "report": report(risStudyId="A,B")}, "examMergeReport-sync")
    assert (taken.answer.code, rules(taken)) == (1, {("report", "conflict")})


def test_t48_the_key_is_hospital_and_ris_study_id():
    """T48: without it a record cannot be identified."""
    taken = take(exam(risStudyId=None))
    assert (taken.answer.code, rules(taken)) == (0, {("risStudyId", "key")})


def test_t60_a_deleted_record_is_marked_never_dropped():
    """T60."""
    row = only(take(exam(disableFlag=1))).exam
    assert row is not None
    assert row.deleted


def test_t75_a_report_stands_without_its_exam():
    """T75: nothing orders exam before report."""
    assert take(report(), "report-sync").answer.code == 1


def test_replay_after_the_key_was_mended():
    first = receiver().take("exam-sync", body(exam(), NEXT_KEY), peer="p", received_at=NOW_MS)
    mended = receiver(hospital(keys=(NEXT_KEY, KEY)))
    again = mended.retake(kept(first), NOW_MS + 86_400_000, load)
    submission = only(again)
    assert (submission.outcome, submission.replay_of, submission.received_at) == (
        Outcome.ACCEPTED,
        7,
        NOW_MS + 86_400_000,
    )
    assert submission.findings == ()


def test_replay_after_the_profile_was_mended():
    """Documents already taken out are found again; the digest stays that of the first plaintext."""
    first = take(report(patId=None), "report-sync")
    assert only(first).outcome is Outcome.REFUSED
    lenient = receiver(hospital(Profile(grades={"required": Level.WARN})))
    submission = only(lenient.retake(kept(first), NOW_MS + 1, load))
    assert submission.outcome is Outcome.ACCEPTED
    assert submission.report is not None
    assert submission.report.pdf_object == PDF_DIGEST
    assert (submission.digest, submission.documents) == (only(first).digest, ())


def test_replay_tells_a_lost_document():
    first = take(report(patId=None), "report-sync")
    again = receiver().retake(kept(first), NOW_MS, lambda _: None)
    assert ("reportPdfBase64", "pdf") in rules(again)


def test_replay_opens_no_document_the_sender_named_himself():
    """A forged reference stays what it was when it came: no PDF."""
    first = take(report(reportPdfBase64=f"object:{PDF_DIGEST}"), "report-sync")
    again = receiver().retake(kept(first), NOW_MS, load)
    assert ("reportPdfBase64", "pdf") in rules(again)
    assert only(again).report is None


def test_replay_of_a_hospital_that_is_gone():
    first = take(exam(patName=None))
    gone = receiver(replace(hospital(), code=OTHER_CODE))
    assert gone.retake(kept(first), NOW_MS, load).answer.code == 0


def test_columns_are_bounded_and_free_of_nul():
    """What databases refuse never reaches them."""
    row = only(take(exam(patName="张\0三" + "x" * 2000, accessionNumber=",".join(map(str, range(999)))))).exam
    assert row is not None
    assert len(row.patient_name) <= 500
    assert "\0" not in row.patient_name
    assert len(row.accession_numbers) == 200


@pytest.mark.parametrize("interface", ["exam-sync", "report-sync", "examMergeReport-sync"])
@given(raw=st.binary(max_size=200))
def test_any_body_is_answered(interface: str, raw: bytes):
    taken = receiver(keep_unknown=True).take(interface, raw, peer="p", received_at=NOW_MS)
    assert taken.answer.code == 0
    taken.answer.to_json()
    opened = receiver().take(interface, body(raw), peer="p", received_at=NOW_MS)
    opened.answer.to_json()


def test_a_refused_record_that_was_read_keeps_its_keys() -> None:
    """`submissions list --exam X` finds the refusals of X; nothing is upserted from them."""
    refused = only(take(exam(patName="")))
    assert (refused.outcome, refused.exam, refused.exam_key) == (Outcome.REFUSED, None, exam()["risStudyId"])
    refused = only(take(report(findings=""), "report-sync"))
    assert (refused.report, refused.report_key) == (None, report()["recordNum"])
    merged = only(
        take({"patient": exam(patName=""), "report": report()}, "examMergeReport-sync"),
    )
    assert (merged.exam_key, merged.report_key) == (exam()["risStudyId"], report()["recordNum"])
    assert only(take(exam(patName="", risStudyId=["x"]))).outcome is Outcome.REFUSED
    nameless = only(take(exam(risStudyId="")))
    assert (nameless.outcome, nameless.exam_key) == (Outcome.REFUSED, "")


def test_a_single_finding_is_worded_without_others() -> None:
    """No “等共 1 项” when there is nothing else."""
    taken = take(exam(patName=""))
    assert len(taken.answer.content) == 1
    assert taken.answer.message == "数据校验未通过：姓名（patName）该字段必填，但未填写"
