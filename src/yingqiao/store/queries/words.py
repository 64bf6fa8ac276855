"""Filters as people write them: one table per list, read by the API's parameters and the command line's
options alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from yingqiao.exchange.clock import BEIJING
from yingqiao.exchange.completeness import ImagesState
from yingqiao.exchange.fetch import FileState
from yingqiao.exchange.model import Outcome
from yingqiao.exchange.timeline import ExamState, Need
from yingqiao.exchange.work import ErrorClass, Priority, WorkState
from yingqiao.store.queries.commitments import CommitmentFilter
from yingqiao.store.queries.common import Range
from yingqiao.store.queries.exams import ExamFilter
from yingqiao.store.queries.lists import ListFilter
from yingqiao.store.queries.reports import ReportFilter
from yingqiao.store.queries.studies import StudyFilter
from yingqiao.store.queries.submissions import SubmissionFilter
from yingqiao.store.work.queries import WorkFilter

T = TypeVar("T")
Parse = Callable[[str], Any]


class WordError(ValueError):
    """A filter was written in a way that cannot be read; the message is Chinese and names it."""


@dataclass(frozen=True, slots=True)
class Word:
    """One filter: its API parameter, its option, the member it sets (`x.start`, `x.end` for ranges), its
    meaning."""

    name: str
    option: str
    member: str
    parse: Parse
    help: str


def _text(value: str) -> str:
    return value


def _whole(value: str) -> int:
    if not re.fullmatch(r"\d{1,18}", value, re.ASCII):
        raise WordError("应为整数")
    return int(value)


_YES, _NO = ("true", "1", "yes", "是"), ("false", "0", "no", "否")


def _flag(value: str) -> bool:
    if value.lower() not in _YES + _NO:
        raise WordError("应为 true 或 false")
    return value.lower() in _YES


def _flag_or_all(value: str) -> bool | None:
    return None if value in ("all", "全部") else _flag(value)


def _one_of(kind: type[StrEnum]) -> Parse:
    def parse(value: str) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise WordError(f"应为 {'、'.join(kind)} 之一") from None

    return parse


def priority_of(value: str) -> Priority:
    """A priority by its name. Raises WordError."""
    known = {one.name.lower(): one for one in Priority}
    if value.lower() not in known:
        raise WordError(f"应为 {'、'.join(known)} 之一")
    return known[value.lower()]


def _one_text_of(*known: str) -> Parse:
    def parse(value: str) -> str:
        if value not in known:
            raise WordError(f"应为 {'、'.join(known)} 之一")
        return value

    return parse


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise WordError("应为 yyyy-MM-dd 或 yyyy-MM-dd HH:mm:ss（北京时间）") from None
    if not 1970 <= moment.year <= 9000:
        raise WordError("年份应在 1970 与 9000 之间")
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


def _end(value: str) -> datetime:
    """A day as an end is meant with the day."""
    return _moment(value) + (timedelta(days=1) if len(value) <= len("2026-01-01") else timedelta())


def _from_ms(value: str) -> int:
    return int(_moment(value).timestamp() * 1000)


def _to_ms(value: str) -> int:
    return int(_end(value).timestamp() * 1000)


def _from_standard(value: str) -> str:
    return _moment(value).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _to_standard(value: str) -> str:
    return _end(value).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _from_dicom(value: str) -> str:
    return _moment(value).strftime("%Y%m%d")


def _to_dicom(value: str) -> str:
    return _end(value).strftime("%Y%m%d")


_HOSPITAL = Word("hospitalCode", "--hospital", "hospital_code", _text, "医疗机构代码")
_RIS = Word("risStudyId", "--ris-study-id", "ris_study_id", _text, "检查唯一标识")
_MODALITY = Word("modality", "--modality", "modality", _text, "检查类别，如 CT、MR")
_ACCESSION = Word("accessionNumber", "--accession", "accession_number", _text, "检查号")
_UID = Word("studyUid", "--study-uid", "study_uid", _text, "DICOM Study Instance UID")
_NAME = Word("patientName", "--name", "patient_name", _text, "患者姓名（从头匹配）")
_DELETED = Word("deleted", "--deleted", "deleted", _flag_or_all, "已删除：false（默认）、true 或 all")
_RECEIVED = (
    Word("receivedFrom", "--received-from", "received.start", _from_ms, "首次收到时间起，北京时间"),
    Word("receivedTo", "--received-to", "received.end", _to_ms, "首次收到时间止（只写日期则含当日）"),
)

EXAM_WORDS = (
    _HOSPITAL,
    _RIS,
    _NAME,
    Word("patientId", "--patient-id", "patient_id", _text, "影像号"),
    Word("hisPatientId", "--his-patient-id", "his_patient_id", _text, "患者编号（院内主索引）"),
    Word("idNumber", "--id-number", "id_number", _text, "身份证件号"),
    Word("labNum", "--lab-num", "lab_num", _text, "申请单流水号"),
    _ACCESSION,
    _UID,
    _MODALITY,
    Word("state", "--state", "state", _one_of(ExamState), f"状态：{'、'.join(ExamState)}"),
    Word("waitingFor", "--waiting-for", "waiting_for", _one_of(Need), f"还缺什么：{'、'.join(Need)}"),
    Word("waitingOn", "--waiting-on", "waiting_on", _one_text_of("hospital", "gateway"), "该谁处理"),
    Word(
        "imagesState",
        "--images-state",
        "images_state",
        _one_of(ImagesState),
        f"影像齐否：{'、'.join(ImagesState)}",
    ),
    Word("examFrom", "--exam-from", "exam_time.start", _from_standard, "检查时间起，北京时间"),
    Word("examTo", "--exam-to", "exam_time.end", _to_standard, "检查时间止（只写日期则含当日）"),
    *_RECEIVED,
    Word("emergency", "--emergency", "emergency", _flag, "急诊：true 或 false"),
    _DELETED,
    Word("q", "--text", "text", _text, "任一号码，或姓名开头"),
)
REPORT_WORDS = (
    _HOSPITAL,
    Word("recordNum", "--record-num", "record_num", _text, "报告唯一标识"),
    _RIS,
    Word("patientId", "--patient-id", "patient_id", _text, "影像号"),
    _MODALITY,
    Word("reportStatus", "--report-status", "report_status", _whole, "报告状态代码"),
    Word("parked", "--parked", "parked", _flag, "检查未到的报告：true 或 false"),
    Word("signed", "--signed", "signed", _flag, "带 CA 签名：true 或 false"),
    Word("reportFrom", "--report-from", "report_time.start", _from_standard, "报告时间起，北京时间"),
    Word("reportTo", "--report-to", "report_time.end", _to_standard, "报告时间止（只写日期则含当日）"),
    *_RECEIVED,
    _DELETED,
)
STUDY_WORDS = (
    Word("hospitalCode", "--hospital", "hospital_code", _text, "医疗机构代码；空文本 = 发送方未登记"),
    _UID,
    _ACCESSION,
    Word("patientId", "--patient-id", "patient_id", _text, "患者编号 (0010,0020)"),
    _NAME,
    _MODALITY,
    Word("orphan", "--orphan", "orphan", _flag, "没有检查的影像：true 或 false"),
    Word("oddity", "--oddity", "oddity", _text, "异常标记，如 charset-lied"),
    Word("studyFrom", "--study-from", "study_date.start", _from_dicom, "影像日期起"),
    Word("studyTo", "--study-to", "study_date.end", _to_dicom, "影像日期止（含当日）"),
    *_RECEIVED,
)
SUBMISSION_WORDS = (
    _HOSPITAL,
    Word("interface", "--interface", "interface", _text, "接口，如 exam-sync"),
    Word("outcome", "--outcome", "outcome", _one_of(Outcome), "accepted 或 refused"),
    Word("examKey", "--exam-key", "exam_key", _text, "检查唯一标识 risStudyId"),
    Word("reportKey", "--report-key", "report_key", _text, "报告唯一标识 recordNum"),
    Word("replayOf", "--replay-of", "replay_of", _whole, "重放自第几号提交"),
    Word("receivedFrom", "--received-from", "received.start", _from_ms, "收到时间起，北京时间"),
    Word("receivedTo", "--received-to", "received.end", _to_ms, "收到时间止（只写日期则含当日）"),
)
LIST_WORDS = (
    _HOSPITAL,
    Word("seriesUid", "--series", "series_uid", _text, "序列 UID（SERIESIUID）"),
    Word("studyUid", "--study", "study_uid", _text, "检查 UID（STUDYIUID）"),
    Word("accessionNumber", "--accession", "accession_number", _text, "访问号（ACCESS_NO）"),
    Word("patientId", "--patient-id", "patient_id", _text, "病人 ID（PATIENT_ID）"),
    Word("state", "--state", "state", _one_of(FileState), f"有文件处于该状态：{'、'.join(FileState)}"),
    Word("complete", "--complete", "complete", _flag, "是否已取齐：true 或 false"),
    Word("host", "--host", "host", _text, "有文件在该主机上"),
    *_RECEIVED,
)
COMMITMENT_WORDS = (
    Word("hospitalCode", "--hospital", "hospital_code", _text, "医疗机构代码；空文本 = 请求方未登记"),
    Word("requesterAet", "--requester", "requester_aet", _text, "请求方 AE 标题"),
    Word("transactionUid", "--transaction", "transaction_uid", _text, "Transaction UID"),
    Word("told", "--told", "told", _flag, "结果已送达：true 或 false"),
    Word("failed", "--failed", "failed", _flag, "有不能承诺的实例：true 或 false"),
    Word("receivedFrom", "--received-from", "received.start", _from_ms, "收到时间起，北京时间"),
    Word("receivedTo", "--received-to", "received.end", _to_ms, "收到时间止（只写日期则含当日）"),
)
WORK_WORDS = (
    Word("kind", "--kind", "kind", _text, "种类，如 fetch、pull、document"),
    Word("key", "--key", "key", _text, "关于什么，如 list:12"),
    Word("state", "--state", "state", _one_of(WorkState), f"状态：{'、'.join(WorkState)}"),
    _HOSPITAL,
    Word("destination", "--destination", "destination", _text, "目的地全名，见 work destinations"),
    Word(
        "errorClass",
        "--error-class",
        "error_class",
        _one_of(ErrorClass),
        f"错误类别：{'、'.join(ErrorClass)}",
    ),
    Word("priority", "--priority", "priority", priority_of, "优先级：emergency、manual、normal、backfill"),
    Word("createdFrom", "--created-from", "created.start", _from_ms, "首次提出时间起，北京时间"),
    Word("createdTo", "--created-to", "created.end", _to_ms, "首次提出时间止（只写日期则含当日）"),
    Word("dueFrom", "--due-from", "due.start", _from_ms, "下次可做时间起，北京时间"),
    Word("dueTo", "--due-to", "due.end", _to_ms, "下次可做时间止（只写日期则含当日）"),
)
SUMMARY_WORDS = (
    _HOSPITAL,
    Word("from", "--from", "start", _from_ms, "从哪一天（首次收到，北京时间）"),
    Word("to", "--to", "end", _to_ms, "到哪一天（含）"),
)


def exam_filter(given: Mapping[str, str]) -> ExamFilter:
    """The filter that API parameters ask for. Raises WordError; so do the following."""
    return ExamFilter(**members(EXAM_WORDS, given))


def report_filter(given: Mapping[str, str]) -> ReportFilter:
    return ReportFilter(**members(REPORT_WORDS, given))


def study_filter(given: Mapping[str, str]) -> StudyFilter:
    return StudyFilter(**members(STUDY_WORDS, given))


def list_filter(given: Mapping[str, str]) -> ListFilter:
    return ListFilter(**members(LIST_WORDS, given))


def submission_filter(given: Mapping[str, str]) -> SubmissionFilter:
    return SubmissionFilter(**members(SUBMISSION_WORDS, given))


def commitment_filter(given: Mapping[str, str]) -> CommitmentFilter:
    return CommitmentFilter(**members(COMMITMENT_WORDS, given))


def work_filter(given: Mapping[str, str]) -> WorkFilter:
    return WorkFilter(**members(WORK_WORDS, given))


def members(words: tuple[Word, ...], given: Mapping[str, str]) -> dict[str, Any]:
    """Member -> value for what was given by parameter name. Raises WordError for what cannot be read."""
    found: dict[str, Any] = {}
    ranges: dict[str, dict[str, Any]] = {}
    for word in words:
        if word.name not in given:
            continue
        try:
            value = word.parse(given[word.name])
        except WordError as error:
            raise WordError(f"{word.name}（{word.help}）的值不对：{error}") from None
        member, _, end = word.member.partition(".")
        if end:
            ranges.setdefault(member, {})[end] = value
        else:
            found[member] = value
    return found | {member: Range(**ends) for member, ends in ranges.items()}
