"""docs/reference/hospital-toml.md lists what the connector reads."""

from __future__ import annotations

import re

from tests.docs.pages import page
from yingqiao.hospital.config import keys


def test_every_key_is_listed_with_its_meaning():
    text = page("docs/reference/hospital-toml.md").text
    listed = dict(re.findall(r"^\| `(\w+\.\w+)` \| [^|]+ \| (.+) \|$", text, re.MULTILINE))
    meant = {key.name: key.help.strip().replace("|", "\\|") for key in keys()}
    assert listed == meant
