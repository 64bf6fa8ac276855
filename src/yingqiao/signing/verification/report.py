"""The answer of a verification in three depths: one line, its steps, everything known (the model is EU DSS).

Unknown is never passed and never failed. A verdict names the step that decided it and a reason: a stable code
for programs and Chinese words for people. Pure values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from yingqiao.gm.certificates import Certificate

BEIJING = timezone(timedelta(hours=8))
COMPLETE = "complete"
"""The step of a verdict that every step passed."""
OK = "ok"


class Indication(StrEnum):
    """ETSI EN 319 102-1: TOTAL-PASSED, TOTAL-FAILED, INDETERMINATE."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        return _INDICATION_WORDS[self]


_INDICATION_WORDS = {
    Indication.PASSED: "通过",
    Indication.FAILED: "不通过",
    Indication.UNKNOWN: "无法判定",
}
STEP_NAMES = {
    "format": "结构",
    "certificate": "签名者证书",
    "content": "原文",
    "signature": "签名值",
    "binding": "签名属性",
    "imprint": "时间戳所盖的原文",
    "purpose": "时间戳证书用途",
    "algorithm": "算法强度",
    "key-usage": "密钥用途",
    "chain": "证书链",
    "validity": "有效期",
    "revocation": "吊销状态",
    "time": "签名时间",
    "timestamp": "时间戳",
    "sub-filter": "签名类型",
    "envelope": "PDF 签名域",
    "seal-format": "签章结构",
    "seal-signature": "签章者签名",
    "seal-holder": "签章者与印章的绑定",
    "maker-signature": "制章者签名",
    "maker-certificate": "制章者证书",
    "seal-validity": "印章有效期与状态",
    "signer-certificate": "签章者证书",
    "seal-time": "签章时间",
    "document-hash": "文档杂凑值",
    "later-changes": "签章后的改动",
    COMPLETE: "全部步骤",
}
"""Step -> Chinese, in the order in which they are taken."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step found. `notes` are Chinese and do not decide."""

    name: str
    indication: Indication
    reason: str = OK
    words: str = ""
    notes: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "step": self.name,
            "name": STEP_NAMES.get(self.name, self.name),
            "indication": str(self.indication),
            "reason": self.reason,
            "words": self.words,
        }
        return found | ({"notes": list(self.notes)} if self.notes else {})


def passed(name: str, words: str = "", notes: Iterable[str] = ()) -> Step:
    return Step(name, Indication.PASSED, OK, words, tuple(notes))


def failed(name: str, reason: str, words: str, notes: Iterable[str] = ()) -> Step:
    return Step(name, Indication.FAILED, reason, words, tuple(notes))


def unknown(name: str, reason: str, words: str, notes: Iterable[str] = ()) -> Step:
    return Step(name, Indication.UNKNOWN, reason, words, tuple(notes))


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict. `subject` is Chinese (what was verified); `facts` is JSON-able, for the full depth."""

    subject: str
    steps: tuple[Step, ...]
    at: datetime
    """When it is judged."""
    reference: datetime
    """The moment the certificates are judged at."""
    reference_by: str
    """token | claimed | at"""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deciding(self) -> Step:
        """The first step that failed, else the first that is unknown, else all of them."""
        for wanted in (Indication.FAILED, Indication.UNKNOWN):
            for step in self.steps:
                if step.indication is wanted:
                    return step
        return passed(COMPLETE, "各步骤均已通过")

    @property
    def indication(self) -> Indication:
        return self.deciding.indication

    @property
    def words(self) -> str:
        """One line."""
        step = self.deciding
        if step.name == COMPLETE:
            return f"{self.subject}验证通过"
        return f"{self.subject}{_LINE[step.indication]}：{STEP_NAMES.get(step.name, step.name)}——{step.words}"

    def shown(self) -> dict[str, Any]:
        """As JSON: the contract's four members, with the words beside them."""
        step = self.deciding
        return {
            "indication": str(step.indication),
            "step": step.name,
            "reason": step.reason,
            "words": self.words,
            "details": {
                "subject": self.subject,
                "at": stamp(self.at),
                "referenceTime": stamp(self.reference),
                "referenceBy": self.reference_by,
                "steps": [one.shown() for one in self.steps],
                **self.facts,
            },
        }

    def text(self) -> str:
        """For people: the three depths one below the other."""
        lines = [self.words, "", "步骤"]
        for step in self.steps:
            name = STEP_NAMES.get(step.name, step.name)
            lines.append(f"  [{step.indication.words}] {name}" + (f"：{step.words}" if step.words else ""))
            lines += [f"      · {note}" for note in step.notes]
        lines += ["", "详细", f"  判定时间：{beijing(self.at)}"]
        lines.append(f"  证书按此时间判断：{beijing(self.reference)}（{_BY[self.reference_by]}）")
        lines += _lines(self.facts, "  ")
        return "\n".join(lines)


_LINE = {Indication.FAILED: "验证不通过", Indication.UNKNOWN: "无法判定", Indication.PASSED: "验证通过"}
_BY = {"token": "可信时间戳", "claimed": "签名者声称的时间", "at": "判定时间"}
_LABELS = {
    "kind": "形式",
    "signers": "签名者",
    "certificate": "证书",
    "chain": "证书链",
    "subject": "主体",
    "issuer": "颁发者",
    "serial": "序列号",
    "notBefore": "有效期起",
    "notAfter": "有效期止",
    "key": "公钥",
    "keyUsage": "密钥用途",
    "crlPoints": "吊销列表地址",
    "sha256": "SHA-256",
    "oddities": "异常之处",
    "diagnoses": "诊断",
    "identities": "身份标识",
    "token": "时间戳",
    "tokens": "时间戳",
    "genTime": "时间戳时间",
    "policy": "策略",
    "tsa": "时间戳机构",
    "imprint": "杂凑值",
    "content": "原文",
    "signingTime": "声称的签名时间",
    "algorithm": "签名算法",
    "reading": "原文的读法",
    "seal": "印章",
    "signer": "签章者证书",
    "maker": "制章者证书",
    "makerChain": "制章者证书链",
    "esID": "印章标识",
    "name": "名称",
    "type": "印章类型",
    "version": "版本",
    "standard": "标准",
    "createDate": "制作日期",
    "validStart": "有效期起",
    "validEnd": "有效期止",
    "picture": "印章图片",
    "boundTo": "绑定的签章者证书",
    "timeInfo": "声称的签章时间",
    "dataHash": "文档杂凑值",
    "propertyInfo": "签名保护范围",
    "extensions": "扩展",
    "page": "页码",
    "field": "签名域",
    "subFilter": "签名类型",
}


def _lines(value: Any, indent: str) -> list[str]:
    """Facts as indented lines."""
    lines: list[str] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            label = _LABELS.get(str(name), str(name))
            if isinstance(item, (Mapping, list, tuple)):
                if item:
                    lines += [f"{indent}{label}：", *_lines(item, indent + "  ")]
            elif item not in (None, ""):
                lines.append(f"{indent}{label}：{item}")
        return lines
    for item in value:
        if isinstance(item, Mapping):
            lines += [f"{indent}-", *_lines(item, indent + "  ")]
        else:
            lines.append(f"{indent}- {item}")
    return lines


def together(reports: Sequence[Report], subject: str) -> dict[str, Any]:
    """Several reports as one: the worst decides. At least one is given."""
    order = (Indication.FAILED, Indication.UNKNOWN, Indication.PASSED)
    worst = min(reports, key=lambda report: order.index(report.indication))
    shown = worst.shown()
    return shown | {"details": {"subject": subject, "reports": [report.shown() for report in reports]}}


def stamp(moment: datetime | None) -> str:
    """ISO 8601 in UTC, to the second."""
    return "" if moment is None else f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"  # noqa: UP017


def beijing(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S} 北京时间"


def name_of(certificate: Certificate) -> str:
    """How people tell it apart: subject, issuer, serial number."""
    subject = certificate.subject.common_name or str(certificate.subject) or "（无主体名）"
    issuer = certificate.issuer.common_name or str(certificate.issuer) or "（无颁发者名）"
    return f"{subject}（{issuer} 颁发，序列号 {certificate.serial_hex}）"
