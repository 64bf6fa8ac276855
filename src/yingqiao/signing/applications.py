"""Applications: PACS and other programs that call the signing services, and what each may do."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from yingqiao.signing.hmac_signature import ALGORITHMS, SHA256

MAX_APP_ID = 64
MAX_SECRET = 256
MIN_SECRET = 8
_APP_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
REQUIRED, OPTIONAL, OFF = "required", "optional", "off"


class ApplicationError(ValueError):
    """A value of an application cannot be; the text is Chinese."""


class CallbackHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where callbacks may lead: `http(s)://host[:port][/path]`; `private` allows inside addresses."""

    address: str
    private: bool = False


class AppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for one application."""

    algorithms: tuple[str, ...] = (SHA256,)
    """Accepted of HmacSHA256, HmacSHA1, HmacMD5 (T113)."""
    dsvs_hmac: str = REQUIRED
    """Whether dsvs requests of it must be signed: required, optional (checked when there), off."""
    callbacks: tuple[CallbackHost, ...] = ()
    max_data_bytes: Annotated[int, Meta(ge=1, le=64 << 20)] = 1 << 20
    """Of addSignJob's data, in characters of base64 (1M by the standard)."""
    max_description: Annotated[int, Meta(ge=1, le=4096)] = 4096
    max_original_bytes: Annotated[int, Meta(ge=1, le=64 << 20)] = 5 << 20
    """Of oriData to be time-stamped, in UTF-8 bytes."""

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> AppSettings:
        """Raises ApplicationError."""
        try:
            found = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise ApplicationError(f"应用设置不合规则：{error}") from None
        return found.checked()

    def checked(self) -> AppSettings:
        """Itself. Raises ApplicationError on a value that cannot be."""
        if not self.algorithms or set(self.algorithms) - ALGORITHMS.keys():
            raise ApplicationError(f"HMAC 算法只能是 {'、'.join(ALGORITHMS)}")
        if self.dsvs_hmac not in (REQUIRED, OPTIONAL, OFF):
            raise ApplicationError("dsvs 的签名要求只能是 required、optional、off")
        return self


@dataclass(frozen=True, slots=True)
class Application:
    """One application as requests are judged by it."""

    app_id: str
    name: str
    hospital_code: str
    """'' = of no hospital in particular."""
    disabled: bool
    secrets: tuple[bytes, ...] = field(repr=False)
    """The current one first, then those still accepted after a rotation."""
    settings: AppSettings = field(default=AppSettings())


def check_app_id(app_id: str) -> None:
    """Raises ApplicationError."""
    if not _APP_ID.fullmatch(app_id):
        raise ApplicationError(f"应用标识应为 1–{MAX_APP_ID} 个字母、数字、点、下划线或减号")


def check_secret(secret: str) -> bytes:
    """The HMAC key of a secure code: its UTF-8 bytes as they are. Raises ApplicationError, quoting nothing."""
    raw = secret.encode()
    if not MIN_SECRET <= len(raw) <= MAX_SECRET or not secret.isprintable() or secret != secret.strip():
        raise ApplicationError(f"密钥应为 {MIN_SECRET}–{MAX_SECRET} 字节的可见字符，首尾无空格")
    return raw


def new_secret() -> str:
    """A secure code of 256 random bits, letters and digits only."""
    return secrets.token_hex(32)
