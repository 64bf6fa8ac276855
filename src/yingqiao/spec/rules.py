"""The closed lists an edition's data may name: formats, conditions, messages. `exchange` evaluates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Format:
    """What a `format` of a field table means."""

    words: str
    """Chinese, for people: what to send."""
    separated: bool = False
    """The field names the separator to send."""
    patterned: bool = False
    """The field names a regular expression."""


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "date": Format("日期 yyyy-MM-dd，北京时间"),
        "datetime": Format("日期时间 yyyy-MM-dd HH:mm:ss，北京时间"),
        "datetime-interval": Format("起止日期时间 yyyy-MM-dd HH:mm:ss，北京时间", separated=True),
        "list": Format("一个或多个值", separated=True),
        "pattern": Format("符合下列写法", patterned=True),
        "strings": Format("字符串数组"),
        "urls": Format("地址数组，HTTP、FTP 或 S3"),
        "url": Format("HTTP 地址"),
        "base64": Format("Base64 编码"),
        "pdf-base64": Format("PDF 文件的 Base64 编码"),
        "object": Format("JSON 对象"),
        "objects": Format("JSON 对象数组"),
    }
)


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """What a `when` of conditions.csv means."""

    words: str
    """Chinese, with {parameter} when the rule takes one."""
    parameter: str = ""
    """'' none · codes: codes of `reads[0]`'s list, comma separated · field: a field of the table."""
    reads: tuple[str, ...] = ()
    """Fields of the same table the rule looks at."""


CONDITIONS: Final[Mapping[str, ConditionRule]] = MappingProxyType(
    {
        "source": ConditionRule("患者来源为{parameter}时", "codes", ("patientFrom",)),
        "source-physical": ConditionRule("患者来源为体检时", reads=("patientFrom",)),
        "exam-checked": ConditionRule("检查状态为已检查（examStatus≥4）后", reads=("examStatus",)),
        "exam-finished": ConditionRule("检查完成后", reads=("checkStatus", "reportStatus")),
        "report-written": ConditionRule("报告已书写后", reads=("reportStatus", "checkStatus")),
        "report-audited": ConditionRule("报告已审核后", reads=("reportStatus", "checkStatus")),
        "report-signed": ConditionRule(
            "报告已审核且医院已启用 CA 签名时", reads=("reportStatus", "checkStatus")
        ),
        "last-audit": ConditionRule("存在终审（isLastAudit=1）时", reads=("isLastAudit",)),
        "mutual-item": ConditionRule(
            "检查属于互认项目（DR、CT、MR 共 320 项）时", reads=("examItemCode", "examItemName")
        ),
        "present": ConditionRule("填写{parameter}时", "field"),
        "without": ConditionRule("没有填写{parameter}时", "field"),
        "true": ConditionRule("{parameter}为 true 时", "field"),
        "final-without": ConditionRule(
            "最终报告没有填写{parameter}时", "field", ("reportStatus", "checkStatus")
        ),
    }
)

MESSAGES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "accepted": (),
        "accepted-with-warnings": ("count",),
        "accepted-stale": (),
        "not-json": ("detail",),
        "not-object": (),
        "missing-member": ("name",),
        "unknown-encryption": ("value",),
        "unknown-hospital": ("code",),
        "disabled-hospital": ("code",),
        "bad-signature": (),
        "bad-timestamp": ("value",),
        "outside-window": ("seconds", "window"),
        "bad-base64": (),
        "cannot-decrypt": (),
        "inner-not-json": ("detail",),
        "single-record": ("count",),
        "hospital-mismatch": ("inner", "outer"),
        "validation-failed-one": ("first",),
        "validation-failed": ("first", "count"),
        "bad-pdf": ("field", "detail"),
        "too-large": ("limit",),
        "too-slow": ("seconds",),
        "too-many": ("seconds",),
        "store-unavailable": (),
    }
)
"""The messages the gateway answers with, and the places each may use. An edition words them all."""

TYPES: Final = frozenset({"string", "text", "integer", "array", "object", "boolean", "date"})
STATUSES: Final = frozenset({"ok", "corrected", "unverified", "suspect"})
MATCHES: Final = frozenset({"exact", "prefix", "partial"})
BASES: Final = frozenset({"printed", "inferred"})
SERVED_BY: Final = frozenset({"gateway", "hospital", "platform"})
ENVELOPES: Final = frozenset({"main", "content", "coss", "plain", "query", "dicom", "url"})
METHODS: Final = frozenset({"GET", "POST", "DICOM"})
MESSAGE_CATEGORIES: Final = frozenset({"success", "refused", "later"})
SEPARATORS: Final[Mapping[str, str]] = MappingProxyType(
    {",": "英文逗号", "，": "中文逗号", "|": "竖线", " / ": "空格、斜线、空格"}
)


def split_when(when: str) -> tuple[str, str]:
    """The rule's name and its parameter ('' when there is none) of a condition's `when`."""
    name, _, parameter = when.partition(":")
    return name, parameter


def words_of(when: str, name_of: Callable[[str], str] = str) -> str:
    """The condition `when` in Chinese; `name_of` words a field's name or a code. Raises KeyError."""
    name, parameter = split_when(when)
    return CONDITIONS[name].words.format(parameter="、".join(name_of(part) for part in parameter.split(",")))
