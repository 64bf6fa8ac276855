"""A signature value under a public key: is it right, and if not by the rule, by which of the known departures.

Facts only: `Examined.valid` follows the rule (SM2 with Z of the default user id, GM/T 0009; RSA PKCS#1 v1.5);
`Examined.pre_image` names what was really signed, so that a failing one can be explained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

from yingqiao.gm import der, oids, sm2, sm3
from yingqiao.gm.errors import GmError

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 -- to verify what others signed; reported as weak
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sm3": hashes.SM3(),
}
_SM2_CURVE_KEYS = (oids.EC_PUBLIC_KEY, oids.SM2)
MAX_KEY = 4 * 1024
WEAK_RSA_BITS = 2048
"""RSA keys below are reported as weak (GM/T 0033 samples of the standard use 1024)."""


class KeyKind(StrEnum):
    SM2 = "SM2"
    RSA = "RSA"
    OTHER = "other"


class PreImage(StrEnum):
    """What was signed."""

    RULE = "rule"
    """SM3(Z(default id) ‖ M) under SM2, the message's digest under RSA."""
    EMPTY_ID = "empty-id"
    """Z of an empty user id: certificates self-signed by OpenSSL 3 without `distid`."""
    NO_Z = "no-z"
    """SM3(M) without Z."""
    AS_DIGEST = "as-digest"
    """The 32 bytes of M taken as the digest itself."""

    @property
    def words(self) -> str:
        return _PRE_IMAGE_WORDS[self]


_PRE_IMAGE_WORDS = {
    PreImage.RULE: "按规定的方式签名",
    PreImage.EMPTY_ID: "签名时用户标识为空，应为 1234567812345678",
    PreImage.NO_Z: "签名时未计入 Z 值（只对 SM3 杂凑签名）",
    PreImage.AS_DIGEST: "把原文直接当作杂凑值签名",
}
_SM2_PRE_IMAGES = {
    PreImage.RULE: sm2.PreImage.DEFAULT_ID,
    PreImage.EMPTY_ID: sm2.PreImage.EMPTY_ID,
    PreImage.NO_Z: sm2.PreImage.NO_Z,
    PreImage.AS_DIGEST: sm2.PreImage.MESSAGE_IS_E,
}
_RAW_FORM = "签名值是 64 字节的 r‖s，不是 DER 编码"
ONLY_RULE = frozenset({PreImage.RULE})


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """A public key as a certificate holds it; `point` is the SM2 point (65 bytes), else the key's bits."""

    raw: bytes
    kind: KeyKind
    algorithm: str
    point: bytes
    oddity: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of one signature value. `pre_image` is None when nothing known explains it."""

    valid: bool
    pre_image: PreImage | None = None
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs a structure: the DER AlgorithmIdentifier to name, and message in, signature out."""

    algorithm: bytes
    sign: Callable[[bytes], bytes]
    digest: str = oids.SM3


def sm2_signer(private: sm2.PrivateKey) -> Signer:
    """Signs by SM2 with SM3 and the default user id, named 1.2.156.10197.1.501 without parameters."""
    return Signer(der.write_algorithm(oids.SM2_SM3), lambda message: sm2.sign(private, message))


def digest(oid: str, data: bytes) -> bytes:
    """The digest of `data` by the algorithm `oid`. Raises GmError on an unknown one."""
    name = oids.DIGESTS.get(oid)
    if name is None:
        raise GmError(f"不支持的杂凑算法 {oids.words(oid)}", code="algorithm")
    return _hash(name, data)


def _hash(name: str, data: bytes) -> bytes:
    return (sm3.new(data) if name == "sm3" else hashlib.new(name, data)).digest()


def algorithm(node: der.Node, what: str) -> tuple[str, bytes | None]:
    """The object identifier and the raw parameters (None: absent) of an AlgorithmIdentifier. Raises DerError."""
    fields = der.Fields(node, what)
    oid = der.oid(fields.take(), what)
    rest = fields.rest()
    if len(rest) > 1:
        raise der.DerError(f"{what}：算法标识有多余成员")
    return oid, rest[0].raw if rest else None


def read_key(node: der.Node) -> SubjectKey:
    """A SubjectPublicKeyInfo; SM2 under id-ecPublicKey or, as OpenSSL 3 writes, under 301. Raises DerError."""
    raw = node.expect(der.SEQUENCE, "公钥信息").raw
    if len(raw) > MAX_KEY:
        raise der.DerError(f"公钥信息超过 {MAX_KEY} 字节")
    return _read_key(raw)


@lru_cache(maxsize=1024)
def _read_key(raw: bytes) -> SubjectKey:
    fields = der.Fields(der.parse(raw), "公钥信息")
    oid, parameters = algorithm(fields.take(), "公钥算法")
    value, _ = der.bits(fields.take(der.BIT_STRING), "公钥")
    fields.end()
    if oid in _SM2_CURVE_KEYS and (parameters == der.write_oid(oids.SM2) or oid == oids.SM2):
        return SubjectKey(raw, KeyKind.SM2, oid, value, _point_oddity(oid, value))
    return SubjectKey(raw, KeyKind.RSA if oid == oids.RSA else KeyKind.OTHER, oid, value)


def _point_oddity(oid: str, point: bytes) -> str:
    if len(point) != 65 or point[0] != 4:
        return "SM2 公钥不是 65 字节的非压缩点"
    return "公钥算法写作 1.2.156.10197.1.301" if oid == oids.SM2 else ""


def sm2_key(point: bytes) -> SubjectKey:
    """The key of an SM2 point of 64 or 65 bytes. Raises GmError when it is no point of the curve."""
    return _read_key(sm2.PublicKey.from_point(point).spki)


def any_key(raw: bytes) -> SubjectKey:
    """A key by itself: an SM2 point of 64 or 65 bytes, or a SubjectPublicKeyInfo. Raises GmError."""
    return sm2_key(raw) if len(raw) in (64, 65) else read_key(der.parse(raw, max_size=MAX_KEY))


def examine(
    key: SubjectKey,
    algorithm_oid: str,
    message: bytes,
    signature: bytes,
    *,
    digest_oid: str | None = None,
    accepted: frozenset[PreImage] = ONLY_RULE,
    diagnose: bool = True,
) -> Examined:
    """Whether `signature` over `message` is right under `key`, and by which pre-image.

    `algorithm_oid` as in the structure; `digest_oid` where it is named apart (CMS with bare RSA). The algorithm
    has to fit the key. Without `diagnose` only `accepted` pre-images are tried. Never raises for bad input.
    """
    if key.kind is KeyKind.SM2:
        if algorithm_oid not in oids.SM2_SIGNATURES:
            return Examined(valid=False, oddities=(f"签名算法 {oids.words(algorithm_oid)} 与 SM2 公钥不符",))
        return _examine_sm2(key, message, signature, accepted, diagnose=diagnose)
    if key.kind is KeyKind.RSA:
        return _examine_rsa(key, algorithm_oid, digest_oid, message, signature, accepted, diagnose=diagnose)
    return Examined(valid=False, oddities=(f"不支持的公钥算法 {oids.words(key.algorithm)}",))


def _examine_sm2(
    key: SubjectKey, message: bytes, signature: bytes, accepted: frozenset[PreImage], *, diagnose: bool
) -> Examined:
    try:
        public = _sm2_public(key.point)
    except GmError as error:
        return Examined(valid=False, oddities=(error.reason,))
    tried = tuple(PreImage) if diagnose else tuple(sorted(accepted))
    found = sm2.recognise(
        public, message, signature, pre_images=[_SM2_PRE_IMAGES[one] for one in tried], forms=tuple(sm2.Form)
    )
    if found is not None:
        pre_image = next(one for one in tried if _SM2_PRE_IMAGES[one] is found.pre_image)
        return _found(pre_image, accepted, (_RAW_FORM,) if found.form is sm2.Form.RAW else ())
    return Examined(valid=False, oddities=_form_oddities(signature))


@lru_cache(maxsize=1024)
def _sm2_public(point: bytes) -> sm2.PublicKey:
    """Kept, since the same few doctors sign all day and libcrypto prepares a key once."""
    return sm2.PublicKey.from_point(point)


def _form_oddities(signature: bytes) -> tuple[str, ...]:
    """What is odd about the form of an SM2 signature value that nothing explains."""
    try:
        sm2.der_to_raw(signature)
    except sm2.Sm2Error as error:
        return (_RAW_FORM,) if len(signature) == 64 else (error.reason,)
    return ()


def _examine_rsa(
    key: SubjectKey,
    algorithm_oid: str,
    digest_oid: str | None,
    message: bytes,
    signature: bytes,
    accepted: frozenset[PreImage],
    *,
    diagnose: bool,
) -> Examined:
    name = _rsa_digest(algorithm_oid, digest_oid)
    public = _rsa_key(key.raw)
    if name is None or public is None:
        what = "签名算法" if name is None else "RSA 公钥"
        return Examined(valid=False, oddities=(f"不支持的{what}（{oids.words(algorithm_oid)}）",))
    oddities = _rsa_weakness(public, name)
    whole = _hash(name, message)
    tried = {PreImage.RULE: whole, PreImage.AS_DIGEST: message if len(message) == len(whole) else None}
    for pre_image, value in tried.items():
        if value is not None and (diagnose or pre_image in accepted):
            if not _rsa_verify(public, name, value, signature):
                continue
            return _found(pre_image, accepted, oddities)
    return Examined(valid=False, oddities=oddities)


def _rsa_digest(algorithm_oid: str, digest_oid: str | None) -> str | None:
    if algorithm_oid == oids.RSA:
        return oids.DIGESTS.get(digest_oid or "")
    return oids.RSA_DIGESTS.get(algorithm_oid)


@lru_cache(maxsize=1024)
def _rsa_key(spki: bytes) -> rsa.RSAPublicKey | None:
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) and key.key_size <= 16384 else None


def _rsa_weakness(public: rsa.RSAPublicKey, name: str) -> tuple[str, ...]:
    short = (f"RSA 密钥只有 {public.key_size} 位",) if public.key_size < WEAK_RSA_BITS else ()
    return short + (("使用 SHA-1 签名",) if name == "sha1" else ())


def _rsa_verify(public: rsa.RSAPublicKey, name: str, value: bytes, signature: bytes) -> bool:
    try:
        public.verify(signature, value, padding.PKCS1v15(), utils.Prehashed(_HASHES[name]))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _found(pre_image: PreImage, accepted: frozenset[PreImage], oddities: tuple[str, ...]) -> Examined:
    if pre_image is not PreImage.RULE:
        oddities = (*oddities, pre_image.words)
    return Examined(pre_image in accepted, pre_image, oddities)
