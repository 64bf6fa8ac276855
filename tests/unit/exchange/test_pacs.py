"""A Q/R node's values: what may be registered."""

from __future__ import annotations

import pytest

from yingqiao.exchange.pacs import (
    NewPacsNode,
    PacsAddress,
    PacsError,
    PacsOptions,
    checked,
    destination_of,
    parse_address,
)
from yingqiao.exchange.work import LineLimits


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("PACS1@10.1.2.3:104", PacsAddress("PACS1", "10.1.2.3", 104)),
        (" MY PACS@pacs.hospital:11112 ", PacsAddress("MY PACS", "pacs.hospital", 11112)),
        ("P@[2001:db8::1]:104", PacsAddress("P", "2001:db8::1", 104)),
    ],
)
def test_addresses(text: str, address: PacsAddress):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "PACS", "PACS@host", "PACS@host:0", "PACS@host:70000", "@host:104", "A\\B@h:1", "汉字@h:1", "X" * 17 + "@h:1",
     "P@a b:104", "P@2001:db8::1:104"],
)  # fmt: skip
def test_what_is_no_address(text: str):
    with pytest.raises(PacsError):
        parse_address(text)


def test_options_survive_a_later_edition():
    options = PacsOptions(tls=True, tls_ca="/etc/ca.pem", learned="get")
    assert PacsOptions.from_json(options.to_json()) == options
    assert PacsOptions.from_json('{"tls": true, "tomorrow": 1}') == PacsOptions(tls=True)
    assert PacsOptions.from_json("") == PacsOptions()


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "x" * 33},
        {"charset": "LATIN9"},
        {"calling_aet": "A" * 17},
        {"limits": LineLimits(parallel=0)},
        {"options": PacsOptions(tls_certificate="c.pem")},
    ],
)
def test_nodes_that_cannot_be(given: dict[str, object]):
    values: dict[str, object] = {"hospital_code": "H1", "name": "主PACS", "address": parse_address("P@h:1")}
    assert checked(NewPacsNode(**values))  # type: ignore[arg-type]
    with pytest.raises(PacsError):
        checked(NewPacsNode(**(values | given)))  # type: ignore[arg-type]


def test_each_node_is_a_line_of_its_own():
    assert destination_of("H1", "main") == "H1/pacs/main"
