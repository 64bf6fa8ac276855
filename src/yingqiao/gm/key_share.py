"""Key shares of two-party SM2 (协同签名): the server's half of making a key nobody holds, and its share at rest.

The phone draws D1 and sends P1 = D1⁻¹·G; the server draws D2 and answers P = D2⁻¹·P1 - G. The private key (D1·D2)⁻¹ - 1
exists nowhere. Each side proves with a Schnorr proof, bound to session and user, that it knows its
inverse share: neither can build its point out of the other's.

Sources: patent CN104243456B; 软件学报 2025, 36(5): 2188-2211, figure 1 (form B); Tongsuo's sm2_threshold for the order of steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, Protocol, Self

from yingqiao.gm import sm3
from yingqiao.gm.curve import GENERATOR, POINT_SIZE, SIZE, N, Point, Scalar, Sm2Error
from yingqiao.gm.errors import GmError
from yingqiao.gm.keystore import KeystoreError, MasterKey
from yingqiao.gm.sm2_keys import PublicKey

PROOF_SIZE = 2 * SIZE
_PROOF = b"yingqiao 2P-SM2 proof"
_AT_REST = b"yingqiao 2P-SM2 share"


class CooperativeError(GmError):
    """A message of the two-party protocol is malformed or proves nothing."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason, code=code)


def frame(*fields: bytes) -> bytes:
    """The fields one after another, each behind its length (4 bytes): no two lists of fields look the same."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def take(raw: bytes, *sizes: int) -> list[bytes]:
    """`raw` cut into pieces of `sizes`. Raises CooperativeError `message-size`."""
    if len(raw) != sum(sizes):
        raise CooperativeError("message-size", f"消息应为 {sum(sizes)} 字节，实为 {len(raw)} 字节")
    pieces, at = [], 0
    for size in sizes:
        pieces.append(raw[at : at + size])
        at += size
    return pieces


@dataclass(frozen=True, slots=True, repr=False)
class KeyOffer:
    """Phone to server: P1 (65 bytes), the proof for D1⁻¹ (64), the tag key (32) that later proves the PIN was right."""

    point: bytes
    proof: bytes
    tag_key: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """161 bytes. Raises CooperativeError `message-size`."""
        return cls(*take(raw, POINT_SIZE, PROOF_SIZE, SIZE))

    def to_bytes(self) -> bytes:
        return self.point + self.proof + self.tag_key


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """Server to phone: P (65 bytes) and the proof for D2⁻¹ to the base P1 (64)."""

    public: bytes
    proof: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """129 bytes. Raises CooperativeError `message-size`."""
        return cls(*take(raw, POINT_SIZE, PROOF_SIZE))

    def to_bytes(self) -> bytes:
        return self.public + self.proof


class ServerShare:
    """D2, the tag key and the public key P they belong to. Never shown, pickled or compared."""

    __slots__ = ("public", "scalar", "tag_key")

    def __init__(self, scalar: Scalar, tag_key: bytes, public: PublicKey) -> None:
        self.scalar, self.tag_key, self.public = scalar, tag_key, public

    def __repr__(self) -> str:
        return f"ServerShare(of {self.public!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key share is not pickled")


class ForeignShare(Protocol):
    """The server's half of a key whose D2 is in a device that never gives it out."""

    @property
    def public(self) -> PublicKey: ...

    @property
    def tag_key(self) -> bytes: ...

    def respond(self, point: bytes, e: bytes) -> bytes:
        """r ‖ s1 (64 bytes) for Q1 (65 bytes, on the curve) and e (32 bytes), with a nonce drawn now and used once.

        Raises GmError when it cannot be made at present: nothing was given out then.
        """
        ...


Share = ServerShare | ForeignShare


def check_offer(offer: KeyOffer, *, session: str, user: str) -> Point:
    """P1, proved to be the phone's. Raises CooperativeError as `accept_key`."""
    if len(offer.tag_key) != SIZE:
        raise CooperativeError("message-size", "校验密钥应为 32 字节")
    point = point_of(offer.point, "key-offer")
    if not _proves(offer.proof, offer.point, session, user):
        raise CooperativeError("key-proof", "手机没有证明它持有自己的密钥分量")
    return point


def accept_key(offer: KeyOffer, *, session: str, user: str) -> tuple[ServerShare, KeyAnswer]:
    """The server's share of a new key and what to answer; `session` and `user` are what both proofs are bound to.

    Store the share (`wrap_share`) before the answer leaves. Raises CooperativeError `key-offer` when P1 is no
    point of the curve, `key-proof` when the phone does not prove that it knows D1⁻¹.
    """
    point = check_offer(offer, session=session, user=user)
    generator = Point.from_bytes(GENERATOR)
    while True:
        share = Scalar.random()
        inverse = share.inverse()
        shared = point.times(inverse)
        complete = shared + -generator
        if complete.is_infinity:  # D1·D2 = 1: the private key would be 0
            continue
        public = PublicKey(complete.to_bytes())
        proof = prove(inverse, point, shared, session=session, user=user)
        return ServerShare(share, offer.tag_key, public), KeyAnswer(public.point, proof)


def point_of(raw: bytes, code: str) -> Point:
    """A point out of a message: 65 bytes, on the curve, not infinity. Raises CooperativeError `code`."""
    try:
        return Point.from_bytes(raw)
    except Sm2Error as error:
        raise CooperativeError(code, error.reason) from error


def prove(secret: Scalar, base: Point, public: Point, *, session: str, user: str) -> bytes:
    """c ‖ z, 64 bytes: knowledge of `secret` with public = secret·base (Schnorr, Fiat-Shamir by SM3)."""
    nonce = Scalar.random()
    challenge = _challenge(base, public, base.times(nonce), session, user)
    return challenge + (nonce + Scalar.from_bytes(challenge) * secret).to_bytes()


def _proves(proof: bytes, point: bytes, session: str, user: str) -> bool:
    """z·G - c·P1 is the commitment that c was made of."""
    try:
        challenge, response = take(proof, SIZE, SIZE)
        minus = Scalar.from_bytes((N - int.from_bytes(challenge, "big")).to_bytes(SIZE, "big", signed=False))
        public = Point.from_bytes(point)
        commitment = Point.sum_of(Scalar.from_bytes(response), minus, public)
        generator = Point.from_bytes(GENERATOR)
        return not commitment.is_infinity and challenge == _challenge(
            generator, public, commitment, session, user
        )
    except (Sm2Error, CooperativeError, OverflowError):
        return False


def _challenge(base: Point, public: Point, commitment: Point, session: str, user: str) -> bytes:
    points = (base.to_bytes(), public.to_bytes(), commitment.to_bytes())
    digest = sm3.digest(frame(_PROOF, session.encode(), user.encode(), *points))
    return (int.from_bytes(digest, "big") % N).to_bytes(SIZE, "big")


def wrap_share(master: MasterKey, share: ServerShare, *, key_id: str, user: str) -> bytes:
    """The share sealed under the master key, bound to key, user and public key: moved elsewhere it does not open."""
    secret = share_secret(share)
    return master.seal(secret, share_context(key_id, user, share.public.point))


def unwrap_share(
    master: MasterKey, sealed: bytes, *, key_id: str, user: str, public: PublicKey
) -> ServerShare:
    """The share again. Raises KeystoreError."""
    return share_from(master.unseal(sealed, share_context(key_id, user, public.point)), public)


def share_secret(share: ServerShare) -> bytes:
    """D2 and the tag key, 64 bytes, to be sealed at once."""
    return share.scalar.to_bytes() + share.tag_key


def share_from(secret: bytes, public: PublicKey) -> ServerShare:
    """The share of `share_secret`. Raises KeystoreError."""
    if len(secret) != 2 * SIZE:
        raise KeystoreError("封存的不是密钥分量", code="seal-damaged")
    return ServerShare(Scalar.from_bytes(secret[:SIZE]), secret[SIZE:], public)


def share_context(key_id: str, user: str, point: bytes) -> bytes:
    """What a share at rest is bound to; `point` is P, 65 bytes."""
    return frame(_AT_REST, key_id.encode(), user.encode(), point)
