"""SM2 keys: a scalar in 1..n-2, a point of the curve; libcrypto holds them (GM/T 0003, GM/T 0009)."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_void_p, cast
from typing import Any, NoReturn

from yingqiao.gm import sm3
from yingqiao.gm.curve import GX, GY, MINUS_GENERATOR, POINT_SIZE, SIZE, A, B, Point, Scalar, Sm2Error
from yingqiao.gm.libcrypto import (
    KEYPAIR,
    OCTETS,
    PUBLIC,
    SM2,
    UNMODIFIED,
    UNSIGNED,
    UTF8,
    Owned,
    Parameter,
    libcrypto,
)
from yingqiao.gm.sm2_der import decode_pkcs8, decode_spki, encode_pkcs8, encode_spki

DEFAULT_ID = b"1234567812345678"
"""The user id of the Chinese world (GM/T 0009 clause 10). OpenSSL's own default is the empty one."""

_PARAMETERS = b"".join(number.to_bytes(SIZE, "big") for number in (A, B, GX, GY))
_LONGEST_ID = 8191
_REMEMBERED_IDS = 8
_POOLED = 64


class Handle:
    """An EVP_PKEY and, for each operation, contexts that wait to be used again: one thread has one at a time."""

    __slots__ = ("_key", "_pools")

    def __init__(self, key: Owned) -> None:
        self._key = key
        self._pools: dict[str, deque[Owned]] = {}

    @property
    def pointer(self) -> int | None:
        return self._key.pointer

    @contextmanager
    def context(self, operation: str) -> Iterator[int | None]:
        """A context of the operation `sign`, `verify`, `encrypt` or `decrypt`. Raises LibcryptoError."""
        pool = self._pools.get(operation) or self._pools.setdefault(operation, deque(maxlen=_POOLED))
        context = self._take(operation, pool)
        yield context.pointer
        pool.append(context)

    def _take(self, operation: str, pool: deque[Owned]) -> Owned:
        try:
            return pool.pop()
        except IndexError:
            lib = libcrypto()
            made = lib.EVP_PKEY_CTX_new(self.pointer, None)
            context = Owned(made, lib.EVP_PKEY_CTX_free, "EVP_PKEY_CTX_new")
            lib.check(getattr(lib, f"EVP_PKEY_{operation}_init")(made), f"EVP_PKEY_{operation}_init")
            return context


class PublicKey:
    """A point that is on the curve, not infinity and not -G (which belongs to d = n-1)."""

    __slots__ = ("_handle", "_ids", "point")

    def __init__(self, point: bytes) -> None:
        """`point` of 65 bytes; others take `from_point` and `from_spki`. Raises Sm2Error."""
        Point.from_bytes(point)
        if point == MINUS_GENERATOR:
            raise Sm2Error("key-range", "公钥是 -G，对应的私钥 n-1 不能签名")
        self.point = point
        self._handle: Handle | None = None
        self._ids: dict[bytes, bytes] = {}

    @classmethod
    def from_point(cls, raw: bytes) -> PublicKey:
        """65 bytes 04 ‖ X ‖ Y or 64 bytes X ‖ Y. Raises Sm2Error `point-form`, `point-off-curve`, `key-range`."""
        return cls(b"\x04" + raw if len(raw) == POINT_SIZE - 1 else bytes(raw))

    @classmethod
    def from_spki(cls, der: bytes) -> PublicKey:
        """SubjectPublicKeyInfo; also with algorithm …301 twice. Raises Sm2Error."""
        return cls(decode_spki(bytes(der)))

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo with id-ecPublicKey, 91 bytes."""
        return encode_spki(self.point)

    @property
    def handle(self) -> Handle:
        if self._handle is None:
            self._handle = Handle(_from_data(self.point, None))
        return self._handle

    def z(self, user_id: bytes) -> bytes:
        """Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ G ‖ P), 32 bytes. Raises Sm2Error `user-id` above 8,191 bytes."""
        known = self._ids.get(user_id)
        if known is None:
            if len(user_id) > _LONGEST_ID:
                raise Sm2Error("user-id", f"用户标识最多 8191 字节，实为 {len(user_id)} 字节")
            length = (8 * len(user_id)).to_bytes(2, "big")
            known = sm3.digest(length, user_id, _PARAMETERS, self.point[1:])
            if len(self._ids) < _REMEMBERED_IDS:
                self._ids[user_id] = known
        return known

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.point == other.point

    def __hash__(self) -> int:
        return hash(self.point)

    def __repr__(self) -> str:
        return f"PublicKey({self.point.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return PublicKey, (self.point,)


class PrivateKey:
    """A scalar in 1..n-2 with its public key, in libcrypto's memory. Never shown, pickled or compared."""

    __slots__ = ("_public", "handle")

    def __init__(self, scalar: Scalar) -> None:
        """Others take `generate`, `from_scalar` and `from_pkcs8`. Raises Sm2Error `key-range` for n-1."""
        self._public = PublicKey(Point.base(scalar).to_bytes())
        self.handle = Handle(_from_data(self._public.point, scalar))

    @classmethod
    def from_scalar(cls, raw: bytes) -> PrivateKey:
        """32 bytes, big-endian, in 1..n-2. Raises Sm2Error `scalar-size`, `scalar-range`, `key-range`."""
        return cls(Scalar.from_bytes(bytes(raw)))

    @classmethod
    def from_pkcs8(cls, der: bytes) -> PrivateKey:
        """PrivateKeyInfo or a bare ECPrivateKey (DER, not encrypted). Raises Sm2Error, `key-mismatch` too."""
        scalar, point = decode_pkcs8(bytes(der))
        private = cls.from_scalar(scalar)
        if point is not None and point != private.public().point:
            raise Sm2Error("key-mismatch", "私钥文件里的公钥与私钥不是一对")
        return private

    def to_pkcs8(self) -> bytes:
        """PrivateKeyInfo, not encrypted: to be sealed, never stored as it is."""
        return encode_pkcs8(self.scalar(), self._public.point)

    def scalar(self) -> bytes:
        """The 32 secret bytes: to be sealed."""
        lib, pointer = libcrypto(), c_void_p()
        lib.check(lib.EVP_PKEY_get_bn_param(self.handle.pointer, b"priv", byref(pointer)), "EVP_PKEY_get_bn")
        return Scalar(Owned(pointer.value, lib.BN_clear_free, "EVP_PKEY_get_bn")).to_bytes()

    def public(self) -> PublicKey:
        return self._public

    def __repr__(self) -> str:
        return f"PrivateKey(of {self._public!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def generate() -> PrivateKey:
    """A new key from libcrypto's generator for private values."""
    while True:
        try:
            return PrivateKey(Scalar.random())
        except Sm2Error:  # n-1 was drawn
            continue


def _from_data(point: bytes, scalar: Scalar | None) -> Owned:
    lib, key = libcrypto(), c_void_p()
    secret = ctypes.create_string_buffer(SIZE)
    parameters = [_parameter(b"group", UTF8, b"SM2"), _parameter(b"pub", OCTETS, point)]
    if scalar is not None:
        lib.check(lib.BN_bn2nativepad(scalar.pointer, secret, SIZE), "BN_bn2nativepad")
        parameters.append(Parameter(b"priv", UNSIGNED, cast(secret, c_void_p), SIZE, UNMODIFIED))
    array = (Parameter * (len(parameters) + 1))(*parameters)
    with Owned(
        lib.EVP_PKEY_CTX_new_from_name(None, SM2, None), lib.EVP_PKEY_CTX_free, "EVP_PKEY_CTX"
    ) as made:
        try:
            lib.check(lib.EVP_PKEY_fromdata_init(made.pointer), "EVP_PKEY_fromdata_init")
            selection = PUBLIC if scalar is None else KEYPAIR
            done = lib.EVP_PKEY_fromdata(made.pointer, byref(key), selection, array)
            lib.check(done, "EVP_PKEY_fromdata")
        finally:
            lib.OPENSSL_cleanse(secret, SIZE)
    return Owned(key.value, lib.EVP_PKEY_free, "EVP_PKEY_fromdata")


def _parameter(key: bytes, kind: int, value: bytes) -> Parameter:
    return Parameter(key, kind, cast(ctypes.c_char_p(value), c_void_p), len(value), UNMODIFIED)
