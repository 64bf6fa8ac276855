"""Secrets of hospital.toml stand elsewhere: `env:NAME` or `file:PATH`; what they hold is never logged or shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from yingqiao.hospital.errors import ConfigError


def reveal(reference: str, folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """What `env:NAME` or `file:PATH` (relative to `folder`) holds, trimmed. Raises ConfigError, in which the
    secret itself never stands.
    """
    how, _, where = reference.partition(":")
    if how == "env" and where:
        value = (os.environ if environ is None else environ).get(where, "").strip()
        if not value:
            raise ConfigError(f"环境变量 {where} 没有设置或为空")
        return value
    if how == "file" and where:
        return _from_file(folder / where)
    raise ConfigError("密钥与口令不能直接写在配置文件里，应写 env:变量名 或 file:文件路径")


def _from_file(path: Path) -> str:
    try:
        value = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "不是文本"
        raise ConfigError(f"读不了密钥文件 {path}：{reason}") from None
    if not value:
        raise ConfigError(f"密钥文件 {path} 是空的")
    return value


def sm4_key(reference: str, folder: Path, environ: Mapping[str, str] | None = None) -> bytes:
    """The 16 bytes of an SM4 key written as 32 hex digits (三(六)). Raises ConfigError."""
    try:
        key = bytes.fromhex(reveal(reference, folder, environ))
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ConfigError("SM4 密钥应为 32 位十六进制")
    return key
