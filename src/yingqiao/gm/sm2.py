"""SM2 signatures with SM3 (GM/T 0003.2, GB/T 32918.2): libcrypto's arithmetic, our strictness, always with a user id.

e = SM3(Z ‖ M), Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ G ‖ P). A signature is DER SEQUENCE { r, s }, r and s in 1..n-1, r + s ≠ n.
Keys are made in `sm2_keys`, encryption is in `sm2_cipher`; this module is the face of all three.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_size_t
from dataclasses import dataclass
from enum import StrEnum

from yingqiao.gm import sm3
from yingqiao.gm.curve import SIZE, Sm2Error
from yingqiao.gm.libcrypto import LibcryptoError, libcrypto
from yingqiao.gm.sm2_cipher import decrypt, encrypt
from yingqiao.gm.sm2_der import RAW_SIGNATURE_SIZE, decode_signature, der_to_raw, raw_to_der
from yingqiao.gm.sm2_keys import DEFAULT_ID, PrivateKey, PublicKey, generate

__all__ = [
    "DEFAULT_ID",
    "Convention",
    "Form",
    "PreImage",
    "PrivateKey",
    "PublicKey",
    "Sm2Error",
    "decrypt",
    "der_to_raw",
    "digest_for",
    "encrypt",
    "generate",
    "hasher",
    "raw_to_der",
    "recognise",
    "self_test",
    "sign",
    "sign_digest",
    "verify",
    "verify_digest",
    "z",
]

_LONGEST = 72


def z(public: PublicKey, user_id: bytes = DEFAULT_ID) -> bytes:
    """Z of the signer, 32 bytes. Raises Sm2Error `user-id`."""
    return public.z(user_id)


def hasher(public: PublicKey, user_id: bytes = DEFAULT_ID) -> sm3.Hash:
    """A running SM3 that has taken Z: give it the message piece by piece, its digest is e."""
    return sm3.new(public.z(user_id))


def digest_for(public: PublicKey, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    """e = SM3(Z ‖ M), 32 bytes."""
    return sm3.digest(public.z(user_id), message)


def sign(private: PrivateKey, message: bytes, *, user_id: bytes = DEFAULT_ID) -> bytes:
    """The DER signature of `message`. Raises LibcryptoError."""
    return sign_digest(private, digest_for(private.public(), message, user_id))


def sign_digest(private: PrivateKey, e: bytes) -> bytes:
    """The DER signature over e of 32 bytes, taken as it is. Raises Sm2Error `digest-size`, LibcryptoError."""
    _check_digest(e)
    lib, buffer, length = libcrypto(), ctypes.create_string_buffer(_LONGEST), c_size_t(_LONGEST)
    with private.handle.context("sign") as context:
        done = lib.EVP_PKEY_sign(context, buffer, byref(length), bytes(e), SIZE)
        lib.check(done, "EVP_PKEY_sign")
    return buffer.raw[: length.value]


def verify(public: PublicKey, message: bytes, signature: bytes, *, user_id: bytes = DEFAULT_ID) -> bool:
    """Whether the DER `signature` is `public`'s over `message` under `user_id`; false for every malformed one."""
    return verify_digest(public, digest_for(public, message, user_id), signature)


def verify_digest(public: PublicKey, e: bytes, signature: bytes) -> bool:
    """Whether the DER `signature` is `public`'s over e of 32 bytes. Raises Sm2Error `digest-size`."""
    _check_digest(e)
    try:
        decode_signature(signature)
    except Sm2Error:
        return False
    lib = libcrypto()
    with public.handle.context("verify") as context:
        done = lib.EVP_PKEY_verify(context, bytes(signature), len(signature), bytes(e), SIZE)
    if done != 1:
        lib.ERR_clear_error()
    return bool(done == 1)


def _check_digest(e: bytes) -> None:
    if len(e) != SIZE:
        raise Sm2Error("digest-size", f"摘要 e 应为 32 字节，实为 {len(e)} 字节")


class PreImage(StrEnum):
    """What was hashed into e: the conventions that occur; only the first is the standard's."""

    DEFAULT_ID = "default-id"
    """SM3(Z(1234567812345678) ‖ M): all Chinese CAs, all seals."""
    EMPTY_ID = "empty-id"
    """SM3(Z(empty id) ‖ M): OpenSSL 3 where nobody set the id."""
    NO_Z = "no-z"
    """SM3(M): Z forgotten."""
    MESSAGE_IS_E = "message-is-e"
    """M itself, 32 bytes: services that sign a digest (and `dataType=HASH`)."""


class Form(StrEnum):
    """How r and s are written; only the first is GM/T 0009's."""

    DER = "der"
    RAW = "raw"
    """r ‖ s of 64 bytes (some seals): taken only when it is not valid DER."""


@dataclass(frozen=True, slots=True)
class Convention:
    """What a signature was found to follow."""

    pre_image: PreImage
    form: Form


def recognise(
    public: PublicKey,
    message: bytes,
    signature: bytes,
    *,
    pre_images: Sequence[PreImage] = (PreImage.DEFAULT_ID,),
    forms: Sequence[Form] = (Form.DER,),
) -> Convention | None:
    """The first of the named conventions under which the signature verifies; None when none does.

    The caller names what it accepts; to diagnose, give all of them and report the one found.
    """
    found = _der_of(signature, forms)
    if found is None:
        return None
    der, form = found
    for pre_image in pre_images:
        e = _digest(public, message, pre_image)
        if e is not None and verify_digest(public, e, der):
            return Convention(pre_image, form)
    return None


def _der_of(signature: bytes, forms: Sequence[Form]) -> tuple[bytes, Form] | None:
    try:
        decode_signature(signature)
    except Sm2Error:
        if Form.RAW not in forms or len(signature) != RAW_SIGNATURE_SIZE:
            return None
    else:
        return (signature, Form.DER) if Form.DER in forms else None
    try:
        return raw_to_der(signature), Form.RAW
    except Sm2Error:
        return None


def _digest(public: PublicKey, message: bytes, pre_image: PreImage) -> bytes | None:
    match pre_image:
        case PreImage.DEFAULT_ID:
            return digest_for(public, message)
        case PreImage.EMPTY_ID:
            return digest_for(public, message, b"")
        case PreImage.NO_Z:
            return sm3.digest(message)
        case PreImage.MESSAGE_IS_E:
            return message if len(message) == SIZE else None


def self_test() -> str:
    """The version of libcrypto, after the standard's own signature verified, another did not, and a
    fresh one did (GM/T 0003.5 annex A). Raises LibcryptoError.
    """
    point = bytes.fromhex(
        "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
        "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
    )
    signature = bytes.fromhex(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
        "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
    )
    known, der, fresh = PublicKey.from_point(point), raw_to_der(signature), generate()
    passed = (
        verify(known, b"message digest", der)
        and not verify(known, b"message digesT", der)
        and verify(fresh.public(), b"message digest", sign(fresh, b"message digest"))
    )
    if not passed:
        raise LibcryptoError("libcrypto-wrong", f"{libcrypto().version} 的 SM2 自检没有通过")
    return libcrypto().version
