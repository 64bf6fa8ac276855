"""The configurations docs/howto/connector-sources.md shows can be opened."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import page
from yingqiao.hospital.sources import open_source

BLOCKS = [block.text for block in page("docs/howto/connector-sources.md").blocks if block.language == "toml"]


@pytest.mark.parametrize("text", BLOCKS)
def test_examples_open(text: str, tmp_path: Path):
    (table,) = tomllib.loads(text)["source"]
    source = open_source(table, tmp_path)
    assert source.name == table["name"]


def test_each_kind_has_an_example():
    kinds = {tomllib.loads(text)["source"][0]["type"] for text in BLOCKS}
    assert kinds == {"database", "folder", "hl7"}
