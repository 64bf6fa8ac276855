"""What the reference pages list is what the program has: settings, statuses, routes, metrics, log events."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.docs.pages import ROOT, Page, page, pages
from tests.helpers.connector import until
from tests.peers.gateway import RunningGateway
from yingqiao.dicom.query_retrieve.client import Model
from yingqiao.dicom.query_retrieve.node import Limits
from yingqiao.dicom.query_retrieve.storage_contexts import syntaxes_of
from yingqiao.dicom.storage_service import ScpConfig
from yingqiao.dicom.upper_layer.dimse import Status
from yingqiao.hospital.config import keys as connector_keys
from yingqiao.seal_client.config import keys as seal_client_keys
from yingqiao.settings import describe
from yingqiao.store.queries import words
from yingqiao.store.queries.common import LIMIT_AT_MOST
from yingqiao.web.api.routes import routes
from yingqiao.web.api.seal_desk import seal_desk_routes

SETTINGS = {setting.key: setting for setting in describe()}
CONNECTOR = {key.name for key in connector_keys()}
CONNECTOR_PAGES = {
    "docs/howto/connector.md",
    "docs/reference/hospital-toml.md",
    "docs/tutorials/connect-a-hospital.md",
}
"""Pages about hospital.toml, whose keys may bear names of the gateway's sections."""
SEAL_CLIENT = {key.name for key in seal_client_keys()}
SECTIONS = {key.partition(".")[0] for key in SETTINGS if "." in key}
SOURCE = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
EVENTS = set(re.findall(r"[lL]og\.(?:info|warning|error|exception)\(\s*\"([\w.-]+)\"", SOURCE))
EVENTS |= set(re.findall(r'event: str = "([\w.]+)"', SOURCE))  # lines put together by hand


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_settings_named_exist(page: Page):
    ours = page.name in CONNECTOR_PAGES
    known = CONNECTOR if ours else set(SETTINGS) | SEAL_CLIENT
    sections = {name.partition(".")[0] for name in CONNECTOR} if ours else SECTIONS
    others = EVENTS | {"api.token", "work.sqlite", "hospital.toml", "hospital.env"}
    for code in page.inline:
        found = re.match(r"([a-z]+)\.[a-z_]+(?= |=|$)", code)
        if found and found[1] in sections and found[0] not in others:
            assert found[0] in known, f"{page.name} names the setting {found[0]}"


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_environment_variables_named_exist(page: Page):
    programs = [*ROOT.glob("scripts/*.sh"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("src/**/*.py")]
    known = {s.env for s in SETTINGS.values()} | set(
        re.findall(r"YINGQIAO_[A-Z_]+", "\n".join(path.read_text("utf-8") for path in programs))
    )
    for name in set(re.findall(r"YINGQIAO_[A-Z_]+", page.text)):
        assert name in known, f"{page.name} names {name}"


def test_the_conformance_statement_has_every_status():
    """PS3.4 annex B.2.3: a conformance statement says which statuses a storage SCP returns, and when."""
    section = page("docs/conformance-statement.md").section("C-STORE 状态")
    assert set(re.findall(r"^\| ([0-9A-F]{4}) \|", section, re.MULTILINE)) == {f"{s:04X}" for s in used()}


def used() -> set[int]:
    """The statuses that the receiving side names."""
    files = [ROOT / f"src/yingqiao/dicom/{name}.py" for name in ("store_association", "keeper")]
    text = "".join(file.read_text("utf-8") for file in files)
    return {int(Status[name]) for name in re.findall(r"\bStatus\.([A-Z_]+)\b", text)}


def test_the_conformance_statement_has_what_we_ask_with():
    """Services, limits and character sets of the requestor's side."""
    section, limits = page("docs/conformance-statement.md").section("查询与调取（SCU）"), Limits()
    for model in Model:
        assert all(f"`{uid}`" in section for uid in (model.find, model.move, model.get))
    for seconds in (limits.connect, limits.association, limits.response, limits.pdu, limits.cancel):
        assert f"{seconds:g} 秒" in section
    assert f"{limits.max_matches:,} 条" in section
    assert f"上限 {limits.async_window}" in section
    for uid in syntaxes_of("1.2.840.10008.5.1.4.1.1.2"):
        assert f"`{uid}`" in section


def test_the_conformance_statement_has_the_limits():
    text, config = page("docs/conformance-statement.md").text, ScpConfig()
    assert f"{config.max_pdu // 1024} KiB" in text
    assert f"上限 {config.async_window}" in text
    for seconds in ("request_timeout", "idle_timeout", "pdu_timeout", "write_timeout"):
        assert f"{getattr(config, seconds):g} 秒" in text
    assert f"{config.association_timeout / 3600:g} 小时" in text


def test_the_api_page_has_every_route_and_filter():
    text = page("docs/reference/api.md").text
    both = [*routes(None, judge_file=lambda *_: []), *seal_desk_routes(None, None)]  # type: ignore[arg-type]
    served = {re.sub(r":\w+}", "}", route.path) for route in both}  # type: ignore[attr-defined]
    assert served == set(re.findall(r"`(?:GET|POST) /api(/[\w/{}]+)`", text))
    sections = {
        "检查": words.EXAM_WORDS,
        "报告": words.REPORT_WORDS,
        "影像": words.STUDY_WORDS,
        "存储承诺": words.COMMITMENT_WORDS,
        "提交": words.SUBMISSION_WORDS,
        "地址列表": words.LIST_WORDS,
        "后台工作": words.WORK_WORDS,
        "汇总": words.SUMMARY_WORDS,
    }
    for heading, known in sections.items():
        listed = re.findall(r"^\| `(\w+)` \|", page("docs/reference/api.md").section(heading), re.MULTILINE)
        assert listed == [word.name for word in known], heading
    assert f"{LIMIT_AT_MOST}" in text


def test_the_metrics_page_has_every_metric(shared_gateway: RunningGateway):
    def served() -> set[str]:
        text = httpx.get(f"{shared_gateway.url}/metrics").text
        return {n for n in re.findall(r"^# TYPE (\w+)", text, re.MULTILINE) if not n.endswith("_created")}

    listed = set(re.findall(r"^\| `(\w+)` \|", page("docs/reference/metrics.md").text, re.MULTILINE))
    assert until(lambda: listed == served()), listed ^ served()  # some are told once a second


def test_log_events_named_exist():
    rows = re.findall(r"^\| (`[^|]+`) \|", page("docs/howto/operate.md").section("看日志"), re.MULTILINE)
    listed = {event for row in rows for event in re.findall(r"`([\w.-]+)`", row)}
    assert listed
    assert listed <= EVENTS, listed - EVENTS


def test_parts_of_readiness_are_explained(shared_gateway: RunningGateway):
    parts = httpx.get(f"{shared_gateway.url}/health/ready").json()["parts"]
    section = page("docs/howto/operate.md").section("是否就绪")
    assert set(parts) == set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
