"""The balance of a day: three sides next to one another, closed into a chain that shows every later change. Pure.

Each hospital has one chain. An entry closes a day, or amends a closed one; its digest covers its content, the
receipts of the day and the digest before it:  SM3(previous ‖ SM3(content) ‖ SM3(leaves)).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from yingqiao.exchange.receipt import count
from yingqiao.exchange.reconcile import Line, shown
from yingqiao.exchange.statement import CLASSES, Counts
from yingqiao.gm import sm3

VERSION = 1
NOTHING_BEFORE = bytes(sm3.DIGEST_LENGTH)
IDS_SHOWN = 10_000
"""Ids of a list that are written out; beyond, their number and digest."""


class EntryKind(StrEnum):
    CLOSE = "close"
    AMEND = "amend"


ENTRY_NAMES = {EntryKind.CLOSE: "结账", EntryKind.AMEND: "补记"}


class MissingState(StrEnum):
    """Where the mending of a missing exam stands."""

    MISSING = "missing"
    ASKED = "asked"
    """The gateway asks the hospital's query service by itself."""
    ARRIVED = "arrived"


MISSING_NAMES = {
    MissingState.MISSING: "缺少，待医院补传",
    MissingState.ASKED: "网关正在查询补收",
    MissingState.ARRIVED: "已补齐",
}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the three, in one day."""

    counts: Mapping[str, Counts]
    """By code of CLASSES."""
    total: Counts
    source: str
    """What it rests on: `submission 12 sha256:…`, `ledger sm3:…`."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A day of a hospital as it stands."""

    hospital_code: str
    day: str
    stated: Side | None
    """The hospital's list; None = it sent none."""
    gateway: Side
    upper: Side | None
    """The upper platform; None = not asked."""
    missing: tuple[str, ...]
    """Listed by the hospital, not in the gateway."""
    unlisted: tuple[str, ...]
    """In the gateway, not listed by the hospital; the first IDS_SHOWN."""
    unlisted_count: int
    lines: tuple[Line, ...]

    @property
    def is_even(self) -> bool:
        """Whether all sides that spoke agree."""
        return (
            self.stated is not None
            and not self.missing
            and not self.unlisted_count
            and all(line.agrees for line in self.lines)
        )

    @property
    def verdict(self) -> str:
        """In one Chinese word or two."""
        if self.stated is None:
            return "医院未报送"
        return "平" if self.is_even else "不平"


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of a hospital's chain as kept."""

    hospital_code: str
    sequence: int
    day: str
    kind: EntryKind
    made_at: int
    content: bytes
    leaves: bytes
    previous: bytes
    digest: bytes


def content_of(balance: Balance, leaves: bytes, made_at: int, changes: Sequence[str] = ()) -> bytes:
    """The canonical JSON of a balance: members sorted, UTF-8, no white space."""
    value = {
        "version": VERSION,
        "hospital": balance.hospital_code,
        "day": balance.day,
        "madeAt": made_at,
        "verdict": balance.verdict,
        "stated": _side(balance.stated),
        "gateway": _side(balance.gateway),
        "upper": _side(balance.upper),
        "missing": _ids(balance.missing, len(balance.missing)),
        "unlisted": _ids(balance.unlisted, balance.unlisted_count),
        "receipts": {"count": count(leaves), "sm3": sm3.digest(leaves).hex()},
        "changes": list(changes),
    }
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def link(
    balance: Balance,
    leaves: bytes,
    made_at: int,
    before: Entry | None,
    kind: EntryKind,
    changes: Sequence[str] = (),
) -> Entry:
    """The next entry of the chain that ends with `before`."""
    content = content_of(balance, leaves, made_at, changes)
    previous = before.digest if before else NOTHING_BEFORE
    return Entry(
        balance.hospital_code,
        before.sequence + 1 if before else 1,
        balance.day,
        kind,
        made_at,
        content,
        leaves,
        previous,
        digest_of(previous, content, leaves),
    )


def digest_of(previous: bytes, content: bytes, leaves: bytes) -> bytes:
    return sm3.digest(previous, sm3.digest(content), sm3.digest(leaves))


def faults(entries: Iterable[Entry]) -> list[str]:
    """What shows that a hospital's chain was altered, Chinese; [] when nothing does.

    That its end was cut off shows only against a digest kept elsewhere (an export).
    """
    found: list[str] = []
    before: Entry | None = None
    for entry in entries:
        place = f"第 {entry.sequence} 条（{entry.day} {ENTRY_NAMES[entry.kind]}）"
        if entry.sequence != (before.sequence + 1 if before else 1):
            found.append(f"{place}之前缺少条目")
        if entry.previous != (before.digest if before else NOTHING_BEFORE):
            found.append(f"{place}与前一条的摘要不相接")
        if entry.digest != digest_of(entry.previous, entry.content, entry.leaves):
            found.append(f"{place}的内容与摘要不符，已被改动")
        elif not _matches(entry):
            found.append(f"{place}的内容与其机构或日期不符")
        before = entry
    return found


def _matches(entry: Entry) -> bool:
    try:
        said = orjson.loads(entry.content)
    except orjson.JSONDecodeError:
        return False
    return bool(
        said.get("hospital") == entry.hospital_code
        and said.get("day") == entry.day
        and said.get("madeAt") == entry.made_at
    )


def changes_since(before: Mapping[str, Any], balance: Balance, leaves: bytes) -> list[str]:
    """What a closed day's last entry says otherwise than the day stands now, Chinese; [] when nothing."""
    found: list[str] = []
    for name, was, now in (
        ("医院清单", before["stated"], _side(balance.stated)),
        ("平台台账", before["gateway"], _side(balance.gateway)),
        ("上级平台", before["upper"], _side(balance.upper)),
    ):
        if was != now:
            found.append(f"{name}：{_said(was)} → {_said(now)}")
    for name, key, ids, number in (
        ("缺少的检查", "missing", balance.missing, len(balance.missing)),
        ("清单外的检查", "unlisted", balance.unlisted, balance.unlisted_count),
    ):
        if before[key] != _ids(ids, number):
            found.append(f"{name}：{before[key]['count']} → {number}")
    if before["receipts"]["sm3"] != sm3.digest(leaves).hex():
        found.append(f"当日凭证：{before['receipts']['count']} → {count(leaves)}")
    return found


def _said(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "无"
    exams, images, reports = side["total"]
    return shown(Counts(exams, images, reports))


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    counts = {code: _counts(side.counts[code]) for code in CLASSES if code in side.counts}
    return {"counts": counts, "total": _counts(side.total), "source": side.source}


def _counts(counts: Counts) -> list[int | None]:
    return [counts.exams, counts.images, counts.reports]


def _ids(ids: Sequence[str], number: int) -> dict[str, Any]:
    return {
        "count": number,
        "sm3": sm3.digest("\n".join(ids).encode()).hex(),
        "ids": list(ids[:IDS_SHOWN]),
    }
