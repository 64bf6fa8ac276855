"""Debian's Chromium, driven by Playwright: what people see."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FloatRect,
    FrameLocator,
    Locator,
    Page,
    Route,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError

_PATIENCE_MS = 90_000
"""A busy machine is slow, not wrong; what comes sooner is not waited for."""
expect.set_options(timeout=_PATIENCE_MS)

_SAID = """new MutationObserver(() => {
  const root = document.documentElement;
  const said = new Set((root.dataset.said ?? "").split("\\n"));
  for (const one of document.querySelectorAll(".ant-message-notice, .adm-toast-main")) said.add(one.textContent);
  const text = [...said].filter(Boolean).join("\\n");
  if (text !== (root.dataset.said ?? "")) root.dataset.said = text;
}).observe(document, { childList: true, subtree: true, characterData: true });"""
"""Keeps at the document's root what a page says in passing: such words are gone after two or three seconds."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Fails when there is no Chromium: `scripts/peers.sh` installs it.

    Ends with its module: while Playwright runs, its thread has an event loop, and `asyncio.run` elsewhere fails.
    """
    program = shutil.which("chromium")
    assert program, "chromium is missing: scripts/peers.sh"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"], timeout=_PATIENCE_MS
        )
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


def patient(context: BrowserContext) -> BrowserContext:
    """It waits as long as a busy machine takes, and what its pages say in passing can be asked for by `said`."""
    context.set_default_timeout(_PATIENCE_MS)
    context.add_init_script(_SAID)
    return context


def said(place: Page | FrameLocator, words: str) -> None:
    """The page has said so, be it that the words are gone by now; in a context that is `patient`."""
    expect(place.locator("html")).to_have_attribute("data-said", re.compile(re.escape(words)))


TWO_FRAMES = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))"


def resting(one: Locator) -> FloatRect:
    """Where it lies (pixels), once it lies still: what is drawn around it may still move it, but only where a frame comes
    in between.
    """
    before: FloatRect | None = None
    found: list[FloatRect] = []

    def is_still() -> bool:
        nonlocal before
        one.evaluate(TWO_FRAMES)
        now = one.bounding_box()
        still = now is not None and now == before
        before = now
        found[:] = [now] if now is not None else []
        return still

    deadline = time.monotonic() + _PATIENCE_MS / 1000
    while not is_still():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found[0]


class Held:
    """Requests of a page that wait, as on a slow network, until they are let go."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._waiting: list[Route] = []
        self._free = False
        page.route(pattern, self._take)

    def _take(self, route: Route) -> None:
        if self._free:  # asked before, and heard of only now
            route.continue_()
        else:
            self._waiting.append(route)

    def let_go(self) -> None:
        """These, and those to come."""
        self._free = True
        for one in self._waiting:
            one.continue_()


def watched_page(context: BrowserContext) -> Iterator[Page]:
    """A page of `context`; afterwards nothing may have gone wrong in its scripts."""
    patient(context)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    lines: list[str] = []
    page.on("console", lambda line: lines.append(line.text))
    page.on(
        "requestfailed", lambda request: lines.append(f"{request.method} {request.url}: {request.failure}")
    )
    yield page
    _tell(page, lines)
    context.close()
    assert wrong == []


def _tell(page: Page, lines: list[str]) -> None:
    """What the page showed at the end; pytest prints it of a test that failed."""
    for frame in page.frames:
        with suppress(PlaywrightError):
            print(frame.url, frame.locator("body").inner_text(timeout=1000)[:2000], sep="\n")
    print(*lines, sep="\n")
