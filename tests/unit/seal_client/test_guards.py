"""A service on the loopback interface is reached by every page of the machine's browsers: who gets through."""

from __future__ import annotations

import pytest

from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.guards import Guards, page_policy, read_origin

PACS = "https://pacs.hospital.cn"
GUARDS = Guards(21051, (PACS, "http://10.1.1.5:8080"))
OWN = {"host": "localhost:21051", "origin": "http://localhost:21051"}


@pytest.mark.parametrize("host", ["localhost:21051", "127.0.0.1:21051", "[::1]:21051", "LOCALHOST:21051"])
def test_this_machine_by_each_name(host: str):
    GUARDS.check("GET", {"host": host})
    GUARDS.check("POST", {"host": host, "origin": f"http://{host.lower()}"})


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example:21051",
        "localhost",
        "localhost:80",
        "localhost.evil.example:21051",
        "127.0.0.2:21051",
    ],
)
def test_another_name_is_dns_rebinding(host: str):
    with pytest.raises(Refused) as refused:
        GUARDS.check("GET", {"host": host})
    assert refused.value.code == "foreign-host"


@pytest.mark.parametrize(
    "origin",
    [None, "null", PACS, "http://localhost:8080", "http://127.0.0.1:21051", "https://localhost:21051"],
)
def test_calls_of_other_origins_are_refused_the_pacs_among_them(origin: str | None):
    """The PACS embeds the page; the API is the page's alone."""
    headers = {"host": "localhost:21051"} | ({"origin": origin} if origin else {})
    with pytest.raises(Refused) as refused:
        GUARDS.check("POST", headers)
    assert refused.value.code == "foreign-origin"


def test_a_script_or_picture_of_another_site_is_refused():
    with pytest.raises(Refused):
        GUARDS.check("GET", {"host": "localhost:21051", "origin": PACS})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site", "referer": f"{PACS}/"},
        {"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site"},
        {"sec-fetch-dest": "document", "sec-fetch-site": "none"},
        {"sec-fetch-dest": "document", "sec-fetch-site": "cross-site", "referer": "http://10.1.1.5:8080/x?y"},
        {"sec-fetch-dest": "iframe", "sec-fetch-site": "same-origin", "referer": "http://localhost:21051/"},
    ],
)
def test_the_page_is_loaded_by_the_pacs_or_by_a_person(headers: dict[str, str]):
    GUARDS.check_page(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-dest": "script", "sec-fetch-site": "cross-site"},
        {"sec-fetch-dest": "empty", "sec-fetch-site": "cross-site"},
        {"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site", "referer": "https://evil.example/"},
        {"sec-fetch-dest": "document", "sec-fetch-site": "cross-site"},
        {"sec-fetch-dest": "document", "sec-fetch-site": "same-site", "referer": "http://localhost:9/"},
        {"sec-fetch-dest": "embed"},
        {"referer": f"{PACS}:8443/"},
        {"referer": "http://pacs.hospital.cn/"},
    ],
)
def test_others_do_not_load_the_page(headers: dict[str, str]):
    with pytest.raises(Refused) as refused:
        GUARDS.check_page(headers)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "content-type": "application/json"},
        {"sec-fetch-site": "same-origin", "content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {},
    ],
)
def test_a_form_of_another_site_is_no_call(headers: dict[str, str]):
    with pytest.raises(Refused):
        GUARDS.check_call(headers)


def test_a_call_of_the_page():
    GUARDS.check_call({"sec-fetch-site": "same-origin", "content-type": "application/json; charset=utf-8"})


def test_the_policy_names_who_may_frame_and_nothing_else_of_others():
    policy = page_policy(GUARDS.frame_ancestors)
    assert policy.endswith("frame-ancestors https://pacs.hospital.cn http://10.1.1.5:8080")
    assert "default-src 'none'" in policy
    assert "unsafe-eval'" not in policy.replace("wasm-unsafe-eval'", "")
    assert "*" not in policy
    assert page_policy(Guards(1, ()).frame_ancestors).endswith("frame-ancestors 'none'")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://PACS.hospital.cn/", "https://pacs.hospital.cn"),
        ("https://pacs.hospital.cn:443", "https://pacs.hospital.cn"),
        ("http://pacs:80", "http://pacs"),
        ("http://[fd00::1]:8080", "http://[fd00::1]:8080"),
        ("file:", "file:"),
        ("file:///", "file:"),
        ("app://pacs", "app://pacs"),
    ],
)
def test_origins_as_browsers_write_them(text: str, origin: str):
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text", ["", "*", "https://*", "https://*.hospital.cn", "pacs.hospital.cn", "https://a/b", "https://a b", "javascript:",
             "https://u@pacs.cn", "'self'", "https://a; script-src *", "https:", "data:"]
)  # fmt: skip
def test_what_is_no_origin(text: str):
    with pytest.raises(ValueError, match="应为"):
        read_origin(text)
