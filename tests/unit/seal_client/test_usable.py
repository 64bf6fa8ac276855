"""Which seals may be used: one rule for the list of seals and for the act (GB/T 38540-2020)."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import pytest

from tests.helpers import seals
from yingqiao.gm.ses import CertificateDigest, Picture, parse_seal
from yingqiao.seal_client.desk import why_not
from yingqiao.seal_client.device import HeldSeal
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.sealing import Sealer

_OTHER = seals.pki.world().doctor.certificate
_SHA256 = CertificateDigest("SHA-256", hashlib.sha256(_OTHER.raw).digest())
_SHA1 = CertificateDigest("sha1", hashlib.sha1(_OTHER.raw).digest())
_MAY_NOT = [
    ("", {"certificates": (), "digests": (_SHA256,)}, seals.SIGNED_AT),
    ("SHA-1", {"certificates": (), "digests": (_SHA1,)}, seals.SIGNED_AT),
    ("不在印章列出的 1 张证书中", {}, seals.SIGNED_AT),
    ("ofd 格式，不能加盖", {"picture": Picture("ofd", b"PK", 42, 42)}, seals.SIGNED_AT),
    ("起有效", {"certificates": (_OTHER.raw,)}, seals.VALID_FROM - timedelta(seconds=1)),
    ("到期", {"certificates": (_OTHER.raw,)}, seals.VALID_TO + timedelta(seconds=1)),
    (
        "签章者证书不在有效期内",
        {"certificates": (_OTHER.raw,), "valid_to": _OTHER.not_after + timedelta(days=9)},
        _OTHER.not_after + timedelta(days=1),
    ),
]


@pytest.mark.parametrize(("words", "changes", "at"), _MAY_NOT)
def test_the_client_and_the_sealer_say_the_same_of_who_may_seal(
    words: str, changes: dict[str, object], at: datetime
) -> None:
    """2.7 rows 3, 6 and 7 before the act: what the list of seals says is what sealing refuses."""
    seal = parse_seal(seals.make_seal(seals.info(**changes)))
    said = why_not(HeldSeal("1", seal, _OTHER.raw), at)
    assert words in said
    assert bool(words) == bool(said)
    try:
        Sealer(seal.raw, _OTHER.raw, lambda message: b"", now=lambda: at)
    except SigningRefused as refused:
        assert refused.reason == said  # noqa: PT017 -- one of them is refused nothing
    else:
        assert said == ""
