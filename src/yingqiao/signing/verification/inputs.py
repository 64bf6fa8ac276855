"""What people hand over, made into what is verified: DER, PEM, base64, hex; certificates, keys, signatures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from yingqiao.gm import armor, certificates, der, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import SubjectKey
from yingqiao.signing.trust import Bundle, TrustError, read_bundle

MAX_CONTENT = 64 * 1024 * 1024
MAX_SIGNATURE = 16 * 1024 * 1024
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2})+")
_RAW_LENGTHS = frozenset({64, 128, 256, 384, 512})


class InputError(GmError):
    """What was handed over cannot be read as what it should be."""

    code = "input"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who signed, as handed over: certificates, or a public key alone."""

    certificates: tuple[Certificate, ...] = ()
    key: SubjectKey | None = None


def read_signature(raw: bytes) -> bytes:
    """A signature value or message without armour. Raises InputError.

    A value is no structure of its own making it recognisable: 64 bytes (SM2 r‖s) and the lengths of RSA are taken
    as they are when they are no text.
    """
    if len(raw) > MAX_SIGNATURE:
        raise InputError(f"签名超过 {MAX_SIGNATURE // 1024 // 1024} MiB")
    bare = raw.strip()
    if _HEX.fullmatch(bare) and _is_signature(found := bytes.fromhex(bare.decode())):
        return found
    try:
        found = armor.unwrap_one(raw)
    except GmError as error:
        if len(raw) in _RAW_LENGTHS:
            return raw
        raise InputError("签名既不是 DER、PEM、Base64，也不是签名值的原始字节") from error
    return found


def _is_signature(found: bytes) -> bool:
    """Whether hex stands for something: its digits are letters of base64 as well."""
    if len(found) in _RAW_LENGTHS:
        return True
    try:
        return der.parse(found, ber=True).tag == der.SEQUENCE
    except der.DerError:
        return False


def read_holder(raw: bytes) -> Holder:
    """Certificates (chains and p7b as well), or a public key: SubjectPublicKeyInfo, SM2 point of 64 or 65 bytes, in
    DER, PEM, base64 or hex. Raises GmError.
    """
    if len(raw) > 1024 * 1024:
        raise InputError("证书文件超过 1 MiB")
    bare = raw.strip()
    if _HEX.fullmatch(bare) and len(bare) in (128, 130):
        return Holder(key=signatures.any_key(bytes.fromhex(bare.decode())))
    if len(raw) in (64, 65) and not _HEX.fullmatch(bare):
        try:
            return Holder(key=signatures.any_key(raw))
        except GmError:
            pass  # 64 letters of base64 are no point of the curve
    blocks = armor.unwrap(raw)
    if len(blocks) == 1 and (key := _key(blocks[0])) is not None:
        return Holder(key=key)
    found: Bundle = read_bundle(raw)
    if not found.certificates:
        raise TrustError("文件中没有证书")
    return Holder(_signer_first(found.certificates))


def _key(block: bytes) -> SubjectKey | None:
    if len(block) in (64, 65):
        return signatures.any_key(block)
    try:
        first = next(der.parse(block, ber=True).expect(der.SEQUENCE, "公钥").walk(4), None)
        inside = None if first is None or first.tag != der.SEQUENCE else next(first.walk(64), None)
    except der.DerError:
        return None
    is_key = inside is not None and inside.tag == der.OID
    return signatures.any_key(block) if is_key else None


def _signer_first(found: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The one that issued none of the others, then the rest."""
    issuers = {one.issuer.raw for one in found if not one.self_issued}
    own = [one for one in found if not (one.is_ca and one.subject.raw in issuers)]
    first = next((one for one in own if not one.is_ca), own[0] if own else found[0])
    return (first, *(one for one in found if one is not first))


def read_certificate(raw: bytes) -> Certificate:
    """One certificate in any armour. Raises GmError."""
    return certificates.parse(armor.unwrap_one(raw))
