"""Debian's Chromium, driven by Playwright: what people see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

expect.set_options(timeout=90_000)  # a busy machine is slow, not wrong


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Fails when there is no Chromium: `scripts/peers.sh` installs it.

    Ends with its module: while Playwright runs, its thread has an event loop, and `asyncio.run` elsewhere fails.
    """
    program = shutil.which("chromium")
    assert program, "chromium is missing: scripts/peers.sh"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def desk(browser: Browser) -> Iterator[Page]:
    """A new page on a desk, in Chinese; a script error or a refusal of the page's policy fails the test."""
    context = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900})
    yield from watched_page(context)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A new page on a phone's screen, in Chinese; else as `desk`."""
    context = browser.new_context(
        locale="zh-CN",
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
    yield from watched_page(context)


def watched_page(context: BrowserContext) -> Iterator[Page]:
    """A page of `context`; afterwards nothing may have gone wrong in its scripts."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert wrong == []
