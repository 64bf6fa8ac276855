"""SM2 in plain Python integers, written from GM/T 0003, and the phone's half of two-party signing: the other opinion.

Neither fast nor constant in time: for tests only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
DEFAULT_ID = b"1234567812345678"
Point = tuple[int, int] | None


def b32(number: int) -> bytes:
    return number.to_bytes(32, "big")


def number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def sm3(*parts: bytes) -> bytes:
    return hashlib.new("sm3", b"".join(parts)).digest()


def add(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return two if one is None else one
    (x1, y1), (x2, y2) = one, two
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    top, bottom = (3 * x1 * x1 - 3, 2 * y1) if one == two else (y2 - y1, x2 - x1)
    slope = top * pow(bottom, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def mul(scalar: int, point: Point) -> Point:
    total: Point = None
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def encode(point: Point) -> bytes:
    assert point is not None
    return b"\x04" + b32(point[0]) + b32(point[1])


def decode(raw: bytes) -> Point:
    return number(raw[1:33]), number(raw[33:])


def z(public: Point, user_id: bytes = DEFAULT_ID) -> bytes:
    length = (8 * len(user_id)).to_bytes(2, "big")
    return sm3(length, user_id, b32(P - 3), b32(B), encode(G)[1:], encode(public)[1:])


def e_for(public: Point, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    return sm3(z(public, user_id), message)


def sign(d: int, e: bytes, k: int) -> tuple[int, int]:
    point = mul(k, G)
    assert point is not None
    r = (number(e) + point[0]) % N
    return r, pow(1 + d, -1, N) * (k - r * d) % N


def verifies(public: Point, e: bytes, r: int, s: int) -> bool:
    if not (0 < r < N and 0 < s < N) or (r + s) % N == 0:
        return False
    point = add(mul(s, G), mul((r + s) % N, public))
    return point is not None and (number(e) + point[0]) % N == r


def fresh() -> int:
    return secrets.randbelow(N - 1) + 1


def frame(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def challenge(base: Point, public: Point, commitment: Point, session: str, user: str) -> int:
    texts = (b"yingqiao 2P-SM2 proof", session.encode(), user.encode())
    return number(sm3(frame(*texts, encode(base), encode(public), encode(commitment)))) % N


@dataclass
class Phone:
    """The phone's share D1, the key it belongs to, and the tag key; w1 of the attempt that is open."""

    d1: int
    user: str = "user-1"
    public: Point = None
    w1: int = 0

    @property
    def tag_key(self) -> bytes:
        """Derived from D1: the phone stores nothing that tells a right PIN from a wrong one."""
        return hmac.new(b32(self.d1), b"yingqiao 2P-SM2 tag" + self.user.encode(), "sm3").digest()

    def offer_key(self, session: str) -> bytes:
        """P1 ‖ c ‖ z ‖ tag key."""
        inverse, nonce = pow(self.d1, -1, N), fresh()
        public = mul(inverse, G)
        c = challenge(G, public, mul(nonce, G), session, self.user)
        return encode(public) + b32(c) + b32((nonce + c * inverse) % N) + self.tag_key

    def take_key(self, answer: bytes, session: str) -> None:
        """Believe P only when the server proves that it knows D2⁻¹ with P + G = D2⁻¹·P1."""
        public, c, response = decode(answer[:65]), number(answer[65:97]), number(answer[97:])
        base, shared = mul(pow(self.d1, -1, N), G), add(public, G)
        commitment = add(mul(response, base), mul(N - c, shared))
        assert c == challenge(base, shared, commitment, session, self.user)
        self.public = public

    def offer_signature(self, job: str, attempt: int, e: bytes, *, w1: int | None = None) -> bytes:
        """number ‖ Q1 ‖ e ‖ tag."""
        self.w1 = w1 or fresh()
        point, count = encode(mul(self.w1, G)), attempt.to_bytes(4, "big")
        text = frame(b"yingqiao 2P-SM2 offer", encode(self.public), job.encode(), count, point, e)
        return count + point + e + hmac.new(self.tag_key, text, "sm3").digest()

    def finish(self, answer: bytes, attempt: int, e: bytes) -> bytes:
        """number ‖ s, after (r, s) verified under P."""
        r, s1 = number(answer[:32]), number(answer[32:])
        assert 0 < r < N
        assert 0 < s1 < N
        s = (self.d1 * (s1 + self.w1) - r) % N
        assert verifies(self.public, e, r, s)
        return attempt.to_bytes(4, "big") + b32(s)
