"""What is wrong with a configuration, said where: file, table, field."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(ValueError):
    """A configuration that cannot be used; the text is Chinese and names the place."""

    def __init__(self, reason: str, *where: str) -> None:
        self.reason = reason
        self.where = tuple(place for place in where if place)
        super().__init__("：".join([" ".join(self.where), reason]) if self.where else reason)

    def within(self, *where: str) -> ConfigError:
        """The same, seen from further out."""
        return ConfigError(self.reason, *where, *self.where)


class TransformError(ValueError):
    """A value a transform cannot read; the text is Chinese, without the value."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`，最接近的是 X`, or '' when nothing resembles `name`."""
    folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"，最接近的是 {folded[found[0]]}" if found else ""
