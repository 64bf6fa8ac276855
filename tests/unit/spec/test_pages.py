import re
from pathlib import Path

from yingqiao.spec import Edition
from yingqiao.spec.pages import pages

COMMITTED = Path(__file__).parents[3] / "docs" / "reference" / "standard"


def test_committed_pages_are_up_to_date(edition: Edition) -> None:
    """Else: yingqiao spec docs docs/reference/standard"""
    committed = {page.name: page.read_text("utf-8") for page in COMMITTED.glob("*.md")}
    assert committed == pages(edition)


def test_tables_keep_their_columns(edition: Edition) -> None:
    """A bar inside a cell (T37's separator) must not open another column."""
    for name, text in pages(edition).items():
        for heading, *rows in _tables(text):
            assert {row.count("|") for row in rows} == {heading.count("|")}, name


def test_every_link_leads_to_a_page_or_an_anchor(edition: Edition) -> None:
    texts = pages(edition)
    for name, text in texts.items():
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
            assert not anchor or f'<a id="{anchor}"></a>' in texts[target or name]
            assert (target or name) in texts


def _tables(text: str) -> list[list[str]]:
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [block for block in blocks if block[0].startswith("| ")]
