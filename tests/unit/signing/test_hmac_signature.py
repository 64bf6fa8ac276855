"""The HMAC of coss requests: every trap of T113, T114 and gm-signing 5, with known answers."""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.gm_samples import vectors
from yingqiao.signing import hmac_signature as h
from yingqiao.signing.hmac_signature import ParameterError, Parameters, read_parameters

SECRET = b"0123456789abcdef"


def read(**parameters: object) -> Parameters:
    return read_parameters(json.dumps(parameters, ensure_ascii=False).encode())


VECTORS = [
    (
        {
            "appId": "APP_0157E810F6894BEEB4DEC70331720557",
            "attachCert": "true",
            "oriData": "test",
            "signAlgo": "HMAC",
            "version": "1.0",
        },
        "697dQHBE9pZ0/tPwclC7DzKUEpCste9pg5Jvkkx/NnI=",
    ),
    (
        {
            "algo": "SM3withSM2",
            "appId": "APP_X",
            "data": "562+5ZCN5rWL6K+V5pWw5o2u",
            "dataType": "DATA",
            "expiryDate": "1440",
            "requireQrCode": "N",
            "signAlgo": "HMAC",
            "title": "测试签名",
            "version": "1.0",
            "description": "",
            "transId": None,
            "signature": "dropped",
        },
        "cmwaojP3unqeSwjChEGDxatqrCzd8ho7SnbMxSlG+zo=",
    ),
]


@pytest.mark.parametrize(("parameters", "signature"), VECTORS)
def test_known_answers(parameters: dict[str, object], signature: str):
    """T114: empty values, null and `signature` are left out; UTF-8."""
    found = read(**(parameters | {"signature": signature}))
    assert h.sign(SECRET, found.string_a()) == signature
    assert h.verify(found, [b"other", SECRET]) == SECRET
    assert h.verify(found, [b"other"]) is None


def test_the_sample_request_of_the_standard():
    """四(二)4: StringA of the printed addSignJob request, with the derived vector's secret."""
    vector = vectors()["coss_signature"][0]
    pairs = dict(pair.split("=", 1) for pair in vector["string_a"].split("&"))
    assert read(**pairs).string_a() == vector["string_a"]
    assert h.sign(vector["secret"].encode(), vector["string_a"]) == vector["signature"]


def test_the_answer_of_a_result():
    """T124: over appId, ext, result, userId, in that order."""
    expected = "ksdiP9aRrvwSjiXm5eQJL1o0akUE6NG4Dfarvz9LLqE="
    assert h.result_mac(SECRET, "APP_X", "20221209102806", "true", "1db75c43") == expected


@pytest.mark.parametrize(
    ("body", "string_a"),
    [
        (b'{"b":"2","a":"1"}', "a=1&b=2"),
        (b'{"appId":"x","Algo":"y","_z":"0"}', "Algo=y&_z=0&appId=x"),
        (b'{"n":1440,"f":1.50,"e":1E3,"m":-0}', "e=1E3&f=1.50&m=-0&n=1440"),
        (b'{"t":true,"f":false,"n":null,"e":"","s":" "}', "f=false&s= &t=true"),
        (b'{"n":"null"}', "n=null"),
        (b'{"u":"\\u5f20","v":"\xe5\xbc\xa0 e\xcc\x81"}', "u=张&v=张 e\u0301"),
        (b'{"p":"a+b/c==","q":"x&y=z","r":"%2B"}', "p=a+b/c==&q=x&y=z&r=%2B"),
        (b'{"big":123456789012345678901234567890}', "big=123456789012345678901234567890"),
        (b'{"extra":"signed too"}', "extra=signed too"),
    ],
)
def test_canonical_strings(body: bytes, string_a: str):
    """T114: ordinal sort, values as in the JSON text, nothing encoded, trimmed or normalised."""
    assert read_parameters(body).string_a() == string_a


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b'{"a":1,"a":2}',
        b'{"appId":"a","APPID":"b"}',
        b'{"a":{"b":1}}',
        b'{"a":[1]}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xd5\xc5"}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":"a"}',
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_bodies_refused(body: bytes):
    """Gm-signing 5: duplicates, nested values, a byte order mark, GBK, half surrogates."""
    with pytest.raises(ParameterError):
        read_parameters(body)


@pytest.mark.parametrize(
    ("sent", "algorithm"),
    [
        ("HMAC", h.SHA256),
        ("", h.SHA256),
        ("HMAC-SHA256", h.SHA256),
        ("HmacSHA256", h.SHA256),
        ("hmac_sha256", h.SHA256),
        ("HmacSHA1", h.SHA1),
        ("HmacMD5", h.MD5),
        ("SM3", None),
    ],
)
def test_names_of_algorithms(sent: str, algorithm: str | None):
    """T113."""
    assert h.algorithm_of(sent) == algorithm


def test_forms_of_a_signature():
    """Padding, the URL alphabet, line breaks, `+` turned into a space: the bytes count."""
    raw = bytes(range(0xF0, 0x100)) + b"\xfb" * 16
    usual = base64.b64encode(raw).decode()
    assert "+" in usual
    assert "/" in usual
    url = base64.urlsafe_b64encode(raw).decode()
    for form in (usual, usual.rstrip("="), url, usual.replace("+", " "), f"{usual[:20]}\r\n{usual[20:]}\n"):
        assert h.decode_signature(form) == raw
    for form in ("", "é", "a" * 5, "====", "*" * 44):
        assert h.decode_signature(form) is None


DIAGNOSES = {
    "GBK": lambda p: hmac.digest(SECRET, p.string_a().encode("gbk"), "sha256"),
    "空值": lambda p: h.mac(SECRET, "a=&b=张 三&c=true&z=1"),
    "排序": lambda p: h.mac(SECRET, "b=张 三&c=true&Z=1"),
    "先后": lambda p: h.mac(SECRET, "b=张 三&Z=1&c=true"),
    "小写": lambda p: h.mac(SECRET, "b=张 三&c=true&z=1"),
    "URL": lambda p: h.mac(SECRET, "Z=1&b=%E5%BC%A0+%E4%B8%89&c=true"),
    "空格": lambda p: h.mac(SECRET, "Z=1&b=张+三&c=true"),
    "末尾": lambda p: h.mac(SECRET, "Z=1&b=张 三&c=true&"),
    "True": lambda p: h.mac(SECRET, "Z=1&b=张 三&c=True"),
    "十六进制解码": lambda p: h.mac(bytes.fromhex(SECRET.decode()), p.string_a()),
    "Base64 解码": lambda p: h.mac(base64.b64decode(SECRET), p.string_a()),
    "逐字核对": lambda p: b"x" * 32,
}


@pytest.mark.parametrize("words", DIAGNOSES)
def test_diagnoses(words: str):
    """Each mistake of a client is named; none is accepted."""
    body = '{"b":"张 三","Z":"1","a":"","c":true}'
    if words == "空值":
        body = body.replace("Z", "z")
    found = read_parameters(body.encode())
    signature = base64.b64encode(DIAGNOSES[words](found)).decode()
    found = Parameters({**found.values, "signature": signature})
    assert h.verify(found, [SECRET]) is None
    assert words in h.diagnose(found, SECRET)


def test_diagnoses_of_form():
    for text, words in (("", "没有 signature"), ("ab" * 32, "十六进制"), ("AAAA", "32 字节")):
        assert words in h.diagnose(Parameters({"a": "1", "signature": text}), SECRET)


def test_what_the_log_may_show():
    """No title, no data; only what names nobody."""
    found = read(title="张三的报告", data="QUJD", appId="APP_X", signature="x", expiryDate=60)
    shown = h.loggable(found)
    assert shown == "appId=APP_X&data=〈4 字符，4 字节〉&expiryDate=60&title=〈5 字符，15 字节〉"


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
values = st.one_of(
    st.none(), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=20), st.integers()
)


@given(st.dictionaries(names, values, max_size=8))
def test_the_order_of_sending_does_not_matter(parameters: dict[str, object]):
    """Property: StringA depends on the set of parameters alone, and every non-empty value is in it."""
    if len({name.lower() for name in parameters}) < len(parameters):
        return
    one = read(**parameters).string_a()
    assert read(**dict(reversed(parameters.items()))).string_a() == one
    for name, value in parameters.items():
        if isinstance(value, str) and value and name.lower() != "signature":
            assert f"{name}={value}" in one


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes):
    try:
        found = read_parameters(raw)
    except ParameterError:
        return
    h.verify(found, [SECRET])
    h.loggable(found)
    h.diagnose(found, SECRET)
