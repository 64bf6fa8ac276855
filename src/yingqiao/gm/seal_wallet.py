"""A seal with its key as one file, for a client: `{esl, certificate, key under a PIN}`. Bytes in, bytes out.

The file is JSON. The key (PKCS#8) is sealed with SM4-GCM under 16 bytes that argon2id makes of the PIN; seal, certificate
and the parameters are authenticated with it, so that none of them can be exchanged. Wrong PINs are counted in the file:
the holder writes `count_try` back before trying and `succeeded` after; at `MOST_TRIES` the file is locked. A copy of the
file escapes the counting: what slows guessing then is argon2id, so a PIN of letters and digits is worth more.
"""

from __future__ import annotations

import binascii
import json
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from typing import Any, Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from yingqiao.gm import certificates, sm2, sm3
from yingqiao.gm.errors import GmError

MAX_WALLET: Final = 16 * 1024 * 1024
MOST_TRIES: Final = 8
SHORTEST_PIN, LONGEST_PIN = 6, 64
_FORMAT: Final = "yingqiao-seal-wallet"
_VERSION: Final = 1
_NONCE, _TAG, _SALT = 12, 16, 16
_LONGEST_NAME: Final = 200
_MEMORY_KIB = (8 * 1024, 256 * 1024)
_TIME, _LANES = (1, 16), (1, 8)


class WalletError(GmError):
    """Not a wallet, damaged, the wrong PIN (`wrong-pin`) or locked (`wallet-locked`)."""

    code = "wallet"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of argon2id: passes, KiB of memory, lanes."""

    time: int = 3
    memory: int = 64 * 1024
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class Wallet:
    """What the file shows without its PIN. `esl` is the SESeal, `certificate` the signer's, both DER."""

    name: str
    esl: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    cost: Cost
    salt: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    tries: int = 0

    @property
    def locked(self) -> bool:
        return self.tries >= MOST_TRIES


def make_wallet(
    name: str, esl: bytes, certificate: bytes, private: sm2.PrivateKey, pin: str, cost: Cost | None = None
) -> bytes:
    """The file. Raises WalletError: a PIN too short or long, or a key that is not the certificate's."""
    if not SHORTEST_PIN <= len(pin) <= LONGEST_PIN:
        raise WalletError(f"PIN 应为 {SHORTEST_PIN} 至 {LONGEST_PIN} 个字符", code="pin-length")
    if certificates.parse(certificate).key.point != private.public().point:
        raise WalletError("私钥与证书不是一对")
    wallet = Wallet(
        name[:_LONGEST_NAME], esl, certificate, cost or Cost(), os.urandom(_SALT), os.urandom(_NONCE), b""
    )
    encryptor = Cipher(SM4(_key(wallet, pin)), modes.GCM(wallet.nonce)).encryptor()
    encryptor.authenticate_additional_data(_bound(wallet))
    body = encryptor.update(private.to_pkcs8()) + encryptor.finalize()
    return to_bytes(replace(wallet, sealed=body + encryptor.tag))


def read_wallet(raw: bytes) -> Wallet:
    """The file's open part; parameters beyond reason are refused. Raises WalletError."""
    if len(raw) > MAX_WALLET:
        raise WalletError("印章文件过大")
    try:
        said = json.loads(raw)
        if said["format"] != _FORMAT or said["version"] != _VERSION:
            raise WalletError("不是本系统的印章文件，或版本不同")
        kdf = said["kdf"]
        wallet = Wallet(
            str(said["name"])[:_LONGEST_NAME],
            _binary(said, "esl"),
            _binary(said, "certificate"),
            Cost(
                _within(kdf["time"], _TIME),
                _within(kdf["memory"], _MEMORY_KIB),
                _within(kdf["lanes"], _LANES),
            ),
            _binary(kdf, "salt"),
            _binary(said, "nonce"),
            _binary(said, "key"),
            _within(said["tries"], (0, 1000)),
        )
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise WalletError("印章文件已损坏") from error
    if len(wallet.salt) != _SALT or len(wallet.nonce) != _NONCE or not _TAG < len(wallet.sealed) <= 4096:
        raise WalletError("印章文件已损坏")
    return wallet


def to_bytes(wallet: Wallet) -> bytes:
    """The file of it."""
    said = {
        "format": _FORMAT,
        "version": _VERSION,
        "name": wallet.name,
        "esl": _text(wallet.esl),
        "certificate": _text(wallet.certificate),
        "kdf": {
            "name": "argon2id",
            "time": wallet.cost.time,
            "memory": wallet.cost.memory,
            "lanes": wallet.cost.lanes,
            "salt": _text(wallet.salt),
        },
        "cipher": "SM4-GCM",
        "nonce": _text(wallet.nonce),
        "key": _text(wallet.sealed),
        "tries": wallet.tries,
    }
    return json.dumps(said, indent=1).encode()


def count_try(wallet: Wallet) -> Wallet:
    """To be written back before a PIN is tried. Raises WalletError `wallet-locked`."""
    if wallet.locked:
        raise WalletError("PIN 连续输错，印章文件已锁定，请重新导出", code="wallet-locked")
    return replace(wallet, tries=wallet.tries + 1)


def succeeded(wallet: Wallet) -> Wallet:
    """To be written back after the right PIN."""
    return replace(wallet, tries=0)


def open_wallet(wallet: Wallet, pin: str) -> sm2.PrivateKey:
    """The key. Takes some 100 ms on purpose. Raises WalletError: `wrong-pin`, or damaged and thus not to be told apart."""
    body, tag = wallet.sealed[:-_TAG], wallet.sealed[-_TAG:]
    decryptor = Cipher(SM4(_key(wallet, pin)), modes.GCM(wallet.nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(_bound(wallet))
    try:
        opened = decryptor.update(body) + decryptor.finalize()
    except InvalidTag as error:
        left = max(0, MOST_TRIES - wallet.tries)
        raise WalletError(f"PIN 不对，还可试 {left} 次", code="wrong-pin") from error
    return sm2.PrivateKey.from_pkcs8(opened)


def public_point(wallet: Wallet) -> bytes:
    """The public key of the certificate, as a point. Raises GmError."""
    return certificates.parse(wallet.certificate).key.point


def _key(wallet: Wallet, pin: str) -> bytes:
    cost = wallet.cost
    return hash_secret_raw(
        pin[:LONGEST_PIN].encode("utf-8", "replace"),
        wallet.salt,
        cost.time,
        cost.memory,
        cost.lanes,
        hash_len=16,
        type=Type.ID,
    )


def _bound(wallet: Wallet) -> bytes:
    """Everything but the key and the count: what else the PIN vouches for."""
    cost = wallet.cost
    head = f"{_FORMAT}\0{_VERSION}\0{wallet.name}\0{cost.time}\0{cost.memory}\0{cost.lanes}\0".encode(
        "utf-8", "surrogatepass"
    )
    return head + wallet.salt + sm3.digest(wallet.esl) + sm3.digest(wallet.certificate)


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _binary(said: dict[str, Any], name: str) -> bytes:
    return b64decode(said[name], validate=True)


def _within(value: object, bounds: tuple[int, int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not bounds[0] <= value <= bounds[1]:
        raise WalletError("印章文件的参数不合理")
    return value
