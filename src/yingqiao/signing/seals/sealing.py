"""A seal in use: from a prepared revision of a PDF file to its SES_Signature, time stamp included. Keys stay outside."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from yingqiao.gm import certificates, ses, sm3
from yingqiao.gm.ses import Seal
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals import stamps
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.writing import Prepared
from yingqiao.signing.seals.stamps import Stamp

_DUMMY_SIGNATURE = bytes(72)
_DUMMY_RANGE = "ByteRange[0 999999999 999999999 999999999]"
_FIRST_TOKEN = 4096
"""Guess at a time stamp's length before one was seen; a longer one is noticed, and the room made anew."""


class Sealer:
    """What `seal_pdf` signs with. `sign` gives the DER signature over SM3(Z ‖ message), `stamp` a token over a value.

    `stamped` says afterwards whether every seal made has a time stamp.
    """

    def __init__(
        self,
        esl: bytes,
        certificate: bytes,
        sign: Callable[[bytes], bytes],
        *,
        stamp: Stamp | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`esl` is the SESeal, `certificate` the signer's, both DER. Raises SigningRefused, GmError.

        Refused are a certificate the seal is not bound to, and a seal outside its validity.
        """
        seal = ses.parse_seal(esl)
        self._esl, self._certificate, self._sign, self._stamp, self._now = esl, certificate, sign, stamp, now
        self._token_length = _FIRST_TOKEN
        self.stamped = stamp is not None
        check(seal, certificate, now())
        self.seal = seal
        shown = seal.info.picture
        self.picture = SealPicture(shown.data, float(shown.width), float(shown.height))

    @property
    def reserve(self) -> int:
        """The length of a signature made with dummy values of the greatest length."""
        token = bytes(self._token_length) if self._stamp else None
        tbs = ses.to_sign(self._esl, self._now(), bytes(sm3.DIGEST_LENGTH), _DUMMY_RANGE)
        return len(ses.signature(tbs, self._certificate, _DUMMY_SIGNATURE, token))

    @property
    def signer_name(self) -> str:
        return certificates.parse(self._certificate).subject.common_name or ""

    def __call__(self, prepared: Prepared) -> bytes:
        """The SES_Signature. Raises what `sign` and `stamp` raise, SigningRefused for a wrong time stamp, GmError."""
        at = self._now()
        tbs = ses.to_sign(self._esl, at, prepared.digest, prepared.property_info)
        value = self._sign(tbs)
        return ses.signature(tbs, self._certificate, value, self._token(value, at))

    def _token(self, value: bytes, at: datetime) -> bytes | None:
        token = self._stamp(value) if self._stamp else None
        if token is None:
            self.stamped = False
            return None
        stamps.check(token, value, at)
        self._token_length = max(self._token_length, len(token))
        return token


def check(seal: Seal, certificate: bytes, at: datetime) -> None:
    """May this certificate seal with it now. Raises SigningRefused `seal-holder`, `seal-validity`."""
    info = seal.info
    if not (info.certificates and certificate in info.certificates) and not _listed(seal, certificate):
        raise SigningRefused("seal-holder", "证书不在印章的签章者名单中，请用印章绑定的证书")
    if not info.valid_from <= at <= info.valid_to:
        raise SigningRefused(
            "seal-validity", f"印章不在有效期内（{info.valid_from:%Y-%m-%d} 至 {info.valid_to:%Y-%m-%d}）"
        )


def _listed(seal: Seal, certificate: bytes) -> bool:
    return any(_digest(one.kind, certificate) == one.value for one in seal.info.digests)


def _digest(kind: str, certificate: bytes) -> bytes:
    """By the algorithm as a seal spells it; empty for one that is not known."""
    name = kind.lower().replace("-", "")
    try:
        return sm3.digest(certificate) if name == "sm3" else hashlib.new(name, certificate).digest()
    except ValueError:
        return b""
