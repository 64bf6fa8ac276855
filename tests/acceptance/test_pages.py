"""The pages in Debian's Chromium, served by a whole gateway."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page, expect

from tests.helpers.connector import until
from tests.peers.gateway import RunningGateway


def test_the_front_door_says_how_the_gateway_is(shared_gateway: RunningGateway, desk: Page) -> None:
    """In Chinese, under the policy that `web/pages` sets."""
    assert until(lambda: httpx.get(f"{shared_gateway.url}/health/ready").status_code == 200)
    desk.goto(f"{shared_gateway.url}/")
    expect(desk.get_by_text("网关工作正常")).to_be_visible()
    expect(desk.get_by_role("link", name="接口描述")).to_have_attribute("href", "/openapi.json")
