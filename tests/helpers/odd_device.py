"""A device's program that behaves as a file beside its keys says: `python -m tests.helpers.odd_device FOLDER`.

FOLDER/mode holds nothing (well behaved), or: hang, end, garbage, long, two, refuse, wrong, away.
"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

from yingqiao.client.key_device import CommandDevice
from yingqiao.client.reference_device import ReferenceDevice, answer

ROOT = Path(__file__).parents[2]


class OddDevice:
    """Such a device, as a test sets it up."""

    def __init__(self, folder: Path, *, seconds: float = 60.0) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.now = 0.0
        self._seconds = seconds
        self.device = CommandDevice(self.command, seconds=seconds, start_seconds=120, clock=self.clock)
        self.behave("")

    @property
    def command(self) -> str:
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.helpers.odd_device import main; main()"
        return shlex.join([sys.executable, "-c", code, str(self.folder)])

    def clock(self) -> float:
        """Real, and forward as a test wants: what failed is tried again after a while."""
        return time.monotonic() + self.now

    def behave(self, mode: str) -> None:
        whole = self.folder / "mode.new"
        whole.write_text(mode)
        # the program may read at any moment, and empty means well behaved
        whole.replace(self.folder / "mode")
        # only where it never answers is the wait for it to end soon
        self.device._seconds = 1.0 if mode == "hang" else self._seconds

    def later(self) -> None:
        self.now += 60.0


def main() -> None:
    folder = Path(sys.argv[1])
    device = ReferenceDevice(folder / "keys")
    for line in sys.stdin:
        said = _said(device, line.strip(), (folder / "mode").read_text())
        if said is None:
            return
        sys.stdout.write(said)
        sys.stdout.flush()


def _said(device: ReferenceDevice, line: str, mode: str) -> str | None:
    right = answer(device, line) + "\n"
    if line.startswith("hello") or not mode:
        return right
    if mode == "hang":
        time.sleep(3600)
    odd = {
        "garbage": "\x00\xff what?\n",
        "long": "ok " + "ab" * 10_000 + "\n",
        "two": right + right,
        "refuse": "no refused 没有授权\n",
        "away": "no away 卡已拔出\n",
        "wrong": "ok " + right[3:].replace("a", "b").replace("1", "2") + "",
        "short": "ok abcd\n",
    }
    return odd.get(mode)


if __name__ == "__main__":
    main()
