"""The documents as the tests read them: links, headings, code blocks, inline code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and text."""

    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file of the repository."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @property
    def prose(self) -> str:
        """Without the fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        return [Block(*found) for found in _FENCE.findall(self.text)]

    @property
    def inline(self) -> list[str]:
        """Inline code; a table's escaped bar is a bar."""
        return [code.replace("\\|", "|") for code in re.findall(r"`([^`\n]+)`", self.prose)]

    @property
    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    @property
    def anchors(self) -> set[str]:
        """Ids of the headings, as GitHub makes them, and those set by hand."""
        headings = re.findall(r"^#+ +(.+)$", self.prose, re.MULTILINE)
        return set(re.findall(r'<a id="([^"]+)">', self.prose)) | {
            re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
        }

    def section(self, heading: str) -> str:
        """The text under a heading, to the next of its level or above."""
        found = re.search(rf"^(#+) {re.escape(heading)}$", self.text, re.MULTILINE)
        assert found, f"{self.name} has no section {heading}"
        rest = self.text[found.end() :]
        end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest


def page(name: str) -> Page:
    return Page(ROOT / name)


def pages() -> Iterator[Page]:
    """README, CHANGELOG, everything under docs, and the notes beside the standard's data."""
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")):
        yield Page(path)
