"""The stores of one data folder, opened together: what every command and process needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yingqiao.app.bounded import Bounded
from yingqiao.app.folder import DataFolder, StartError, database_of, open_folder, remember_database
from yingqiao.app.keys import master_key
from yingqiao.gm.keystore import MasterKey
from yingqiao.settings import DeviceSettings, Settings
from yingqiao.signing.private_keys import PrivateKeys, Purpose
from yingqiao.store.applications import AppRegistry
from yingqiao.store.database import Database, open_database
from yingqiao.store.doorbell import Doorbell
from yingqiao.store.errors import StoreError
from yingqiao.store.fetch_hosts import FetchHosts
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import LocalObjects
from yingqiao.store.trust import TrustStore

if TYPE_CHECKING:
    from yingqiao.client.key_device import CommandDevice

_DEVICE_START_S = 15.0
"""A device's program has so long to start, or as long as an operation of it."""


@dataclass(frozen=True, slots=True)
class Stores:
    folder: DataFolder
    database: Database
    hospitals: HospitalRegistry
    objects: LocalObjects
    fetch_hosts: FetchHosts
    bell: Doorbell
    """Rung when something is to be fetched at once."""
    apps: AppRegistry
    master_key: MasterKey
    trust: TrustStore
    keys: PrivateKeys
    """Where private keys are used."""
    bounded: Bounded
    """Where files of strangers are opened."""

    def gauges(self) -> dict[str, float]:
        """How fresh the registers are that this process keeps in memory."""
        known = {"hospitals": self.hospitals.as_of, "applications": self.apps.as_of}
        return {
            f"register_as_of_seconds{{register={name}}}": at for name, at in known.items() if at is not None
        }


@contextmanager
def open_stores(settings: Settings, *, create: bool = False, migrate: bool = True) -> Iterator[Stores]:
    """The stores of the settings' data folder, closed at the end.

    `create` makes the folder when it is not there; `migrate` brings the database to this program's schema.
    Raises StartError (Chinese), StoreUnavailable while in use.
    """
    folder = open_folder(settings, create=create)
    device = _device(settings.device)
    if create:
        remember_database(settings, folder)
    try:
        database = open_database(database_of(settings, folder))
    except ValueError as error:
        raise StartError("数据库 URL 不对：应为 postgresql://用户:密码@主机/库 或 sqlite:///文件") from error
    bounded = Bounded()
    try:
        if migrate:
            _migrate(database)
        key = master_key(settings, folder)
        yield Stores(
            folder,
            database,
            HospitalRegistry(database, key),
            LocalObjects(folder.objects),
            FetchHosts(database, key),
            Doorbell(folder.bell),
            AppRegistry(database, key),
            key,
            TrustStore(database),
            PrivateKeys(device, [Purpose(name) for name in settings.device.purposes]),
            bounded,
        )
    finally:
        bounded.close()
        database.close()
        if device is not None:
            device.close()


def _device(settings: DeviceSettings) -> CommandDevice | None:
    """Its program is started when it is asked for something. Raises StartError."""
    if not settings.command:
        return None
    from yingqiao.client.key_device import (
        CommandDevice,
    )  # with an HTTP client beside it: commands start fast without

    unknown = set(settings.purposes) - set(Purpose)
    if unknown:
        raise StartError(f"device.purposes 只能是 {'、'.join(Purpose)}，不能是 {'、'.join(sorted(unknown))}")
    try:
        start = max(_DEVICE_START_S, settings.seconds)
        return CommandDevice(
            settings.command, seconds=settings.seconds, start_seconds=start, places=settings.processes
        )
    except ValueError as error:
        raise StartError(f"device.command 不是一条命令：{error}") from error


def _migrate(database: Database) -> None:
    try:
        database.migrate()
    except StoreError as error:
        raise StartError(
            f"数据库不可用（{type(error).__name__}）：请检查数据库是否运行、地址与权限是否正确"
        ) from error
