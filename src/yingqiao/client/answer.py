"""What the gateway said to a push."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yingqiao.exchange.model import Finding


@dataclass(frozen=True, slots=True)
class Answer:
    """`{"code", "message", "content"}` of the gateway (T08), with the findings it lists."""

    code: int
    message: str
    content: Any
    findings: tuple[Finding, ...]
    status: int
    """HTTP status."""

    @property
    def accepted(self) -> bool:
        return self.code == 1
