"""The reference page of the settings is what the program says of them."""

from pathlib import Path

from yingqiao.cli.settings_page import page

PAGE = Path(__file__).parents[3] / "docs/reference/settings.md"


def test_the_page_is_up_to_date() -> None:
    """When this fails: `python -m yingqiao.cli.settings_page > docs/reference/settings.md`."""
    assert PAGE.read_text("utf-8") == page()
