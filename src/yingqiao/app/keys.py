"""The master keys and the API token: from where the settings say, made on first use otherwise."""

from __future__ import annotations

import secrets
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from yingqiao.app.folder import DataFolder, StartError, read_or_make_secret
from yingqiao.app.keyring import KeyRing, KeyRingError
from yingqiao.gm.keystore import KEY_LENGTH, MasterKey
from yingqiao.settings import Settings

_COMMAND_SECONDS = 30
_FILE_AGAIN_S, _COMMAND_AGAIN_S = 1.0, 5.0
"""How soon a place is looked at again for a key that it did not have."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where the master keys are. `path` is None when they are not in a file: then nothing here can change them."""

    words: str
    read: Callable[[], str]
    """Raises StartError."""
    path: Path | None = None
    again_s: float | None = None
    """Whether, and how often, a running program may ask again; None: what it got at the start is all."""

    def ring(self) -> KeyRing:
        """Raises StartError."""
        try:
            return KeyRing.parse(self.read())
        except KeyRingError as error:
            raise StartError(f"{self.words} {error}") from error


def key_place(settings: Settings, folder: DataFolder) -> KeyPlace:
    """By command, as set, from a file, else in the data folder, where a key is made when there is none."""
    if settings.master_key_command:
        command = settings.master_key_command
        return KeyPlace("master_key_command 的输出", lambda: _run(command), again_s=_COMMAND_AGAIN_S)
    if settings.master_key:
        return KeyPlace("master_key", lambda: settings.master_key)
    if settings.master_key_file:
        path = Path(settings.master_key_file)
        return KeyPlace(str(path), lambda: _read(path), path, _FILE_AGAIN_S)
    path = folder.master_key
    return KeyPlace(str(path), lambda: _read_or_make(path), path, _FILE_AGAIN_S)


def master_key(settings: Settings, folder: DataFolder) -> MasterKey:
    """The keys that seal and open what is kept; those of a file or a command are followed as they change.

    Raises StartError when the place named has none.
    """
    place = key_place(settings, folder)
    follower = _Follower(place)
    first, *others = place.ring().raw
    return MasterKey(first, others, None if place.again_s is None else follower)


class _Follower:
    """Looks whether the place has other keys by now: a rotation reaches a running gateway so."""

    def __init__(self, place: KeyPlace) -> None:
        self._place = place
        self._stamp = _stamp(place.path)
        self._asked = float("-inf")
        self._lock = threading.Lock()

    def __call__(self, urgent: bool) -> Sequence[bytes] | None:
        with self._lock:
            stamp, now = _stamp(self._place.path), time.monotonic()
            changed = stamp != self._stamp
            waited = now - self._asked >= (self._place.again_s or 0)
            if not changed and not (urgent and waited):
                return None
            self._stamp, self._asked = stamp, now
            try:
                return self._place.ring().raw
            except StartError as error:  # what was read before still serves
                _log.error("key.master_unreadable", reason=str(error))
                return None


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


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


def _read_or_make(path: Path) -> str:
    try:
        text, made = read_or_make_secret(path, secrets.token_hex(KEY_LENGTH))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if made:
        _log.warning("key.master_made", path=str(path), hint="请备份并妥善保管；丢失后医院密钥无法恢复")
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError | UnicodeDecodeError) -> StartError:
    return StartError(f"读不了主密钥文件 {path}：{getattr(error, 'strerror', None) or '不是文本'}")


def _run(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 the operator's own command, without a shell
            shlex.split(command), capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise StartError(f"master_key_command 失败：{type(error).__name__}") from error
    return done.stdout
