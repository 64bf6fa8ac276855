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
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        widths = {
            line.count("|") for line in rows if name == "exam.md" and "`" in line and "患者" not in line
        }
        assert len(widths) <= 2
