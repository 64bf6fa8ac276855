"""The six URL parameters of 四(二)4(6), and the shapes vendors copied from the printed sample (T140)."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.parameters import Parameters, SaveType, read_parameters

PDF = "https://pacs.example/a/报告 1.pdf?x=1&y=2#3"
SAVE = "http://pacs.example/upload?id=7&k=v"


def query(**said: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items())


def test_as_documented():
    text = query(
        fileUrl=PDF, savePath=SAVE, saveType="net", token="业务 1+1", showPagingSealBtn="0", bParallelSign="1"
    )
    assert read_parameters(text) == Parameters(PDF, SAVE, SaveType.NET, "业务 1+1", False, True)


def test_defaults_are_the_standards():
    """showPagingSealBtn 1, bParallelSign 0."""
    said = read_parameters(query(fileUrl=PDF, savePath=SAVE))
    assert (said.save_type, said.token, said.paging_button, said.parallel) == (SaveType.NET, "", True, False)


def test_local_paths():
    said = read_parameters(query(fileUrl="/报告/a b.pdf", savePath="/报告/c+d.pdf", saveType="local"))
    assert (said.save_type, said.file_url, said.save_path) == (
        SaveType.LOCAL,
        "/报告/a b.pdf",
        "/报告/c+d.pdf",
    )


def test_the_printed_sample_with_the_viewer_twice_and_nothing_encoded():
    """T140: src starts twice with viewer.html?fileUrl=, savePath begins with a line break."""
    printed = (
        f"fileUrl=http://localhost:21051/PDFClient/viewer.html?fileUrl={PDF}"
        "&savePath=\r\nhttp://xxx.com/upload&saveType=net&token=123456"
    )
    said = read_parameters(printed)
    assert (said.file_url, said.save_path, said.token) == (PDF, "http://xxx.com/upload", "123456")


def test_an_address_that_was_not_encoded_keeps_its_own_parameters():
    said = read_parameters("fileUrl=http://p/a.pdf?x=1&y=2&savePath=http://p/u?i=7&k=v&token=9&z=8")
    assert (said.file_url, said.save_path, said.token) == (
        "http://p/a.pdf?x=1&y=2",
        "http://p/u?i=7&k=v",
        "9",
    )


def test_a_plus_is_a_blank_where_addresses_are_encoded():
    """As URLSearchParams writes it."""
    assert read_parameters(urlencode({"fileUrl": PDF, "savePath": SAVE, "token": "a b+c"})).token == "a b+c"
    assert read_parameters("fileUrl=http://p/a+b.pdf&savePath=s").file_url == "http://p/a+b.pdf"


def test_the_last_of_several_counts():
    assert read_parameters("fileUrl=http://p/a&fileUrl=http://p/b&savePath=s").file_url == "http://p/b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "fileUrl"),
        ("fileUrl=&savePath=x", "fileUrl"),
        ("fileUrl=http://p/a", "savePath"),
        ("fileUrl=http://p/a&savePath=s&saveType=ftp", "saveType"),
        ("fileUrl=http://p/a&savePath=s&bParallelSign=yes", "bParallelSign"),
        ("fileUrl=http://p/a&savePath=s&showPagingSealBtn=2", "showPagingSealBtn"),
        ("fileUrl=http://p/a&savePath=s&token=" + "1" * 257, "token"),
        ("fileUrl=" + "a" * 17_000, "字符"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, words: str):
    with pytest.raises(Refused, match=words) as refused:
        read_parameters(text)
    assert (refused.value.status, refused.value.code) == (400, "bad-parameters")


def test_parallel_signing_needs_no_place_to_save():
    assert read_parameters("fileUrl=http://p/a&bParallelSign=1").parallel


@given(st.text(max_size=200))
def test_any_query_is_read_or_refused(text: str):
    with suppress(Refused):
        read_parameters(text)
