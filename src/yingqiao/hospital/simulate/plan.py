"""The day as plain records: what is sent in which order, and what should become of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from yingqiao.hospital.simulate.images import ImageSpec


class Flaw(StrEnum):
    """What goes wrong in a case, on purpose."""

    NONE = "none"
    MISSING_FIELD = "missing-field"
    WRONG_CODE = "wrong-code"
    WRONG_KEY = "wrong-key"
    BAD_SIGNATURE = "bad-signature"
    CLOCK_SKEW = "clock-skew"
    BAD_PDF = "bad-pdf"
    REPORT_FIRST = "report-first"
    REPORT_ORPHAN = "report-orphan"
    NO_IMAGES = "no-images"
    IMAGES_ORPHAN = "images-orphan"
    DUPLICATE = "duplicate-instance"
    SAME_UID = "same-uid-other-bytes"
    STALE = "stale-change-time"
    DELETED = "deleted"
    UNAUDITED = "unaudited-report"
    NO_REPORT = "no-report"
    ONLY_REGISTERED = "only-registered"
    TERMINATED = "terminated"
    WRONG_STUDY_UID = "wrong-study-uid"
    CHARSET_LIE = "charset-lie"
    CHARSET_MISSING = "charset-missing"


FLAW_NAMES: Mapping[Flaw, str] = {
    Flaw.NONE: "正常",
    Flaw.MISSING_FIELD: "缺少必填字段，改正后重发",
    Flaw.WRONG_CODE: "性别代码不在值域内",
    Flaw.WRONG_KEY: "用错 SM4 密钥，改正后重发",
    Flaw.BAD_SIGNATURE: "签名错误，改正后重发",
    Flaw.CLOCK_SKEW: "时钟慢 2 小时",
    Flaw.BAD_PDF: "报告中的 PDF 不是 PDF",
    Flaw.REPORT_FIRST: "报告先于检查到达",
    Flaw.REPORT_ORPHAN: "报告所属检查始终未上传",
    Flaw.NO_IMAGES: "影像始终未上传",
    Flaw.IMAGES_ORPHAN: "只有影像，没有检查",
    Flaw.DUPLICATE: "同一影像重复发送",
    Flaw.SAME_UID: "同一 UID 的影像内容不同",
    Flaw.STALE: "旧版本的检查晚到",
    Flaw.DELETED: "检查被逻辑删除",
    Flaw.UNAUDITED: "报告未审核",
    Flaw.NO_REPORT: "报告始终未上传",
    Flaw.ONLY_REGISTERED: "只登记，未检查",
    Flaw.TERMINATED: "检查终止",
    Flaw.WRONG_STUDY_UID: "登记的 studyUid 与影像不符",
    Flaw.CHARSET_LIE: "影像声明 ISO_IR 100，实为 GBK",
    Flaw.CHARSET_MISSING: "影像未声明字符集，实为 GB18030",
}


class Kind(StrEnum):
    EXAM = "exam"
    REPORT = "report"
    MERGED = "merged"
    IMAGES = "images"


class Seal(StrEnum):
    """How the envelope is sealed."""

    RIGHT = "right"
    WRONG_KEY = "wrong-key"
    BAD_SIGNATURE = "bad-signature"
    CLOCK_SKEW = "clock-skew"


@dataclass(frozen=True, slots=True)
class Step:
    """One push, or one study's association."""

    kind: Kind
    at: datetime
    """Beijing time at which it happens in the simulated day."""
    key: str
    """risStudyId, recordNum or Study Instance UID."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """The exam or report; of a merged push the exam."""
    report: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[ImageSpec, ...] = ()
    seal: Seal = Seal.RIGHT
    accepted: bool = True
    rules: tuple[str, ...] = ()
    """Findings of which at least one has to be in the answer, by rule; empty = nothing asked."""


@dataclass(frozen=True, slots=True)
class Case:
    """One patient's visit and its fate."""

    flaw: Flaw
    ris_study_id: str
    patient_name: str
    study_uid: str
    steps: tuple[Step, ...]
    state: str
    """Expected state of the exam at the end (`exchange.timeline.ExamState`); '' = no such exam."""
    linked: bool
    """Whether the study joins the exam."""

    @property
    def instances(self) -> int:
        """Distinct instances sent."""
        return len({image.sop_uid for step in self.steps for image in step.images})


@dataclass(frozen=True, slots=True)
class Expected:
    """What the gateway has to show when everything has been sent."""

    submissions: Mapping[str, int]
    """By outcome: accepted, refused."""
    exams: Mapping[str, int]
    """By state."""
    studies: int
    linked_studies: int
    instances: int
    reports: int
    """Distinct reports accepted."""
    parked_reports: int
    """Of exams that never come."""


@dataclass(frozen=True, slots=True)
class Day:
    hospital_code: str
    hospital_name: str
    date: date
    seed: int
    cases: tuple[Case, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All pushes in the order of the day."""
        return tuple(sorted((s for case in self.cases for s in case.steps), key=lambda step: step.at))

    def expected(self) -> Expected:
        pushes = [step for step in self.steps if step.kind is not Kind.IMAGES]
        reports = {
            step.report.get("recordNum") or step.key
            for step in pushes
            if step.accepted and step.kind in (Kind.REPORT, Kind.MERGED)
        }
        with_images = [case for case in self.cases if case.instances]
        return Expected(
            submissions=dict(Counter("accepted" if step.accepted else "refused" for step in pushes)),
            exams=dict(Counter(case.state for case in self.cases if case.state)),
            studies=len(with_images),
            linked_studies=sum(case.linked for case in with_images),
            instances=sum(case.instances for case in with_images),
            reports=len(reports),
            parked_reports=sum(case.flaw is Flaw.REPORT_ORPHAN for case in self.cases),
        )
