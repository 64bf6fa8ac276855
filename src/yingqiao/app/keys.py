"""The master key and the API token: from where the settings say, made on first use otherwise."""

from __future__ import annotations

import secrets
import shlex
import subprocess
from pathlib import Path

import structlog

from yingqiao.app.folder import DataFolder, StartError, read_or_make_secret
from yingqiao.gm.keystore import KEY_LENGTH, MasterKey
from yingqiao.settings import Settings

_COMMAND_SECONDS = 30
_log = structlog.get_logger(__name__)


def master_key(settings: Settings, folder: DataFolder) -> MasterKey:
    """The key that seals the hospitals' keys: by command, as set, from a file, else made in the data folder.

    Raises StartError when the place named has none.
    """
    if settings.master_key_command:
        return _from_hex(_run(settings.master_key_command), "master_key_command 的输出")
    if settings.master_key:
        return _from_hex(settings.master_key, "master_key")
    if settings.master_key_file:
        path = Path(settings.master_key_file)
        return _from_hex(_read(path), str(path))
    text, made = read_or_make_secret(folder.master_key, secrets.token_hex(KEY_LENGTH))
    if made:
        _log.warning(
            "key.master_made", path=str(folder.master_key), hint="请备份并妥善保管；丢失后医院密钥无法恢复"
        )
    return _from_hex(text, str(folder.master_key))


def api_token(settings: Settings, folder: DataFolder) -> str:
    """The token that opens /api, made on first use. Raises StartError when the file cannot be read."""
    path = Path(settings.api.token_file) if settings.api.token_file else folder.api_token
    try:
        token, made = read_or_make_secret(path, secrets.token_urlsafe(32))
    except OSError as error:
        raise StartError(f"读不了访问令牌文件 {path}：{error.strerror}") from error
    if len(token) < 16:
        raise StartError(f"访问令牌文件 {path} 的内容太短（至少 16 个字符）")
    if made:
        _log.info("key.api_token_made", path=str(path))
    return token


def _from_hex(text: str, origin: str) -> MasterKey:
    try:
        raw = bytes.fromhex(text.strip())
    except ValueError:
        raw = b""
    if len(raw) != KEY_LENGTH:
        raise StartError(f"{origin} 不是主密钥：应为 {KEY_LENGTH * 2} 位十六进制")
    return MasterKey(raw)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"读不了主密钥文件 {path}：{getattr(error, 'strerror', None) or '不是文本'}"
        ) from error


def _run(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 the operator's own command, without a shell
            shlex.split(command), capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise StartError(f"master_key_command 失败：{type(error).__name__}") from error
    return done.stdout
