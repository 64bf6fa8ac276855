"""DER, PEM and base64 are recognised by their bytes (`signCert`, `base64Cert`, files of the command line)."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.pki import world
from yingqiao.gm import armor
from yingqiao.gm.armor import ArmorError

RAW = world().doctor.certificate.raw
TEXT = base64.b64encode(RAW)
PEM = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(RAW) + b"-----END CERTIFICATE-----\n"
HEADED = PEM.replace(b"-----\nMI", b"-----\nProc-Type: 4,CLEAR\n\nMI", 1)

FORMS = {
    "der": RAW,
    "base64": TEXT,
    "base64 in lines": base64.encodebytes(RAW).replace(b"\n", b"\r\n"),
    "base64 without padding": TEXT.rstrip(b"="),
    "base64 of the web": base64.urlsafe_b64encode(RAW),
    "base64 after a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "pem": PEM,
    "pem with words around": b"subject=x\n" + PEM.replace(b"\n", b"\r\n") + b"end",
    "pem with headers": HEADED,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_forms(form: bytes):
    assert armor.unwrap_one(form) == RAW


def test_several_blocks():
    assert armor.unwrap(PEM * 3) == [RAW] * 3
    with pytest.raises(ArmorError, match="3 个"):
        armor.unwrap_one(PEM * 3)


REFUSED = {
    "nothing": b"",
    "blank": b" \n",
    "half": PEM[:300],
    "words": "不是证书".encode(),
    "one letter": b"A",
    "too many": PEM * (armor.MAX_BLOCKS + 1),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_neither(raw: bytes):
    with pytest.raises(ArmorError):
        armor.unwrap(raw)


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes):
    with contextlib.suppress(ArmorError):
        assert armor.unwrap(raw)
