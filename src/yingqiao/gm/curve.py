"""Scalars and points of the SM2 curve (GM/T 0003.5), all of their arithmetic in libcrypto.

A scalar never becomes a Python integer. What a secret scalar meets is constant in time: the Montgomery ladder (the path
OpenSSL takes for one scalar and one point), Montgomery products, and inverses as powers by `BN_mod_exp_mont_consttime`.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

from yingqiao.gm.errors import GmError
from yingqiao.gm.libcrypto import SM2, Libcrypto, Owned, libcrypto

SIZE = 32
POINT_SIZE = 65
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
GENERATOR = b"\x04" + GX.to_bytes(SIZE, "big") + GY.to_bytes(SIZE, "big")
MINUS_GENERATOR = b"\x04" + GX.to_bytes(SIZE, "big") + (P - GY).to_bytes(SIZE, "big")
_CONSTANT_TIME = 0x04
_UNCOMPRESSED = 4


class Sm2Error(GmError):
    """A key, signature or cipher text has a form or a value that GM/T 0003 and GM/T 0009 exclude."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason, code=code)


class _Curve:
    """What every operation reads and none changes: the group, its order, the order's Montgomery form."""

    def __init__(self) -> None:
        self.library: Libcrypto = libcrypto()
        lib = self.library
        self.owned_group = Owned(lib.EC_GROUP_new_by_curve_name(lib.OBJ_txt2nid(SM2)), _leave, "EC_GROUP_new")
        self.group = self.owned_group.pointer
        self.order = lib.EC_GROUP_get0_order(self.group)
        self.order_less_two = _number((N - 2).to_bytes(SIZE, "big"))
        self.montgomery = lib.BN_MONT_CTX_new()
        with Owned(lib.BN_CTX_secure_new(), lib.BN_CTX_free, "BN_CTX_new") as context:
            lib.check(lib.BN_MONT_CTX_set(self.montgomery, self.order, context.pointer), "BN_MONT_CTX_set")


def _leave(_pointer: int) -> None:
    """The curve lives as long as the process."""


@lru_cache(maxsize=1)
def _curve() -> _Curve:
    return _Curve()


def _number(raw: bytes | None = None) -> Owned:
    lib = libcrypto()
    number = Owned(lib.BN_secure_new(), lib.BN_clear_free, "BN_secure_new")
    if raw is not None:
        lib.check(lib.BN_bin2bn(raw, len(raw), number.pointer), "BN_bin2bn")
    lib.BN_set_flags(number.pointer, _CONSTANT_TIME)
    return number


class Scalar:
    """A number modulo the order n, kept in libcrypto's memory and wiped when it is freed."""

    __slots__ = ("_number",)

    def __init__(self, number: Owned) -> None:
        """`number` below n; for this module. Others take `from_bytes` and `random`."""
        self._number = number

    @classmethod
    def from_bytes(cls, raw: bytes) -> Scalar:
        """32 bytes, big-endian, in 1..n-1. Raises Sm2Error `scalar-range`."""
        curve = _curve()
        if len(raw) != SIZE:
            raise Sm2Error("scalar-size", f"标量应为 32 字节，实为 {len(raw)} 字节")
        scalar = cls(_number(raw))
        if scalar.is_zero or curve.library.BN_cmp(scalar.pointer, curve.order) >= 0:
            raise Sm2Error("scalar-range", "标量不在 1 到 n-1 之间")
        return scalar

    @classmethod
    def random(cls) -> Scalar:
        """Uniform in 1..n-1, from libcrypto's generator for private values."""
        curve, number = _curve(), _number()
        lib = curve.library
        while True:
            lib.check(lib.BN_priv_rand_range(number.pointer, curve.order), "BN_priv_rand_range")
            if not lib.BN_is_zero(number.pointer):
                return cls(number)

    @property
    def pointer(self) -> int | None:
        return self._number.pointer

    @property
    def is_zero(self) -> bool:
        return bool(libcrypto().BN_is_zero(self.pointer))

    def to_bytes(self) -> bytes:
        """32 bytes, big-endian. Of a secret only to seal or write it."""
        buffer = ctypes.create_string_buffer(SIZE)
        lib = libcrypto()
        lib.check(lib.BN_bn2binpad(self.pointer, buffer, SIZE), "BN_bn2binpad")
        raw = buffer.raw
        lib.OPENSSL_cleanse(buffer, SIZE)
        return raw

    def __add__(self, other: Scalar) -> Scalar:
        curve, number = _curve(), _number()
        done = curve.library.BN_mod_add_quick(number.pointer, self.pointer, other.pointer, curve.order)
        curve.library.check(done, "BN_mod_add_quick")
        return Scalar(number)

    def __mul__(self, other: Scalar) -> Scalar:
        curve, number, mine = _curve(), _number(), _number()
        lib = curve.library
        with Owned(lib.BN_CTX_secure_new(), lib.BN_CTX_free, "BN_CTX_new") as context:
            steps = (curve.montgomery, context.pointer)
            lib.check(lib.BN_to_montgomery(mine.pointer, self.pointer, *steps), "BN_to_montgomery")
            done = lib.BN_mod_mul_montgomery(number.pointer, mine.pointer, other.pointer, *steps)
            lib.check(done, "BN_mod_mul_montgomery")
        return Scalar(number)

    def inverse(self) -> Scalar:
        """The inverse modulo n (n is prime: the power n-2); of zero zero."""
        curve, number = _curve(), _number()
        lib = curve.library
        with Owned(lib.BN_CTX_secure_new(), lib.BN_CTX_free, "BN_CTX_new") as context:
            done = lib.BN_mod_exp_mont_consttime(
                number.pointer,
                self.pointer,
                curve.order_less_two.pointer,
                curve.order,
                context.pointer,
                curve.montgomery,
            )
            lib.check(done, "BN_mod_exp_mont_consttime")
        return Scalar(number)

    def __repr__(self) -> str:
        return "Scalar(...)"


class Point:
    """A point of the curve, possibly infinity."""

    __slots__ = ("_point",)

    def __init__(self) -> None:
        lib = libcrypto()
        self._point = Owned(lib.EC_POINT_new(_curve().group), lib.EC_POINT_clear_free, "EC_POINT_new")

    @classmethod
    def from_bytes(cls, raw: bytes) -> Point:
        """65 bytes 04 ‖ X ‖ Y, both below p, on the curve. Raises Sm2Error `point-form`, `point-off-curve`."""
        if len(raw) != POINT_SIZE or raw[0] != _UNCOMPRESSED:
            raise Sm2Error("point-form", "曲线点应为 65 字节，以 04 开头")
        curve, point = _curve(), cls()
        lib = curve.library
        if lib.EC_POINT_oct2point(curve.group, point.pointer, raw, len(raw), None) != 1:
            lib.ERR_clear_error()
            raise Sm2Error("point-off-curve", "点不在 SM2 曲线上")
        return point

    @classmethod
    def base(cls, scalar: Scalar) -> Point:
        """scalar·G, in constant time; the GIL is free meanwhile."""
        curve, point = _curve(), cls()
        done = curve.library.EC_POINT_mul(curve.group, point.pointer, scalar.pointer, None, None, None)
        curve.library.check(done, "EC_POINT_mul")
        return point

    @classmethod
    def sum_of(cls, base: Scalar, scalar: Scalar, point: Point) -> Point:
        """base·G + scalar·point, faster and NOT constant in time: for public scalars only."""
        curve, total = _curve(), cls()
        arguments = (total.pointer, base.pointer, point.pointer, scalar.pointer, None)
        curve.library.check(curve.library.EC_POINT_mul(curve.group, *arguments), "EC_POINT_mul")
        return total

    @property
    def pointer(self) -> int | None:
        return self._point.pointer

    @property
    def is_infinity(self) -> bool:
        return bool(libcrypto().EC_POINT_is_at_infinity(_curve().group, self.pointer))

    def times(self, scalar: Scalar) -> Point:
        """scalar·self, in constant time; the GIL is free meanwhile."""
        curve, point = _curve(), Point()
        done = curve.library.EC_POINT_mul(
            curve.group, point.pointer, None, self.pointer, scalar.pointer, None
        )
        curve.library.check(done, "EC_POINT_mul")
        return point

    def __add__(self, other: Point) -> Point:
        curve, point = _curve(), Point()
        done = curve.library.EC_POINT_add(curve.group, point.pointer, self.pointer, other.pointer, None)
        curve.library.check(done, "EC_POINT_add")
        return point

    def __neg__(self) -> Point:
        point = self + Point()  # a new point at infinity: a copy
        curve = _curve()
        curve.library.check(
            curve.library.EC_POINT_invert(curve.group, point.pointer, None), "EC_POINT_invert"
        )
        return point

    def to_bytes(self) -> bytes:
        """65 bytes 04 ‖ X ‖ Y. Raises Sm2Error `point-infinity`."""
        if self.is_infinity:
            raise Sm2Error("point-infinity", "点是无穷远点")
        curve, buffer = _curve(), ctypes.create_string_buffer(POINT_SIZE)
        written = curve.library.EC_POINT_point2oct(
            curve.group, self.pointer, _UNCOMPRESSED, buffer, POINT_SIZE, None
        )
        curve.library.check(written, "EC_POINT_point2oct")
        return buffer.raw
