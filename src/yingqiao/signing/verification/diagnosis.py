"""Why a signature value does not verify: the known mistakes, tried one after the other, named in Chinese.

Bounded: some dozens of verifications at most, fewer over a large content. A diagnosis explains; it never makes a
signature valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yingqiao.gm import der, oids, signatures, sm2
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import KeyKind, PreImage, SubjectKey
from yingqiao.signing.verification.readings import LARGE, spellings
from yingqiao.signing.verification.report import name_of

USER_IDS = (
    b"ALICE123@YAHOO.COM",
    b"12345678",
    b"1234567812345678\0",
    b"0123456789ABCDEF",
    b"31323334353637383132333435363738",
)
"""User ids met besides the default and the empty one: the draft standard's own, truncated, with a NUL, in hex."""
_RSA_LENGTHS = frozenset({128, 256, 384, 512})
_RSA_OTHERS = (oids.SHA1_RSA, oids.SHA384_RSA, oids.SHA512_RSA, oids.RSA_SM3, oids.SHA256_RSA)
_PRE_IMAGE_REASONS = {
    PreImage.EMPTY_ID: "user-id",
    PreImage.NO_Z: "hash-without-z",
    PreImage.AS_DIGEST: "hash-signed",
}
_MOST_OTHERS = 32


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why not: a stable code and Chinese words."""

    reason: str
    words: str


def diagnose(
    key: SubjectKey,
    algorithm: str,
    content: bytes,
    signature: bytes,
    *,
    others: Sequence[Certificate] = (),
) -> Diagnosis:
    """Why `signature` over `content` is not `key`'s; `others` may be the signer. Never raises."""
    found = _mixed_up(key, signature)
    if found is not None:
        return found
    tries = (
        _sm2(key, content, signature) if key.kind is KeyKind.SM2 else _rsa(key, algorithm, content, signature)
    )
    first = next(iter(tries), None)
    if first is not None:
        return first
    other = _other_signer(key, content, signature, others)
    if other is not None:
        return other
    if key.kind is KeyKind.SM2 and _is_not_der(signature):
        return Diagnosis("signature-form", "签名值既不是 DER 编码的 SM2 签名，也不是 64 字节的 r‖s")
    return Diagnosis("signature-mismatch", "签名值与原文、公钥不符：原文或签名值被改动，或不是此密钥所签")


def _mixed_up(key: SubjectKey, signature: bytes) -> Diagnosis | None:
    """RSA where SM2 is, and the other way round; a message where a value is."""
    if looks_like_message(signature):
        return Diagnosis("pkcs7-not-pkcs1", "签名值是 PKCS#7 签名消息，不是 PKCS#1 签名值")
    if key.kind is KeyKind.SM2 and len(signature) in _RSA_LENGTHS and _is_not_der(signature):
        return Diagnosis("rsa-not-sm2", f"签名值为 {len(signature)} 字节，像是 RSA 签名，而公钥是 SM2 公钥")
    if key.kind is KeyKind.RSA and (len(signature) == 64 or not _is_not_der(signature)):
        return Diagnosis("sm2-not-rsa", "签名值像是 SM2 签名，而公钥是 RSA 公钥")
    return None


def looks_like_message(raw: bytes) -> bool:
    """Whether it begins as a ContentInfo does."""
    try:
        node = der.parse(raw, ber=True)
        first = next(node.walk(2), None) if node.tag == der.SEQUENCE else None
    except der.DerError:
        return False
    return first is not None and first.tag == der.OID


def _is_not_der(signature: bytes) -> bool:
    try:
        sm2.der_to_raw(signature)
    except GmError:
        return True
    return False


def _sm2(key: SubjectKey, content: bytes, signature: bytes) -> Iterator[Diagnosis]:
    try:
        public = sm2.PublicKey.from_point(key.point)
    except GmError as error:
        yield Diagnosis("public-key", f"公钥不是 SM2 曲线上的点：{error.reason}")
        return
    written = _rewritten(signature)
    if written is None:
        return
    if written != signature and len(signature) != 64 and sm2.verify(public, content, written):
        yield Diagnosis("signature-form", "签名值的 DER 编码不合规（整数缺前导零或有多余的零）")
    found = sm2.recognise(public, content, written, pre_images=tuple(sm2.PreImage))
    if found is not None and found.pre_image is not sm2.PreImage.DEFAULT_ID:
        pre_image = _ours(found.pre_image)
        yield Diagnosis(_PRE_IMAGE_REASONS[pre_image], pre_image.words)
    for user_id in USER_IDS if len(content) <= LARGE else ():
        if sm2.verify(public, content, written, user_id=user_id):
            shown = user_id.decode("ascii").replace("\0", "\\0")
            yield Diagnosis("user-id", f"签名时用户标识为 {shown}，应为 1234567812345678")
    for one in spellings(content):
        found = sm2.recognise(public, one.content, written, pre_images=_GUESSED)
        if found is not None:
            more = "" if found.pre_image is sm2.PreImage.DEFAULT_ID else f"；且{_ours(found.pre_image).words}"
            yield Diagnosis(one.reason, one.words + more)


_GUESSED = (sm2.PreImage.DEFAULT_ID, sm2.PreImage.NO_Z)


def _ours(pre_image: sm2.PreImage) -> PreImage:
    return {
        sm2.PreImage.DEFAULT_ID: PreImage.RULE,
        sm2.PreImage.EMPTY_ID: PreImage.EMPTY_ID,
        sm2.PreImage.NO_Z: PreImage.NO_Z,
        sm2.PreImage.MESSAGE_IS_E: PreImage.AS_DIGEST,
    }[pre_image]


def _rewritten(signature: bytes) -> bytes | None:
    """The signature as strict DER: of r‖s, or of DER whose integers are written carelessly."""
    try:
        if len(signature) == 64 and _is_not_der(signature):
            return sm2.raw_to_der(signature)
        parts = [
            node.content for node in der.parse(signature, ber=True).expect(der.SEQUENCE, "签名值").walk(3)
        ]
        if len(parts) != 2 or max(map(len, parts)) > 40:
            return None
        numbers = [int.from_bytes(part, "big") for part in parts]
        return sm2.raw_to_der(b"".join(number.to_bytes(32, "big") for number in numbers))
    except (GmError, OverflowError):
        return None


def _rsa(key: SubjectKey, algorithm: str, content: bytes, signature: bytes) -> Iterator[Diagnosis]:
    for other in _RSA_OTHERS:
        found = signatures.examine(key, other, content, signature)
        if found.pre_image is PreImage.AS_DIGEST:
            yield Diagnosis("hash-signed", PreImage.AS_DIGEST.words)
        if found.valid and other != algorithm:
            yield Diagnosis("algorithm", f"实际的签名算法是{oids.words(other)}，与声明的不同")
    for one in spellings(content):
        if signatures.examine(key, algorithm, one.content, signature, diagnose=False).valid:
            yield Diagnosis(one.reason, one.words)


def _other_signer(
    key: SubjectKey, content: bytes, signature: bytes, others: Sequence[Certificate]
) -> Diagnosis | None:
    for certificate in others[:_MOST_OTHERS]:
        if certificate.key.raw == key.raw:
            continue
        algorithm = oids.SM2_SM3 if certificate.key.kind is KeyKind.SM2 else oids.SHA256_RSA
        if signatures.examine(certificate.key, algorithm, content, signature, diagnose=False).valid:
            return Diagnosis("other-certificate", f"是另一张证书的签名：{name_of(certificate)}")
    return None
