"""Coverage-guided fuzzing of keys at rest: sealed bytes, key files, handles of keys, lines of a device's program.

`python -m tests.fuzz.fuzz_keys -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.fuzz import instrumented
from tests.fuzz.bounds import told

with instrumented.imports():
    from yingqiao.app.keyring import KeyRing, KeyRingError
    from yingqiao.client.reference_device import ReferenceDevice, answer
    from yingqiao.gm import sm2
    from yingqiao.gm.errors import GmError
    from yingqiao.gm.keystore import MasterKey, key_id
    from yingqiao.signing.private_keys import SOFTWARE

_RAW = bytes(range(32))
_MASTER = MasterKey(_RAW, [bytes(32)])
_PRIVATE = sm2.PrivateKey.from_scalar(bytes([7] * 32))
_SECRET = b"sixteen bytes..."


@cache
def _device() -> ReferenceDevice:
    return ReferenceDevice(Path(tempfile.mkdtemp(prefix="yingqiao-fuzz-")) / "keys")


def one_input(data: bytes) -> None:
    for read in (_unseal, _handle, _share):
        try:
            read(data)
        except GmError as error:
            told(error.code, error.reason)
    _ring(data)
    _line(data)


def _unseal(data: bytes) -> None:
    plain = _MASTER.unseal(data, "c")
    assert plain == _SECRET, "opened what was never sealed"


def _handle(data: bytes) -> None:
    held = SOFTWARE.open(data)
    assert len(held.point) == 65


def _share(data: bytes) -> None:
    SOFTWARE.open_share(data, _PRIVATE.public())


def _ring(data: bytes) -> None:
    try:
        ring = KeyRing.parse(data.decode("latin-1"))
    except KeyRingError as error:
        told("ring", str(error))
        return
    assert KeyRing.parse(ring.text()) == ring
    assert ring.keys[0].id == key_id(ring.raw[0]).hex()


def _line(data: bytes) -> None:
    line = data[:300].decode("utf-8", "replace").split("\n")[0].strip()
    said = answer(_device(), line)
    assert said.startswith(("ok", "no "))
    assert "\n" not in said


def corpus() -> Iterator[bytes]:
    sealed = MasterKey(_RAW).seal(_SECRET, "c")
    yield sealed
    yield sealed[:-1]
    yield _PRIVATE.to_pkcs8()
    yield b"device\0" + _PRIVATE.public().point + b"\x04ca-1"
    yield b"device\0" + _PRIVATE.public().point + b"\x04ca-1" + bytes(32)
    yield f"# keys\n{_RAW.hex()}\n{bytes(32).hex()} old\n{bytes([1] * 32).hex()} next\n".encode()
    point = _PRIVATE.public().point.hex()
    for line in (
        "hello 1",
        "make a",
        f"sign a {_RAW.hex()}",
        f"share b {point} 61 62",
        f"respond b {point} {_RAW.hex()}",
    ):
        yield line.encode()
    yield b"erase a"
    yield b"sign ../../etc 00"


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
