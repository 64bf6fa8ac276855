"""Every seal of a desk: those in wallets, and those whose keys a device holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from yingqiao.client.key_device import CommandDevice
from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.device import Device, HeldSeal, Key
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.keyed import DeviceSeals
from yingqiao.seal_client.wallets import WalletFolder


def held_by(loaded: Loaded, program: CommandDevice | None) -> Device:
    """As configured. A device's program is started when a key of it is used."""
    wallets = WalletFolder(loaded.wallets)
    return wallets if program is None else Devices([DeviceSeals(loaded.device_seals, program), wallets])


def program_of(loaded: Loaded) -> CommandDevice | None:
    """What speaks to the device, for its caller to close. One process: a PIN opens a key in it alone."""
    said = loaded.config.device
    return CommandDevice(said.command, seconds=said.seconds) if said.command.strip() else None


class Devices:
    """Several as one."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices

    def seals(self) -> list[HeldSeal]:
        """Raises Refused when none of them can be asked."""
        return [held for _, held in self._all()]

    @contextmanager
    def unlocked(self, seal_id: str, pin: str) -> Iterator[Key]:
        """Raises WrongPin, Refused."""
        device = next((device for device, held in self._all() if held.id == seal_id), None)
        if device is None:
            raise Refused(404, "no-seal", "没有这个印章，请刷新后重新选择")
        with device.unlocked(seal_id, pin) as key:
            yield key

    def _all(self) -> list[tuple[Device, HeldSeal]]:
        found: list[tuple[Device, HeldSeal]] = []
        refused: list[Refused] = []
        for device in self._devices:
            try:
                found += [(device, held) for held in device.seals()]
            except Refused as error:
                refused.append(error)
        if len(refused) == len(self._devices):
            raise refused[0]
        return found
