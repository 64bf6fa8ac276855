"""Rows shown before anything is sent: what `map check` reads of every kind of source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from yingqiao.hospital.mapping import Mapped, TableMapping
from yingqiao.hospital.source import Table


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A real row, mapped."""

    where: str
    columns: tuple[str, ...]
    """All columns the row has, used or not."""
    mapped: Mapped


class Previewable(Protocol):
    """A source `map check` can look into."""

    name: str

    @property
    def tables(self) -> tuple[Table, ...]: ...

    def mapping(self, table: Table) -> TableMapping: ...

    def preview(self, table: Table, limit: int) -> Iterator[PreviewRow]:
        """At most `limit` rows. Raises SourceUnavailableError."""
