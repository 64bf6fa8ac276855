"""A seal in use: from a prepared revision of a PDF file to its SES_Signature, time stamp included. Keys stay outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from yingqiao.gm import certificates, ses, sm3
from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import Seal, SealInfo
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import BEIJING
from yingqiao.signing.seals import stamps
from yingqiao.signing.seals.holders import holder_step
from yingqiao.signing.seals.pdf.picture import SealPicture, media_type
from yingqiao.signing.seals.pdf.writing import Prepared
from yingqiao.signing.seals.stamps import Stamp
from yingqiao.signing.verification.policy import DEFAULT
from yingqiao.signing.verification.report import Indication

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

        Refused is what `check` refuses.
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
    """May this certificate seal with it now: the one place that says so, to who lists seals and to who seals.

    Raises SigningRefused `seal-picture`, `seal-validity`, `seal-holder`, `holder-unreadable`, `holder-validity`.
    """
    info = seal.info
    if not media_type(info.picture.data):
        raise SigningRefused("seal-picture", f"印章图片是 {info.picture.kind} 格式，不能加盖到 PDF")
    if at < info.valid_from:
        raise SigningRefused("seal-validity", f"印章自 {_day(info.valid_from)} 起有效")
    if at > info.valid_to:
        raise SigningRefused("seal-validity", f"印章已于 {_day(info.valid_to)} 到期")
    _check_holder(info, certificate, at)


def _check_holder(info: SealInfo, raw: bytes, at: datetime) -> None:
    try:
        certificate = certificates.parse(raw)
    except GmError as error:
        raise SigningRefused("holder-unreadable", f"签章者证书不能用：{error.reason}") from error
    bound = holder_step(certificate, info, DEFAULT)
    if bound.indication is not Indication.PASSED:
        raise SigningRefused("seal-holder", f"{bound.words}，请用印章绑定的证书")
    if not certificate.valid_at(at):
        span = f"{_day(certificate.not_before)} 至 {_day(certificate.not_after)}"
        raise SigningRefused("holder-validity", f"签章者证书不在有效期内（{span}）")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y-%m-%d}"
