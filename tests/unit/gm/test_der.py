"""The ASN.1 reader and writer (X.690)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.gm import der


@given(st.integers(-(2**2000), 2**2000))
def test_integers_go_round(value: int):
    raw = der.write_integer(value)
    assert der.integer(der.parse(raw)) == value
    assert len(raw) == 2 or raw[1] != 1 or len(raw) == 3


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**70), max_size=6))
def test_object_identifiers_go_round(first, second, rest):
    dotted = ".".join(map(str, (first, second, *rest)))
    assert der.oid(der.parse(der.write_oid(dotted))) == dotted


@given(st.binary(max_size=70_000))
def test_lengths_are_shortest(content: bytes):
    """10.1: what the writer wrote, the strict reader takes."""
    node = der.parse(der.write_octets(content))
    assert der.octets(node) == content
    assert node.raw == der.write_octets(content)


TIMES = {
    b"\x17\x0d260301040506Z": datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC),
    b"\x17\x0d500301040506Z": datetime(1950, 3, 1, 4, 5, 6, tzinfo=UTC),
    b"\x17\x0b2603010405Z": datetime(2026, 3, 1, 4, 5, tzinfo=UTC),
    b"\x17\x11260301040506+0800": datetime(2026, 2, 28, 20, 5, 6, tzinfo=UTC),
    b"\x18\x0f20260301040506Z": datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC),
    b"\x18\x0e20260301040506": datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC),
    b"\x18\x1320260301040506.123Z": datetime(2026, 3, 1, 4, 5, 6, 123000, tzinfo=UTC),
    b"\x18\x1620260301040506,1-01300": None,
    b"\x18\x0f20261301040506Z": None,
    b"\x18\x0f20260230040506Z": None,
    b"\x17\x0f20260301040506Z": None,
    b"\x18\x1300010101000000+2359": None,
    b"\x04\x0d260301040506Z": None,
}


@pytest.mark.parametrize(("raw", "expected"), TIMES.items())
def test_times(raw: bytes, expected: datetime | None):
    """Both forms of time (RFC 5280 4.1.2.5), zone offsets and missing seconds as they occur."""
    node = der.parse(raw)
    if expected is None:
        with pytest.raises(der.DerError):
            der.time(node)
    else:
        assert der.time(node) == expected


def test_certificate_times_change_form_in_2050():
    assert der.write_time(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))[0] == der.UTC_TIME
    assert der.write_time(datetime(2050, 1, 1, tzinfo=UTC))[0] == der.GENERALIZED_TIME


def test_fractions_of_time_have_no_trailing_zeros():
    """RFC 3161 2.4.2."""
    moment = datetime(2026, 3, 1, 4, 5, 6, 120_000, tzinfo=UTC)
    assert der.write_generalized_time(moment) == b"\x18\x1220260301040506.12Z"


def test_indefinite_lengths_are_read_where_allowed():
    """BER of Java producers: nested, and strings in pieces."""
    raw = b"\x30\x80\xa0\x80\x24\x80\x04\x01a\x24\x03\x04\x01b\0\0\0\0\x02\x01\x05\0\0"
    first, second = der.parse(raw, ber=True).children()
    assert der.octets(first.only("x")) == b"ab"
    assert first.indefinite
    assert der.integer(second) == 5
    with pytest.raises(der.DerError, match="不是 DER"):
        der.parse(raw)


REFUSED = {
    "empty": b"",
    "one byte": b"\x30",
    "content missing": b"\x30\x03\x02\x01",
    "bytes after": b"\x05\0\0",
    "length not shortest": b"\x04\x81\x01a",
    "length with leading zero": b"\x04\x82\x00\x90" + bytes(0x90),
    "length of length": b"\x04\x85\0\0\0\0\x01a",
    "multi-byte tag": b"\x1f\x81\x01\0",
    "indefinite primitive": b"\x04\x80a\0\0",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_not_der(raw: bytes):
    with pytest.raises(der.DerError) as refusal:
        der.parse(raw)
    assert refusal.value.code == "der"
    assert refusal.value.reason


VALUES = {
    "empty integer": (der.integer, b"\x02\0"),
    "string as integer": (der.integer, b"\x04\x01a"),
    "wide boolean": (der.boolean, b"\x01\x02\0\0"),
    "integer as string": (der.octets, b"\x02\x01a"),
    "pieces without ber": (der.octets, b"\x24\x03\x04\x01a"),
    "empty bits": (der.bits, b"\x03\0"),
    "eight unused bits": (der.bits, b"\x03\x02\x08a"),
    "unused bits of nothing": (der.bits, b"\x03\x01\x01"),
    "unfinished oid": (der.oid, b"\x06\x01\x80"),
    "empty oid": (der.oid, b"\x06\0"),
    "string as oid": (der.oid, b"\x04\x01a"),
}


@pytest.mark.parametrize(("read", "raw"), VALUES.values(), ids=VALUES.keys())
def test_values_that_are_none(read, raw: bytes):
    with pytest.raises(der.DerError):
        read(der.parse(raw))


def test_members_are_taken_in_order():
    fields = der.Fields(der.parse(der.sequence(der.write_integer(1), der.write_null())), "测试")
    assert fields.optional(der.BOOLEAN) is None
    assert der.integer(fields.take(der.INTEGER)) == 1
    with pytest.raises(der.DerError, match="测试：有多余成员"):
        fields.end()
    assert len(fields.rest()) == 1
    with pytest.raises(der.DerError, match="应为 02"):
        fields.take(der.INTEGER)
    fields.take()
    with pytest.raises(der.DerError, match="测试：缺少成员"):
        fields.take()


def test_depth_and_width_are_bounded():
    deep = b"\x05\0"
    for _ in range(der.MAX_DEPTH + 1):
        deep = der.sequence(deep)
    node = der.parse(deep)
    for _ in range(der.MAX_DEPTH):
        node = node.only("测试")
    with pytest.raises(der.DerError, match="嵌套"):
        node.only("测试")
    with pytest.raises(der.DerError, match="元素过多"):
        der.parse(der.sequence(b"\x05\0" * 11)).children(10)
    with pytest.raises(der.DerError, match="长度超过"):
        der.parse(bytes(101), max_size=100)


def test_sets_are_sorted():
    """11.6."""
    assert der.set_of([b"\x02\x01\x05", b"\x02\x01\x03"]) == b"\x31\x06\x02\x01\x03\x02\x01\x05"
