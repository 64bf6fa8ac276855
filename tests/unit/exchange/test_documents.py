"""Embedded documents leave the record (T24, T74)."""

import orjson
import pytest

from yingqiao.exchange.documents import take_out


@pytest.mark.parametrize(
    "value",
    [
        {"a": "PDF", "b": 1},
        {"a": "PDF", "b": "PDF"},
        {"a": "xPDF", "b": "PDF", "c": ["PDF"]},
        {"a": {"b": "PDF"}, "PDF": 1},
    ],
)
def test_the_text_is_exchanged_wherever_it_stands(value):
    plaintext = orjson.dumps(value)
    assert take_out(plaintext, value, {"PDF": "object:1"}) == plaintext.replace(b'"PDF"', b'"object:1"')


def test_an_escaped_text_is_written_anew():
    value = {"a": "P/F", "b": 1}
    assert take_out(b'{"a":"P\\/F", "b":1}', value, {"P/F": "object:1"}) == b'{"a":"object:1","b":1}'


def test_many_quotes_stay_linear():
    text = "A" * 200_000
    value = {"x": ['\\"' + "A" * 100] * 3000, "a": text}
    assert text.encode() not in take_out(orjson.dumps(value), value, {text: "object:1"})


def test_nothing_taken_nothing_changed():
    assert take_out(b" {} ", {}, {}) == b" {} "
