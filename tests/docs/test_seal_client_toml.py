"""docs/reference/seal-client.md lists what the seal client reads and refuses with."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, page
from yingqiao.seal_client.config import keys

TEXT = page("docs/reference/seal-client.md").text


def test_every_key_is_listed_with_its_meaning():
    listed = dict(re.findall(r"^\| `(\w+\.\w+)` \| [^|]+ \| (.+) \|$", TEXT, re.MULTILINE))
    meant = {key.name: key.help.strip().replace("|", "\\|") for key in keys()}
    assert listed == meant


def test_every_code_is_listed():
    """Those a host can be told: of the calls, not of strangers."""
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src/yingqiao/seal_client").glob("*.py"))
    codes = set(re.findall(r'Refused\(\s*\d+,\s*"([a-z-]+)"', source))
    strangers = {
        "foreign-host",
        "foreign-origin",
        "foreign-page",
        "not-a-page",
        "not-json",
        "twice",
        "bad-request",
    }
    assert {code for code in codes - strangers if f"`{code}`" not in TEXT} == set()
