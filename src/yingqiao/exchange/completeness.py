"""Whether all images of a study are here: by what others told, never by hope. Pure.

Three can tell how many instances a study has: a PACS that was asked (C-FIND), a hospital's list of image
addresses (/images/list), a storage commitment request (PS3.4 annex J). A telling speaks per series, of the
study as a whole, or both. Every telling is kept and shown; the believed one is the one that finds
something missing, of several (or none) the largest, of equals the newest: a wrong large number is asked
about, a wrong small one would lose images.

A commitment request names what somebody wants safe, which may be part of a study: more than it named is no
contradiction between tellings, yet no proof of completeness either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from yingqiao.exchange.clock import clock

STABLE_MS = 600_000
"""Nothing arrived for so long: what is here is taken for all that comes. Settable: completeness.stable_seconds."""


class Source(StrEnum):
    """Who tells how many instances there are, strongest first."""

    PACS = "pacs"
    IMAGES_LIST = "images-list"
    COMMITMENT = "commitment"


SOURCE_NAMES = {
    Source.PACS: "PACS 查询",
    Source.IMAGES_LIST: "图像地址清单",
    Source.COMMITMENT: "存储承诺请求",
}
_STRENGTH = {source: -number for number, source in enumerate(Source)}


class ImagesState(StrEnum):
    """What is known about the number of images."""

    COMPLETE = "complete"
    """All that was told is here, and nothing came for a while."""
    GROWING = "growing"
    """Something came within the stable time."""
    SHORT = "short"
    """Fewer than told, in a series or in all."""
    OVER = "over"
    """More than anybody told: the number should be asked for again."""
    UNKNOWN = "unknown"
    """Nobody told how many."""


IMAGES_STATE_NAMES = {
    ImagesState.COMPLETE: "齐全",
    ImagesState.GROWING: "到达中",
    ImagesState.SHORT: "不全",
    ImagesState.OVER: "多于告知",
    ImagesState.UNKNOWN: "未知是否齐全",
}
_WORST_FIRST = (
    ImagesState.SHORT,
    ImagesState.GROWING,
    ImagesState.UNKNOWN,
    ImagesState.OVER,
    ImagesState.COMPLETE,
)
SOURCES_DISAGREE = "sources-disagree"
COMPLETENESS_FINDING_NAMES = {SOURCES_DISAGREE: "各来源告知的影像数不一致"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One number somebody told. `series_uid` '' speaks of the study as a whole."""

    study_uid: str
    series_uid: str
    source: Source
    origin: str
    """The PACS node, list or requester that said it."""
    expected: int
    """Instances, distinct SOP Instance UIDs."""
    told_at: int
    """Unix ms."""
    hospital_code: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing of a series; `series_uid` '': of the study, nobody said in which series."""

    series_uid: str
    expected: int
    present: int

    @property
    def missing(self) -> int:
        return self.expected - self.present


@dataclass(frozen=True, slots=True)
class Telling:
    """All that one origin told about a study."""

    source: Source
    origin: str
    hospital_code: str
    expected: int
    told_at: int
    series: Mapping[str, int]
    """What it said of single series, by UID."""
    gaps: tuple[Gap, ...]

    @property
    def missing(self) -> int:
        return sum(gap.missing for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is known about one study's number of images."""

    state: ImagesState
    present: int
    last_received_at: int | None
    tellings: tuple[Telling, ...] = ()
    """The believed one first."""
    findings: tuple[str, ...] = ()

    @property
    def believed(self) -> Telling | None:
        return self.tellings[0] if self.tellings else None

    @property
    def expected(self) -> int | None:
        """None: nobody told."""
        return self.tellings[0].expected if self.tellings else None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return self.tellings[0].gaps if self.tellings else ()

    @property
    def missing(self) -> int:
        """Instances told and not here; series that have more do not make up for series that have fewer."""
        return self.tellings[0].missing if self.tellings else 0


def judge(
    expectations: Iterable[Expectation],
    present: Mapping[str, int],
    last_received_at: int | None,
    now: int,
    stable_after: int = STABLE_MS,
) -> Completeness:
    """How complete one study is.

    `present`: series UID -> distinct SOP Instance UIDs shown. `last_received_at`: None when nothing came
    yet. Times are Unix ms, `stable_after` ms. An expectation of 0 says nothing: whoever knows of no image
    is no witness. What changes with the time alone is only growing -> another state.
    """
    tellings = sorted(_tellings(expectations, present), key=_belief, reverse=True)
    total = sum(present.values())
    recent = last_received_at is not None and total > 0 and now - last_received_at < stable_after
    return Completeness(
        _state(tellings, total, recent), total, last_received_at, tuple(tellings), _findings(tellings)
    )


def _state(tellings: list[Telling], present: int, recent: bool) -> ImagesState:
    if recent:
        return ImagesState.GROWING
    if not tellings:
        return ImagesState.UNKNOWN
    if tellings[0].missing:
        return ImagesState.SHORT
    return ImagesState.OVER if present > tellings[0].expected else ImagesState.COMPLETE


def _tellings(expectations: Iterable[Expectation], present: Mapping[str, int]) -> list[Telling]:
    by_origin: dict[tuple[Source, str, str], dict[str, Expectation]] = {}
    for one in expectations:
        if one.expected > 0:
            told = by_origin.setdefault((one.source, one.origin, one.hospital_code), {})
            before = told.get(one.series_uid)
            if before is None or one.told_at >= before.told_at:
                told[one.series_uid] = one
    return [_telling(key, told, present) for key, told in by_origin.items()]


def _telling(
    key: tuple[Source, str, str], told: Mapping[str, Expectation], present: Mapping[str, int]
) -> Telling:
    source, origin, hospital_code = key
    series = {uid: one.expected for uid, one in told.items() if uid}
    whole = told[""].expected if "" in told else 0
    here = {uid: present.get(uid, 0) for uid in series}
    gaps = [Gap(uid, series[uid], here[uid]) for uid in sorted(series) if here[uid] < series[uid]]
    total = sum(present.values())
    if whole - total > sum(gap.missing for gap in gaps):
        gaps = [Gap("", whole, total)]
    told_at = max(one.told_at for one in told.values())
    expected = max(whole, sum(series.values()))
    return Telling(source, origin, hospital_code, expected, told_at, series, tuple(gaps))


def _belief(telling: Telling) -> tuple[bool, int, int, int, str]:
    short = telling.missing > 0
    return short, telling.expected, telling.told_at, _STRENGTH[telling.source], telling.origin


def _findings(tellings: list[Telling]) -> tuple[str, ...]:
    most = max((telling.expected for telling in tellings), default=0)
    differs = any(
        telling.expected != most and telling.source is not Source.COMMITMENT for telling in tellings
    )
    return (SOURCES_DISAGREE,) if differs else ()


@dataclass(frozen=True, slots=True)
class Sum:
    """The studies of one exam together. `expected` None: nobody told about any of them."""

    state: ImagesState
    present: int
    expected: int | None
    missing: int


def together(studies: Iterable[Completeness]) -> Sum:
    """Several studies as one: the worst state gives the name (short, growing, unknown, over, complete)."""
    found = list(studies)
    told = [one.expected for one in found if one.expected is not None]
    states = {one.state for one in found} or {ImagesState.UNKNOWN}
    return Sum(
        state=next(state for state in _WORST_FIRST if state in states),
        present=sum(one.present for one in found),
        expected=sum(told) if told else None,
        missing=sum(one.missing for one in found),
    )


def told_by(telling: Telling) -> str:
    """Who told it and when, in Chinese."""
    return f"{SOURCE_NAMES[telling.source]} {telling.origin}，{clock(telling.told_at)} 告知".replace(
        " ，", "，"
    )


def in_words(found: Completeness) -> str:
    """The study's number of images in Chinese, with the reason."""
    telling = found.believed
    if telling is None:
        return f"现 {found.present} 幅，无人告知应有数量，未知是否齐全"
    counts = f"应 {telling.expected} 幅，现 {found.present} 幅（{told_by(telling)}）"
    if telling.missing:
        return f"影像不全：{counts}{_where(telling)}"
    if found.present > telling.expected:
        return f"影像多于告知：{counts}"
    return f"影像齐全：{counts}" if found.state is ImagesState.COMPLETE else f"影像已到齐，仍在到达：{counts}"


def _where(telling: Telling) -> str:
    """Which series lack how many; nothing when there is only the total to tell."""
    series = [gap for gap in telling.gaps if gap.series_uid]
    listed = "，".join(f"{gap.series_uid} 缺 {gap.missing} 幅" for gap in series[:3])
    more = f" 等 {len(series)} 个序列" if len(series) > 3 else ""
    return f"：序列 {listed}{more}" if series else ""
