"""Text as the databases take it."""

from __future__ import annotations

from collections.abc import Iterable


def storable(text: str) -> str:
    """Without what a database refuses: NUL characters become U+FFFD, halves of surrogate pairs '?'."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def comma_list(items: Iterable[str]) -> str:
    """',a,b,' so that LIKE '%,a,%' finds an item; '' when empty."""
    joined = ",".join(items)
    return f",{joined}," if joined else ""


def from_comma_list(text: str) -> list[str]:
    """The items of a `comma_list`."""
    return text.strip(",").split(",") if text else []
