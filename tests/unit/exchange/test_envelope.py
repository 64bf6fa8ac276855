"""The envelope of the main interfaces (三(一), 三(六))."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.exchange.records import CODE, KEY, NEXT_KEY, NOW_MS, NOW_S
from yingqiao.exchange.envelope import (
    Opened,
    Window,
    open_envelope,
    parse,
    seal,
    sign,
    verify_encryption_type,
)
from yingqiao.exchange.errors import Refusal

RECORD = {"risStudyId": "R1", "patName": "张三"}


def opened(
    changes: dict[str, Any] | None = None, *, resign: bool = True, window: Window | None = None
) -> Opened:
    body: dict[str, Any] = seal(RECORD, CODE, KEY, NOW_S) | (changes or {})
    if resign and "signature" not in (changes or {}):
        body["signature"] = sign(str(body["data"]), str(body["hospitalCode"]), str(body["timestamp"]))
    return open_envelope(parse(orjson.dumps(body)), (KEY,), NOW_MS, window or Window())


def refusal(changes: dict[str, Any], **rest: Any) -> str:
    with pytest.raises(Refusal) as caught:
        opened(changes, **rest)
    return caught.value.message_id


def test_signature_vector():
    """三(一), T04: SHA-1 over the joined values in the order of the names."""
    data = "laoxZiinrHrTUa1tythils6bY9/PaMJpAdm7xoKwHx0KbPEea+Am911ApbxJwJLy4QI6Vq1xoMTGEWqoUvOzOQ=="
    assert sign(data, "TestHospital", "1761766532") == "702EA031AAB5C18D927E527E483D08C4B00B1EE6"


def test_what_is_sealed_opens_without_a_finding():
    result = opened()
    assert result.value == RECORD
    assert orjson.loads(result.plaintext) == RECORD
    assert result.findings == ()


@pytest.mark.parametrize("name", ["hospitalCode", "data", "timestamp", "signature"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_t01_all_four_members_are_required(name: str, value: str | None):
    """T01."""
    with pytest.raises(Refusal) as caught:
        parse(orjson.dumps(seal(RECORD, CODE, KEY, NOW_S) | {name: value}))
    assert caught.value.message_id == "missing-member"
    assert caught.value.params["name"] == name


@pytest.mark.parametrize("resign", [True, False])
def test_t01_white_space_in_data_is_tolerated(resign: bool):
    """T01: signed with or without the white space."""
    data = seal(RECORD, CODE, KEY, NOW_S)["data"]
    assert opened({"data": f" {data[:20]}\r\n{data[20:]}\n"}, resign=resign).value == RECORD


@pytest.mark.parametrize("stamp", [str(NOW_S), NOW_S, float(NOW_S)])
def test_t03_a_timestamp_is_text_or_a_number(stamp: Any):
    """T03."""
    body = seal(RECORD, CODE, KEY, NOW_S) | {"timestamp": stamp}
    assert open_envelope(parse(orjson.dumps(body)), (KEY,), NOW_MS, Window()).findings == ()


@pytest.mark.parametrize(
    "stamp", [NOW_MS, NOW_S + 28_800, NOW_S - 28_800, (NOW_S + 28_800) * 1000, NOW_S - 5000]
)
def test_t03_milliseconds_offset_and_a_wrong_clock_only_warn(stamp: int):
    """T03: constant offset of 28,800 s, 13 digits, outside the window."""
    findings = opened({"timestamp": str(stamp)}).findings
    assert findings
    assert {f.rule for f in findings} == {"timestamp"}
    assert {f.level for f in findings} == {"warn"}


def test_t03_the_window_refuses_when_told_to():
    """T03: the window is configurable."""
    window = Window(60, "refuse")
    assert refusal({"timestamp": str(NOW_S - 61)}, window=window) == "outside-window"
    assert opened({"timestamp": str(NOW_S - 60)}, window=window).findings == ()
    assert opened({"timestamp": "1"}, window=Window(60, "off")).findings == ()


@pytest.mark.parametrize("stamp", ["昨天", "-1", "1e9", "2025-12-31 08:00:00", "9" * 40, "１７"])
def test_t03_an_unreadable_timestamp_is_refused(stamp: str):
    """T03."""
    assert refusal({"timestamp": stamp}) == "bad-timestamp"


def test_t04_the_signature_is_compared_without_case():
    """T04."""
    body = seal(RECORD, CODE, KEY, NOW_S)
    assert opened({"signature": body["signature"].lower()}).value == RECORD


def test_t04_a_wrong_signature_is_refused():
    """T04: it is a checksum; damage is refused."""
    assert refusal({"signature": "0" * 40}) == "bad-signature"


@pytest.mark.parametrize("value", [None, "", "SM4", "sm4", " SM4 "])
def test_t05_sm4_is_the_default(value: str | None):
    """T05."""
    verify_encryption_type(value)


def test_t05_another_encryption_is_refused():
    """T05."""
    with pytest.raises(Refusal) as caught:
        verify_encryption_type("AES")
    assert caught.value.message_id == "unknown-encryption"


@pytest.mark.parametrize("plain", [b'\xef\xbb\xbf{"a": 1}', b' {\n "a" :\t1 }\r\n', b'{"a":1}'])
def test_t06_any_json_white_space_and_a_bom_are_tolerated(plain: bytes):
    """T06."""
    result = open_envelope(parse(orjson.dumps(seal(plain, CODE, KEY, NOW_S))), (KEY,), NOW_MS, Window())
    assert result.value == {"a": 1}
    assert result.plaintext == plain


def test_t06_a_bom_outside_is_tolerated():
    """T06."""
    assert parse(b"\xef\xbb\xbf" + orjson.dumps(seal(RECORD, CODE, KEY, NOW_S))).hospital_code == CODE


def test_the_older_key_opens_during_a_rotation():
    """A rotation overlaps: every key is tried in order."""
    envelope = parse(orjson.dumps(seal(RECORD, CODE, KEY, NOW_S)))
    result = open_envelope(envelope, (NEXT_KEY, KEY), NOW_MS, Window())
    assert result.key_index == 1
    assert [f.rule for f in result.findings] == ["old-key"]


@pytest.mark.parametrize("keys", [(), (NEXT_KEY,)])
def test_a_wrong_key_is_told(keys: tuple[bytes, ...]):
    with pytest.raises(Refusal) as caught:
        open_envelope(parse(orjson.dumps(seal(RECORD, CODE, KEY, NOW_S))), keys, NOW_MS, Window())
    assert caught.value.message_id == "cannot-decrypt"


@pytest.mark.parametrize(
    ("plain", "detail"),
    [
        (b'{"a":', "语法错误"),
        ('{"a":"中"}'.encode("gbk"), "UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "嵌套"),
        (b"[" * 100 + b"]" * 100, "嵌套"),
        (b"[" + b"1," * 200_000 + b"1]", "成员"),
        (b"   ", "为空"),
    ],
)
def test_inner_json_is_bounded_and_told(plain: bytes, detail: str):
    """Deep, large or broken JSON is answered, never a crash."""
    with pytest.raises(Refusal) as caught:
        open_envelope(parse(orjson.dumps(seal(plain, CODE, KEY, NOW_S))), (KEY,), NOW_MS, Window())
    assert caught.value.message_id == "inner-not-json"
    assert detail in str(caught.value.params["detail"])


def test_data_that_is_no_base64_is_refused():
    assert refusal({"data": "不是"}) == "bad-base64"


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 5000])
def test_a_body_that_is_no_json_is_malformed(raw: bytes):
    with pytest.raises(Refusal) as caught:
        parse(raw)
    assert (caught.value.message_id, caught.value.http_status) == ("not-json", 400)


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"x"'])
def test_a_body_that_is_no_object_is_malformed(raw: bytes):
    with pytest.raises(Refusal) as caught:
        parse(raw)
    assert (caught.value.message_id, caught.value.http_status) == ("not-object", 400)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8")), json_values, max_size=6),
    st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_round_trip(record: dict[str, Any], code: str):
    """Whatever is sealed is opened."""
    if not code.strip():
        return
    envelope = parse(orjson.dumps(seal(record, code, KEY, NOW_S)))
    assert open_envelope(envelope, (KEY,), NOW_MS, Window()).value == record


@given(st.binary(max_size=300))
def test_any_bytes_are_opened_or_refused(raw: bytes):
    with contextlib.suppress(Refusal):
        open_envelope(parse(raw), (KEY,), NOW_MS, Window())
