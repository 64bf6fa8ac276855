"""A hospital's statement of a day, as `/statisticalData/upload` brings it (四(二)5, T150–T159). Pure.

Read tolerantly, and compared by class of imaging: one hospital writes DX where another writes DR or the code of
dictionary 十二 (T152).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from yingqiao.exchange.values import fold_name, shorten, text_of

MAX_IDS = 1_000_000
MAX_ID = 200
"""Characters of one id; a DICOM UID has 64."""
MAX_GROUPS = 200
MAX_NODES = MAX_IDS + 10_000
MAX_COUNT = 2**53

CLASSES: Mapping[str, str] = MappingProxyType(
    {"1": "X线", "2": "CT", "3": "MR", "4": "超声", "5": "核医学", "9": "其他"}
)
"""Dictionary 十二 (imgExamType) by its codes, in short."""
_MODALITIES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("CR", "DX", "DR", "RF", "MG", "XA", "IO", "PX", "RG", "XR", "X"), "1"),
        **dict.fromkeys(("CT", "CTA"), "2"),
        **dict.fromkeys(("MR", "MRI", "MRA"), "3"),
        **dict.fromkeys(("US", "IVUS", "BDUS", "OBUS"), "4"),
        **dict.fromkeys(("NM", "PT", "PET", "ECT", "SPECT"), "5"),
    }
)
_DAY = re.compile(r"([0-9]{4})[-/.]?([0-9]{2})[-/.]?([0-9]{2})")


class StatementError(ValueError):
    """It cannot be read as a statement; the text is Chinese, for the hospital's engineer."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of a day; None = not said."""

    exams: int = 0
    images: int | None = None
    reports: int | None = None

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.exams + other.exams, _sum(self.images, other.images), _sum(self.reports, other.reports)
        )


@dataclass(frozen=True, slots=True)
class Group:
    """One member of examInfo."""

    sent_type: str
    """imgExamType as sent."""
    imaging: str
    """A code of CLASSES."""
    counts: Counts
    ids: tuple[str, ...]
    """study_uids, each once, as sent."""
    repeated: int
    """How many of them came twice (T155)."""


@dataclass(frozen=True, slots=True)
class Statement:
    hospital_code: str
    """As it says inside; '' when it does not."""
    day: str
    """`yyyy-MM-dd`, Beijing time: of checkFinishTime (T158)."""
    groups: tuple[Group, ...]
    counts: Counts
    """Of all groups, or as said at the top level (T156)."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id once, in the order sent."""
        return tuple(dict.fromkeys(one for group in self.groups for one in group.ids))

    def by_class(self) -> dict[str, Counts]:
        found: dict[str, Counts] = {}
        for group in self.groups:
            before = found.get(group.imaging)
            found[group.imaging] = group.counts if before is None else before + group.counts
        return found


def class_of(imaging: str, modality: str = "") -> str:
    """The code of CLASSES for an imgExamType (code or DICOM modality), else for a modality; '9' = other."""
    for text in (imaging, modality):
        word = text.strip().upper()
        if word in CLASSES and word != "9":
            return word
        for part in re.split(r"[\\,，/、;；\s]+", word):
            if part in _MODALITIES:
                return _MODALITIES[part]
    return "9"


def day_of(text: str) -> str:
    """`yyyy-MM-dd` of a date or date-time as hospitals write them (T55). Raises StatementError."""
    found = _DAY.match(text.strip())
    try:
        return date.fromisoformat("-".join(found.groups()) if found else "").isoformat()
    except ValueError as error:
        raise StatementError(f"date 应为 yyyy-MM-dd，收到 {shorten(text)}") from error


def read_statement(value: Any) -> Statement:
    """What the decrypted JSON says. Raises StatementError."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise StatementError("content 解密后应为 JSON 对象")
    said = _folded(value)
    info = said.get("examinfo")
    if info is None:
        raise StatementError("缺少 examInfo；当天没有检查时请发送空数组 []")
    if isinstance(info, dict):
        info = [info]
    if not isinstance(info, list) or len(info) > MAX_GROUPS:
        raise StatementError(f"examInfo 应为数组，至多 {MAX_GROUPS} 项")
    groups = tuple(_group(index, one) for index, one in enumerate(info))
    if sum(len(group.ids) for group in groups) > MAX_IDS:
        raise StatementError(f"study_uids 合计超过 {MAX_IDS} 个")
    return Statement(
        text_of(said.get("hospitalcode")) or "", day_of(_text(said, "date")), groups, _totals(said, groups)
    )


def _totals(said: Mapping[str, Any], groups: tuple[Group, ...]) -> Counts:
    total = Counts(0, None, None)
    for group in groups:
        total += group.counts
    exams = _number(said, "pushexamnum", "")
    images, reports = _number(said, "pushimagenum", ""), _number(said, "pushreportnum", "")
    return Counts(
        total.exams if exams is None else exams,
        total.images if images is None else images,
        total.reports if reports is None else reports,
    )


def _group(index: int, value: Any) -> Group:
    place = f"examInfo[{index}]"
    if not isinstance(value, dict):
        raise StatementError(f"{place} 应为对象")
    said = _folded(value)
    sent = text_of(said.get("imgexamtype")) or ""
    listed = said.get("studyuids")
    if isinstance(listed, str):
        listed = re.split(r"[,，;；\s]+", listed.strip())
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        raise StatementError(f"{place}.study_uids 应为数组")
    ids = _ids(listed, place)
    unique = tuple(dict.fromkeys(ids))
    exams = _number(said, "pushexamnum", place)
    counts = Counts(
        len(unique) if exams is None else exams,
        _number(said, "pushimagenum", place),
        _number(said, "pushreportnum", place),
    )
    return Group(sent[:40], class_of(sent), counts, unique, len(ids) - len(unique))


def _ids(listed: list[Any], place: str) -> list[str]:
    ids: list[str] = []
    for item in listed:
        text = item.strip() if isinstance(item, str) else text_of(item)
        if text is None or len(text) > MAX_ID or "\0" in text:
            raise StatementError(f"{place}.study_uids 应为文本的数组，每个不超过 {MAX_ID} 个字符")
        if text:
            ids.append(text)
    return ids


def _folded(value: Mapping[str, Any]) -> dict[str, Any]:
    return {fold_name(name): member for name, member in value.items()}


def _text(said: Mapping[str, Any], name: str) -> str:
    return text_of(said.get(name)) or ""


def _number(said: Mapping[str, Any], name: str, place: str) -> int | None:
    text = text_of(said.get(name))
    if text is None or not text:
        return None
    digits = text.removesuffix(".0")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16 and int(digits) < MAX_COUNT):
        raise StatementError(f"{place or '顶层'} 的 {name} 应为不小于 0 的整数，收到 {shorten(text)}")
    return int(digits)


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other
