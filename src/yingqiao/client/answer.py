"""What the other side said, typed. Findings are the gateway's own words: field, label, rule, problem, how to mend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yingqiao.exchange.model import Finding, Level


@dataclass(frozen=True, slots=True)
class Answer:
    """`{"code", "message", "content"}` (三(一), T08), with the findings it lists."""

    code: int
    message: str
    content: Any
    findings: tuple[Finding, ...]
    status: int
    """HTTP status; 0 = decided here, nothing was sent."""

    @property
    def accepted(self) -> bool:
        return self.code == 1

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What the gateway took nevertheless, and would like to have mended."""
        return tuple(finding for finding in self.findings if finding.level is Level.WARN)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the record as the gateway opened it; '' when it names none."""
        return _text(self._members.get("digest"))

    @property
    def _members(self) -> Mapping[str, Any]:
        return self.content if isinstance(self.content, dict) else {}


@dataclass(frozen=True, slots=True)
class ListedFile:
    """An address of an images list, and what the gateway says of it."""

    url: str
    reason: str
    """Chinese."""
    state: str = ""


@dataclass(frozen=True, slots=True)
class ListTaken(Answer):
    """The answer to an images list (T94, T95): the files are fetched after it."""

    @property
    def added(self) -> int:
        """Addresses that will be fetched and were not known before."""
        return _count(self._members.get("accepted"))

    @property
    def already_there(self) -> int:
        return _count(self._members.get("alreadyThere"))

    @property
    def refused(self) -> tuple[ListedFile, ...]:
        """Addresses that will not be fetched, mostly because their host is not registered."""
        return listed_files(self._members.get("refused"))


@dataclass(frozen=True, slots=True)
class SeriesStatus:
    """How far the gateway is with the files of one series."""

    series_uid: str
    study_uid: str
    complete: bool
    state: str
    """Chinese."""
    files: int
    done: int
    waiting: int
    refused: int
    failed: int
    instances: int
    remaining: tuple[ListedFile, ...]
    """Files that are not there yet, as many as the gateway shows."""

    @staticmethod
    def of(said: Mapping[str, Any]) -> SeriesStatus:
        counts = {name: _count(said.get(name)) for name in ("files", "done", "waiting", "refused", "failed")}
        return SeriesStatus(
            series_uid=_text(said.get("SERIESIUID")),
            study_uid=_text(said.get("STUDYIUID")),
            complete=said.get("complete") is True,
            state=_text(said.get("state")),
            instances=_count(said.get("instances")),
            remaining=listed_files(said.get("remaining")),
            **counts,
        )


@dataclass(frozen=True, slots=True)
class ListStatus(Answer):
    """The answer to the question how far images lists are."""

    @property
    def series(self) -> tuple[SeriesStatus, ...]:
        lists = self._members.get("lists")
        said = lists if isinstance(lists, list) else []
        return tuple(SeriesStatus.of(one) for one in said if isinstance(one, dict))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The answer to a day's reconciliation (四(二)5, T157)."""

    message: str
    missing: tuple[str, ...]
    """Ids of the day's exams the platform lacks, as they were sent: push these again."""
    status: int
    """HTTP status."""

    @property
    def complete(self) -> bool:
        return not self.missing


def listed_files(said: object) -> tuple[ListedFile, ...]:
    items = said if isinstance(said, list) else []
    return tuple(
        ListedFile(*(_text(item.get(name)) for name in ("url", "reason", "state")))
        for item in items
        if isinstance(item, dict)
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
