"""What `check` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something an edition's folder says wrongly."""

    check: str
    """Name of the check."""
    where: str
    """File and row, or table.field."""
    text: str
    """Chinese."""

    def __str__(self) -> str:
        return f"{self.where}：{self.text}"
