"""The gateway's own time stamping authority: making or importing its key and certificate, and stamping by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from yingqiao.gm import armor, certificates, issuing, names, oids, sm2
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.issuing import Authority, Order, Profile
from yingqiao.gm.names import Name
from yingqiao.gm.timestamp import TimestampError
from yingqiao.gm.timestamp_writing import Stamp, Stamper, imprint_of
from yingqiao.signing.private_keys import SOFTWARE, HeldKey, PrivateKeys, Purpose, held_here

DEFAULT_POLICY = "2.25.312749113957120943172953476184512935"
"""From a UUID, so nobody's; an operator with a registered one sets it."""
_TSA_YEARS, _ROOT_YEARS = 10, 30


@dataclass(frozen=True, slots=True)
class TsaKey:
    """An authority's private key with its certificates; `root_key` only where the root is ours."""

    certificate: Certificate
    chain: tuple[Certificate, ...]
    """From its issuer upwards, the root last."""
    private: HeldKey = field(repr=False)
    root_private: HeldKey | None = field(default=None, repr=False)


def make(name: str, now: datetime, keys: PrivateKeys = SOFTWARE) -> TsaKey:
    """A new authority under a new root of its own, both named after the gateway. Raises DeviceError."""
    start = (now - timedelta(minutes=5)).astimezone(UTC).replace(microsecond=0)
    root_private, root_name = keys.make(Purpose.TSA), _name(f"{name}时间戳根")
    root_key = root_private.subject_key
    root_end, end = start + timedelta(days=365 * _ROOT_YEARS), start + timedelta(days=365 * _TSA_YEARS)
    root_order = Order(Profile.CA, root_name, root_key, issuing.new_serial(), start, root_end, path_length=0)
    signer = root_private.signer
    root = certificates.parse(issuing.issue(root_order, Authority(root_name, root_key, signer)))
    private = keys.make(Purpose.TSA)
    key = private.subject_key
    order = Order(Profile.TSA, _name(f"{name}时间戳"), key, issuing.new_serial(), start, end)
    certificate = certificates.parse(issuing.issue(order, Authority.of(root, signer)))
    return TsaKey(certificate, (root,), private, root_private)


def _name(common_name: str) -> Name:
    return names.build(((oids.COUNTRY, "CN"), (oids.ORGANIZATION, "影桥"), (oids.COMMON_NAME, common_name)))


def imported(key: bytes, certificate: bytes, chain: Sequence[bytes] = ()) -> TsaKey:
    """From files: PKCS#8 key, certificate, certificates above it, each DER, PEM or base64. Raises GmError."""
    private = sm2.PrivateKey.from_pkcs8(armor.unwrap_one(key))
    found = [certificates.parse(raw) for raw in armor.unwrap(certificate)]
    above = [certificates.parse(raw) for file in chain for raw in armor.unwrap(file)]
    mine = found[0]
    if mine.key.point != private.public().point:
        raise TimestampError("私钥与证书不是一对")
    made = TsaKey(mine, (*found[1:], *above), held_here(private))
    Stamper(mine, made.private.signer, DEFAULT_POLICY)
    return made


class Tsa:
    """An authority at work."""

    def __init__(self, key: TsaKey, policy: str, accuracy: timedelta | None = None) -> None:
        """Raises TimestampError when its certificate is not for time stamps, DerError for a wrong policy."""
        self.key = key
        self._accuracy = accuracy
        between = [
            one for one in key.chain if not one.self_issued
        ]  # who verifies has the root, or will not trust it
        self._stamper = Stamper(key.certificate, key.private.signer, policy, between)

    @property
    def in_device(self) -> bool:
        """Whether stamping waits for a device: not for an event loop then."""
        return self.key.private.in_device

    def stamp(self, original: bytes, serial: int, at: datetime, *, attach: bool) -> tuple[bytes, bytes]:
        """The token in DER, and the SM3 imprint it is over. Raises TimestampError outside the certificate's
        validity, DeviceError.
        """
        imprint = imprint_of(original)
        token = self._stamper.stamp(Stamp(imprint, serial, at, accuracy=self._accuracy), attach=attach)
        return token, imprint.digest
