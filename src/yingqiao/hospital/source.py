"""Where a connector's records come from: the seam between sources (views, folders, HL7) and everything that sends.

A source speaks the standard's language already: its mapping has been applied, so a record's `values` are the members
of the exam or report table (五, 六) under their own names. What cannot be mapped is a `Trouble`, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Table(StrEnum):
    """Which of the standard's tables a record belongs to."""

    EXAM = "exam"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record of a source, as it stood when read."""

    table: Table
    key: str
    """What names the record for ever: risStudyId of an exam, recordNum of a report."""
    values: Mapping[str, Any]
    position: str
    """Where the source stands after this record; opaque to everyone else, kept with the record in one transaction."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A row that could not become a record: what is wrong in Chinese, and where to find it."""

    table: Table
    where: str
    reason: str
    position: str


@dataclass(frozen=True, slots=True)
class Question:
    """What /exam/get, /report/get, a backfill day or a reconciliation asks of a source (四(二)3); None = any.

    Times are Beijing wall time `yyyy-MM-dd HH:mm:ss`; `start` inclusive, `end` exclusive.
    """

    table: Table
    start: str | None = None
    end: str | None = None
    apply_id: str | None = None
    patient_id: str | None = None
    report_id: str | None = None


class Source(Protocol):
    """A source that can be read again: database views, folders."""

    name: str

    def changes(self, table: Table, position: str | None, limit: int) -> Sequence[SourceRecord | Trouble]:
        """At most `limit` records changed after `position`, oldest change first; empty when there are none now.

        Reads again a little of what was before `position` (overlap), so that a commit that came late is not missed:
        a record may come twice, never not at all. Raises SourceUnavailableError.
        """

    def ask(self, question: Question) -> Iterator[SourceRecord | Trouble]:
        """All that answers `question`, in a stable order, streamed. Raises SourceUnavailableError."""


Keep = Callable[[Sequence[SourceRecord | Trouble]], None]
"""Makes records durable in the spool; returns only then."""


class Listener(Protocol):
    """A source that is told: HL7 over MLLP. It acknowledges to its sender after `keep` has returned."""

    name: str

    def start(self, keep: Keep) -> None: ...

    def close(self) -> None: ...


class SourceUnavailableError(Exception):
    """The source cannot be read now (database gone, folder not mounted); try again later. The text is Chinese."""
