"""Every relative link of the documents leads somewhere, and every file they name is there."""

import re

import pytest

from tests.docs.pages import ROOT, Page, pages

_FOLDERS = ("docs/", "src/", "tests/", "scripts/", "benchmarks/")
_PACKAGES = {path.name for path in (ROOT / "src/yingqiao").iterdir() if path.is_dir()}


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_links_resolve(page: Page):
    for link in page.links:
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        there = Page((page.path.parent / target).resolve() if target else page.path)
        assert there.path.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in there.anchors, f"{page.name} links to {link}: no such heading"


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_files_named_are_there(page: Page):
    for code in page.inline:
        if code.startswith(_FOLDERS) and re.fullmatch(r"[\w./-]+", code):
            assert (ROOT / code).exists(), f"{page.name} names {code}"
        elif re.fullmatch(r"\w+/[\w/]+\.py", code) and code.split("/")[0] in _PACKAGES:
            assert (ROOT / "src/yingqiao" / code).exists(), f"{page.name} names {code}"


def test_every_page_can_be_reached_from_the_readme():
    """Nobody finds what nothing leads to."""
    seen, waiting = set(), [Page(ROOT / "README.md")]
    while waiting:
        page = waiting.pop()
        if page.path in seen:
            continue
        seen.add(page.path)
        for link in page.links:
            target = (page.path.parent / link.partition("#")[0]).resolve()
            if target.is_dir():
                waiting += [Page(path) for path in target.glob("*.md")]
            elif target.suffix == ".md" and target.exists():
                waiting.append(Page(target))
    assert {one.path for one in pages()} <= seen, [one.name for one in pages() if one.path not in seen]
