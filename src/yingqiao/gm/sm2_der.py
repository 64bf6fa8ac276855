"""The fixed structures of GM/T 0009 and of SM2 keys, strict DER, read and written byte by byte.

SM2Signature and SM2Cipher (GM/T 0009-2012 clause 7); SubjectPublicKeyInfo and PKCS#8 with the ECPrivateKey
of RFC 5915. Everything here is public but the scalar of a private key, which stays bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from yingqiao.gm.curve import POINT_SIZE, SIZE, N, Sm2Error

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30
RAW_SIGNATURE_SIZE = 2 * SIZE
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")  # 1.2.840.10045.2.1
_CURVE = bytes.fromhex("06082a811ccf5501822d")  # 1.2.156.10197.1.301
_ALGORITHM = b"\x30\x13" + _EC_PUBLIC_KEY + _CURVE
_ALGORITHM_TWICE = b"\x30\x14" + _CURVE + _CURVE  # OpenSSL and Tongsuo wrote it: read, never written
_SPKI_HEAD = b"\x30\x59" + _ALGORITHM + b"\x03\x42\x00"


def encode_signature(r: int, s: int) -> bytes:
    """SM2Signature ::= SEQUENCE { r INTEGER, s INTEGER }."""
    return _wrap(SEQUENCE, _integer(r) + _integer(s))


def decode_signature(der: bytes) -> tuple[int, int]:
    """r and s, both in 1..n-1 with r + s ≠ n. Raises Sm2Error `signature-form`, `signature-range`."""
    if not 8 <= len(der) <= 72 or der[0] != SEQUENCE or der[1] != len(der) - 2:
        raise Sm2Error("signature-form", "签名值不是 SEQUENCE { r, s } 的 DER 编码")
    r, at = _read_integer(der, 2)
    s, at = _read_integer(der, at)
    if at != len(der):
        raise Sm2Error("signature-form", "签名值后面有多余的字节")
    return _in_range(r, s)


def raw_to_der(raw: bytes) -> bytes:
    """r ‖ s of 64 bytes as SM2Signature. Raises Sm2Error `signature-form`, `signature-range`."""
    if len(raw) != RAW_SIGNATURE_SIZE:
        raise Sm2Error("signature-form", f"r‖s 应为 64 字节，实为 {len(raw)} 字节")
    return encode_signature(*_in_range(int.from_bytes(raw[:SIZE], "big"), int.from_bytes(raw[SIZE:], "big")))


def der_to_raw(der: bytes) -> bytes:
    """SM2Signature as r ‖ s of 64 bytes. Raises Sm2Error as `decode_signature`."""
    r, s = decode_signature(der)
    return r.to_bytes(SIZE, "big") + s.to_bytes(SIZE, "big")


def _in_range(r: int, s: int) -> tuple[int, int]:
    if not (0 < r < N and 0 < s < N) or r + s == N:
        raise Sm2Error("signature-range", "签名值 r、s 不在 1 到 n-1 之间，或 r+s=n")
    return r, s


@dataclass(frozen=True, slots=True)
class Cipher:
    """The parts of an SM2 cipher text: C1 (65 bytes 04 ‖ x ‖ y), C3 (SM3, 32 bytes), C2 (as long as the plain)."""

    point: bytes
    digest: bytes
    body: bytes


def encode_cipher(cipher: Cipher) -> bytes:
    """SM2Cipher ::= SEQUENCE { x INTEGER, y INTEGER, hash OCTET STRING, cipherText OCTET STRING }."""
    x, y = (int.from_bytes(part, "big") for part in (cipher.point[1 : 1 + SIZE], cipher.point[1 + SIZE :]))
    tail = _wrap(OCTET_STRING, cipher.digest) + _wrap(OCTET_STRING, cipher.body)
    return _wrap(SEQUENCE, _integer(x) + _integer(y) + tail)


def decode_cipher(der: bytes) -> Cipher:
    """Raises Sm2Error `cipher-form`; whether the point is on the curve is for whoever decrypts."""
    inner = _whole(der, SEQUENCE, "cipher-form")
    x, at = _read_integer(inner, 0, "cipher-form")
    y, at = _read_integer(inner, at, "cipher-form")
    digest, at = _read(inner, at, OCTET_STRING, "cipher-form")
    body, at = _read(inner, at, OCTET_STRING, "cipher-form")
    if at != len(inner) or len(digest) != SIZE or not body or max(x, y) >> 8 * SIZE:
        raise Sm2Error("cipher-form", "SM2 密文的结构不对")
    return Cipher(b"\x04" + x.to_bytes(SIZE, "big") + y.to_bytes(SIZE, "big"), digest, body)


def encode_spki(point: bytes) -> bytes:
    """SubjectPublicKeyInfo { id-ecPublicKey, sm2p256v1 } of a point of 65 bytes: 91 bytes."""
    return _SPKI_HEAD + point


def decode_spki(der: bytes) -> bytes:
    """The point of 65 bytes; algorithm 1.2.840.10045.2.1 or …301 twice. Raises Sm2Error `key-form`, `key-algorithm`."""
    inner = _whole(der, SEQUENCE, "key-form")
    at = _algorithm(inner, 0)
    bits, at = _read(inner, at, BIT_STRING, "key-form")
    if at != len(inner) or bits[:1] != b"\0" or len(bits) != POINT_SIZE + 1:
        raise Sm2Error("key-form", "公钥结构不对：应为 65 字节的未压缩点")
    return bits[1:]


def encode_pkcs8(scalar: bytes, point: bytes) -> bytes:
    """PrivateKeyInfo with ECPrivateKey { 1, scalar of 32 bytes, public key }."""
    public = _wrap(0xA1, _wrap(BIT_STRING, b"\0" + point))
    key = _wrap(SEQUENCE, b"\x02\x01\x01" + _wrap(OCTET_STRING, scalar) + public)
    return _wrap(SEQUENCE, b"\x02\x01\x00" + _ALGORITHM + _wrap(OCTET_STRING, key))


def decode_pkcs8(der: bytes) -> tuple[bytes, bytes | None]:
    """The scalar (32 bytes) and the point beside it, when there is one. Reads PrivateKeyInfo and a bare ECPrivateKey.

    Raises Sm2Error `key-form`, `key-algorithm`.
    """
    inner = _whole(der, SEQUENCE, "key-form")
    version, at = _read_integer(inner, 0, "key-form")
    if version == 1 and inner[at : at + 1] == bytes([OCTET_STRING]):
        return _ec_private_key(inner, named=True)
    if version > 1:
        raise Sm2Error("key-form", "私钥结构的版本不认识")
    at = _algorithm(inner, at)
    key, at = _read(inner, at, OCTET_STRING, "key-form")
    while at < len(inner):  # attributes [0], public key [1] of RFC 5958
        if inner[at] not in (0xA0, 0x81):
            raise Sm2Error("key-form", "私钥结构后面有多余的字节")
        _, at = _read(inner, at, inner[at], "key-form")
    return _ec_private_key(_whole(key, SEQUENCE, "key-form"), named=False)


def _ec_private_key(inner: bytes, *, named: bool) -> tuple[bytes, bytes | None]:
    version, at = _read_integer(inner, 0, "key-form")
    scalar, at = _read(inner, at, OCTET_STRING, "key-form")
    if version != 1 or not 1 <= len(scalar) <= SIZE:
        raise Sm2Error("key-form", "ECPrivateKey 结构不对")
    point = None
    if inner[at : at + 1] == b"\xa0":
        curve, at = _read(inner, at, 0xA0, "key-form")
        if curve != _CURVE:
            raise Sm2Error("key-algorithm", "不是 SM2 曲线的密钥")
    elif named:
        raise Sm2Error("key-algorithm", "ECPrivateKey 没有写明曲线")
    if inner[at : at + 1] == b"\xa1":
        wrapped, at = _read(inner, at, 0xA1, "key-form")
        bits = _whole(wrapped, BIT_STRING, "key-form")
        point = bits[1:]
    if at != len(inner):
        raise Sm2Error("key-form", "ECPrivateKey 后面有多余的字节")
    return scalar.rjust(SIZE, b"\0"), point


def _algorithm(data: bytes, at: int) -> int:
    for known in (_ALGORITHM, _ALGORITHM_TWICE):
        if data.startswith(known, at):
            return at + len(known)
    raise Sm2Error("key-algorithm", "不是 SM2 曲线（1.2.156.10197.1.301）的密钥")


def _wrap(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _integer(value: int) -> bytes:
    return _wrap(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _read_integer(data: bytes, at: int, code: str = "signature-form") -> tuple[int, int]:
    content, at = _read(data, at, INTEGER, code)
    if not 1 <= len(content) <= SIZE + 1 or content[0] & 0x80:
        raise Sm2Error(code, "整数为负、为空或太长")
    if content[0] == 0 and len(content) > 1 and not content[1] & 0x80:
        raise Sm2Error(code, "整数前面有多余的零")
    return int.from_bytes(content, "big"), at


def _read(data: bytes, at: int, tag: int, code: str) -> tuple[bytes, int]:
    """The content of the element at `at` and where the next begins; strict DER lengths."""
    if at + 2 > len(data) or data[at] != tag:
        raise Sm2Error(code, "DER 结构不对")
    length, start = data[at + 1], at + 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 2 : start], "big")
        if start > len(data) or start > at + 6 or length < 0x80 or data[at + 2] == 0:
            raise Sm2Error(code, "DER 长度的写法不对")
    if start + length > len(data):
        raise Sm2Error(code, "DER 结构不完整")
    return data[start : start + length], start + length


def _whole(der: bytes, tag: int, code: str) -> bytes:
    content, at = _read(der, 0, tag, code)
    if at != len(der):
        raise Sm2Error(code, "DER 结构后面有多余的字节")
    return content
