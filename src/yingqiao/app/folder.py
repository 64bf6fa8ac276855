"""The data folder: where everything a gateway keeps lies, and the lock that makes one gateway its owner.

DATA/
  yingqiao.sqlite   the database, unless another is set
  database.url      the URL of another database (0600), so that commands need only --data
  work.sqlite       what the work engine is doing, unless the database is PostgreSQL
  executor.id       this gateway's name among the processes that do work, on PostgreSQL (0600)
  objects/          documents, by digest
  landing/          images as they arrived, in segments: the truth for images
  master.key        seals the hospitals' keys (0600), unless it is kept elsewhere
  api.token         opens /api (0600)
  office.log        what commands of the signing office did, and who (0600)
  gateway.lock      held by the running gateway
  parts/            large files being fetched, as far as they came; may be deleted when none runs
  run/              state of the running gateway; may be deleted when none runs
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from yingqiao.settings import Settings

_DICOM = "dicom.address"
_LOCK = "gateway.lock"
_LOOKS, _LOOK_S = 3, 0.05


class StartError(Exception):
    """The gateway cannot start, or a command not open its data; the message is Chinese and says what to do.

    `unavailable`: nothing is wrong with the call, something it needs does not answer.
    """

    def __init__(self, message: str, *, unavailable: bool = False) -> None:
        super().__init__(message)
        self.unavailable = unavailable


@dataclass(frozen=True, slots=True)
class DataFolder:
    root: Path

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def bell(self) -> Path:
        return self.run / "bell"

    @property
    def parts(self) -> Path:
        return self.root / "parts"

    @property
    def master_key(self) -> Path:
        return self.root / "master.key"

    @property
    def office_log(self) -> Path:
        return self.root / "office.log"

    @property
    def api_token(self) -> Path:
        return self.root / "api.token"

    @property
    def database_url(self) -> Path:
        return self.root / "database.url"


def open_folder(settings: Settings, *, create: bool = False) -> DataFolder:
    """The data folder of the settings. Raises StartError: none named, not there, not writable."""
    if not settings.data:
        raise StartError("请用 --data DIR 或环境变量 YINGQIAO_DATA 指定数据目录")
    folder = DataFolder(Path(settings.data).absolute())
    if create:
        try:
            for path in (folder.root, folder.objects, folder.landing, folder.run):
                path.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise StartError(f"不能创建数据目录 {folder.root}：{error.strerror}") from error
    elif not folder.root.is_dir():
        raise StartError(
            f"没有数据目录 {folder.root}。先用 `yingqiao hospitals add` 或 `yingqiao serve` 建立它"
        )
    return folder


def lock_folder(folder: DataFolder) -> int:
    """Become the folder's gateway: a file descriptor that holds the lock until closed or the process ends.

    Raises StartError when another gateway runs on it.
    """
    descriptor = os.open(folder.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        _lock_patiently(descriptor)
    except OSError as error:
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StartError(f"数据目录 {folder.root} 已有网关在运行（进程 {owner or '未知'}）") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _lock_patiently(descriptor: int) -> None:
    """A command that looks whether somebody has it (`has_gateway`) holds it for a moment. Raises OSError."""
    for _ in range(_LOOKS):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(_LOOK_S)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def has_gateway(folder: DataFolder) -> bool:
    """Whether a gateway runs on the folder."""
    try:
        descriptor = os.open(folder.root / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def database_of(settings: Settings, folder: DataFolder) -> str:
    """Where the database is: as set, else as remembered in the folder, else the folder (SQLite in it)."""
    if settings.database:
        return settings.database
    try:
        return folder.database_url.read_text("utf-8").strip() or str(folder.root)
    except FileNotFoundError:
        return str(folder.root)


def remember_database(settings: Settings, folder: DataFolder) -> None:
    """Keep a database URL that was set, so that other commands find the database by --data alone."""
    if settings.database and database_of(Settings(), folder) != settings.database:
        write_secret(folder.database_url, settings.database)


def remember_dicom(folder: DataFolder, address: str) -> None:
    """Keep where the running gateway receives DICOM, for commands: `AET@HOST:PORT`, '' when it does not."""
    (folder.run / _DICOM).write_text(address + "\n", "utf-8")


def dicom_of(settings: Settings, folder: DataFolder) -> str:
    """Where the gateway of this folder receives DICOM: as it last said itself, else as set."""
    try:
        return (folder.run / _DICOM).read_text("utf-8").strip()
    except FileNotFoundError:
        return settings.dicom.listen


def read_or_make_secret(path: Path, make_text: str) -> tuple[str, bool]:
    """The text of a secret file, made with `make_text` (0600, durable) when missing; whether it was made."""
    try:
        return path.read_text("ascii").strip(), False
    except FileNotFoundError:
        write_secret(path, make_text)
        return path.read_text("ascii").strip(), True


def write_secret(path: Path, text: str) -> None:
    """Put a secret file in place, whole or not at all, durable, readable by the owner only."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def prepare_workers(settings: Settings) -> None:
    """Set what must be set before the metrics module is loaded, for a gateway of several processes."""
    if settings.http.workers > 1:
        folder = open_folder(settings, create=True).run / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
