"""What a spreadsheet makes of a text. Pure."""

from __future__ import annotations

_BEGIN = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""By which spreadsheets know a formula; some take the full-width forms too."""


def disarmed(text: str) -> str:
    """The text as a cell of a CSV: one that would be run as a formula gets an apostrophe before it."""
    return "'" + text if text.startswith(_BEGIN) else text
