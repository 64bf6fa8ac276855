"""bParallelSign: what is no such data, damaged, or over another base is refused (§3.4's reading of 四(二)4(6))."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from yingqiao.gm import sm3
from yingqiao.signing.seals.parallel import ParallelError, contents, joined

BASE = b"%PDF-1.7 base"
TAIL = b"\nincrement"
PART = {"increment": b64encode(TAIL).decode(), "sealedSm3": sm3.digest(BASE, TAIL).hex(), "ses": "AQI="}
NEXT = PART | {"sealedSm3": sm3.digest(BASE, TAIL, TAIL).hex()}
SAID = contents(
    BASE, [PART], token="7", seal={"esId": "1", "name": "章"}, at=datetime(2026, 3, 1, tzinfo=UTC)
)


def test_joined():
    """Each part over what the one before made; the whole message will do as well."""
    assert joined(BASE, SAID) == (BASE + TAIL, [b"\1\2"])
    two = {"type": "parallelSignData", "contents": SAID | {"signatures": [PART, NEXT]}}
    assert joined(BASE, two) == (BASE + TAIL + TAIL, [b"\1\2"] * 2)


@pytest.mark.parametrize(
    ("base", "said", "code"),
    [
        (BASE + b" ", SAID, "stale-base"),
        (BASE, SAID | {"version": 1}, "parallel"),
        (BASE, SAID | {"signatures": []}, "parallel"),
        (BASE, SAID | {"signatures": [PART | {"increment": "*"}]}, "parallel"),
        (BASE, SAID | {"signatures": [PART | {"increment": b64encode(b"other").decode()}]}, "parallel"),
        (BASE, SAID | {"signatures": [PART, PART]}, "parallel"),
        (BASE, SAID | {"signatures": 5}, "parallel"),
        (BASE, SAID | {"base": None}, "parallel"),
        (BASE, {}, "parallel"),
    ],
)
def test_refused(base: bytes, said: dict, code: str):
    with pytest.raises(ParallelError) as refused:
        joined(base, said)
    assert refused.value.code == code
