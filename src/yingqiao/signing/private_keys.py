"""Where private keys are used: here, sealed at rest, or in a cryptographic device that never gives them out.

What is kept of a key is its handle, sealed under the master key: PKCS#8 of a key of ours, the name of one in a device.
So every key stays where it was made, whatever the settings say later. Nobody but this module looks into a handle.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from yingqiao.gm import der, oids, sm2
from yingqiao.gm.curve import POINT_SIZE, SIZE, N
from yingqiao.gm.errors import GmError
from yingqiao.gm.key_share import (
    PROOF_SIZE,
    KeyAnswer,
    KeyOffer,
    Share,
    accept_key,
    check_offer,
    share_from,
    share_secret,
)
from yingqiao.gm.keystore import KeystoreError
from yingqiao.gm.signatures import Signer, SubjectKey, sm2_key, sm2_signer
from yingqiao.gm.sm2_keys import PublicKey

_MARK = b"device\0"
NAME = re.compile(r"[a-z0-9-]{1,64}")
AWAY, REFUSED, NO_KEY, UNSUPPORTED, WRONG = (
    "device-away",
    "device-refused",
    "device-no-key",
    "device-unsupported",
    "device-wrong",
)
PIN, LOCKED = "device-pin", "device-locked"
"""Of devices on a desk, whose PIN a person enters."""
_WORDS = {
    AWAY: "密码设备暂时不可用，请稍后重试",
    REFUSED: "密码设备拒绝了操作，请联系管理员检查授权",
    NO_KEY: "密码设备中没有这把密钥，请联系管理员",
    UNSUPPORTED: "密码设备不支持这项操作，请改设置 device.purposes",
    WRONG: "密码设备给出的结果不正确，未予采用；请联系管理员",
    PIN: "密码设备的 PIN 不正确",
    LOCKED: "密码设备的 PIN 已锁定，请用厂商的工具解锁",
}


class DeviceError(GmError):
    """A device did not do what was asked; nothing was signed, nothing is lost. `detail` is for the log.

    Code `device-away`: the same again later may do. The others want an administrator.
    """

    code = AWAY

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(_WORDS.get(code, _WORDS[REFUSED]), code=code if code in _WORDS else REFUSED)
        self.detail = detail


class Purpose(StrEnum):
    """What a key is for; settings say which of these are made in the device."""

    CA = "ca"
    TSA = "tsa"
    SEAL_MAKER = "seal-maker"
    AUTOMATIC = "automatic"
    SHARED = "shared"


class KeyDevice(Protocol):
    """What an adapter does. Points are 65 bytes, numbers 32; every method raises DeviceError."""

    def make(self, name: str) -> bytes:
        """A new SM2 key of this name; its point. The same name again: the same key."""
        ...

    def sign(self, name: str, e: bytes) -> bytes:
        """r ‖ s, 64 bytes."""
        ...

    def share(self, name: str, point: bytes, session: str, user: str) -> bytes:
        """A new D2 of this name: P = D2⁻¹·P1 - G and the proof for D2⁻¹ to the base P1 (129 bytes, as KeyAnswer)."""
        ...

    def respond(self, name: str, point: bytes, e: bytes) -> bytes:
        """r ‖ s1 for Q1 and e, 64 bytes, with a new nonce."""
        ...

    def erase(self, name: str) -> None:
        """The key is destroyed; one that is not there is no error."""
        ...


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that signs. `handle` is what is kept of it."""

    handle: bytes = field(repr=False)
    point: bytes
    sign_digest: Callable[[bytes], bytes]
    """e (32 bytes) to a signature in DER. Raises DeviceError."""
    signer: Signer
    in_device: bool = False

    @property
    def subject_key(self) -> SubjectKey:
        return sm2_key(self.point)

    def exported(self) -> sm2.PrivateKey:
        """The key itself, to be handed out under a PIN. Raises DeviceError: what is in a device stays there."""
        if self.in_device:
            raise DeviceError(UNSUPPORTED, "a key in a device is not exported")
        return sm2.PrivateKey.from_pkcs8(self.handle)


def held_here(private: sm2.PrivateKey) -> HeldKey:
    """A key of ours."""

    def sign_digest(e: bytes) -> bytes:
        return sm2.sign_digest(private, e)

    return HeldKey(private.to_pkcs8(), private.public().point, sign_digest, sm2_signer(private))


class PrivateKeys:
    """Makes and opens keys; safe from any thread. What asks a device blocks for as long as that takes."""

    def __init__(self, device: KeyDevice | None = None, purposes: Collection[Purpose] = ()) -> None:
        """New keys for `purposes` are made in the device; all others here."""
        self._device = device
        self._purposes = frozenset(purposes) if device is not None else frozenset()

    def make(self, purpose: Purpose) -> HeldKey:
        """A new key. Raises DeviceError."""
        if purpose not in self._purposes:
            return held_here(sm2.generate())
        device, name = self._must(), _new_name(purpose)
        return self._held(name, _public(device.make(name)))

    def open(self, handle: bytes) -> HeldKey:
        """The key of a handle; no device is asked yet. Raises KeystoreError, DeviceError, Sm2Error."""
        if not handle.startswith(_MARK):
            return held_here(sm2.PrivateKey.from_pkcs8(handle))
        name, point, more = _read(handle)
        if more:
            raise KeystoreError("封存的是密钥分量，不是私钥", code="seal-damaged")
        return self._held(name, PublicKey(point))

    def make_share(self, offer: KeyOffer, *, session: str, user: str) -> tuple[bytes, Share, KeyAnswer]:
        """The server's half of a new cooperative key: its handle, itself, the answer. Raises CooperativeError, DeviceError."""
        if Purpose.SHARED not in self._purposes:
            share, answer = accept_key(offer, session=session, user=user)
            return share_secret(share), share, answer
        point = check_offer(offer, session=session, user=user)
        device, name = self._must(), _new_name(Purpose.SHARED)
        raw = _sized(device.share(name, point.to_bytes(), session, user), POINT_SIZE + PROOF_SIZE)
        answer = KeyAnswer.from_bytes(raw)
        public = _public(answer.public)
        handle = _handle(name, public.point) + offer.tag_key
        return handle, _DeviceShare(device, name, public, offer.tag_key), answer

    def open_share(self, handle: bytes, public: PublicKey) -> Share:
        """Raises KeystoreError, DeviceError."""
        if not handle.startswith(_MARK):
            return share_from(handle, public)
        name, point, tag_key = _read(handle)
        if point != public.point or len(tag_key) != SIZE:
            raise KeystoreError("封存的不是这把密钥的分量", code="seal-damaged")
        return _DeviceShare(self._must(), name, public, tag_key)

    def erase(self, handle: bytes) -> None:
        """What is in a device is destroyed there; of a key here nothing is left to do. Raises DeviceError."""
        if handle.startswith(_MARK):
            self._must().erase(_read(handle)[0])

    def _must(self) -> KeyDevice:
        if self._device is None:
            raise DeviceError(AWAY, "no device is set (device.command)")
        return self._device

    def _held(self, name: str, public: PublicKey) -> HeldKey:
        def sign_digest(e: bytes) -> bytes:
            raw = _sized(self._must().sign(name, e), 2 * SIZE)
            signature = _der(raw)
            if not sm2.verify_digest(public, e, signature):
                raise DeviceError(WRONG, f"signature by {name} does not verify")
            return signature

        def sign(message: bytes) -> bytes:
            return sign_digest(sm2.digest_for(public, message))

        signer = Signer(der.write_algorithm(oids.SM2_SM3), sign)
        return HeldKey(_handle(name, public.point), public.point, sign_digest, signer, in_device=True)


@dataclass(frozen=True, slots=True, repr=False)
class _DeviceShare:
    """A gm.key_share.ForeignShare."""

    device: KeyDevice
    name: str
    public: PublicKey
    tag_key: bytes

    def respond(self, point: bytes, e: bytes) -> bytes:
        raw = _sized(self.device.respond(self.name, point, e), 2 * SIZE)
        if any(not 0 < int.from_bytes(half, "big") < N for half in (raw[:SIZE], raw[SIZE:])):
            raise DeviceError(WRONG, f"answer by {self.name} out of range")
        return raw


SOFTWARE = PrivateKeys()
"""All keys here."""


def _new_name(purpose: Purpose) -> str:
    return f"{purpose}-{secrets.token_hex(8)}"


def _handle(name: str, point: bytes) -> bytes:
    return _MARK + point + bytes([len(name)]) + name.encode()


def _read(handle: bytes) -> tuple[str, bytes, bytes]:
    """Name, point, and what follows. Raises KeystoreError."""
    at = len(_MARK) + POINT_SIZE
    point, length = handle[len(_MARK) : at], handle[at : at + 1]
    end = at + 1 + (length[0] if length else 0)
    name = handle[at + 1 : end].decode("ascii", "replace")
    if not length or not NAME.fullmatch(name) or len(handle) < end:
        raise KeystoreError("封存的不是密钥的名称", code="seal-damaged")
    return name, point, handle[end:]


def _sized(raw: bytes, size: int) -> bytes:
    if len(raw) != size:
        raise DeviceError(WRONG, f"{len(raw)} bytes in place of {size}")
    return raw


def _public(point: bytes) -> PublicKey:
    try:
        return PublicKey(_sized(point, POINT_SIZE))
    except GmError as error:
        raise DeviceError(WRONG, "a point that is not on the curve") from error


def _der(raw: bytes) -> bytes:
    try:
        return sm2.raw_to_der(raw)
    except GmError as error:
        raise DeviceError(WRONG, "r or s out of range") from error
