"""The reference of a device's program: `python -m yingqiao.client.reference_device FOLDER`, keys as files of FOLDER.

It shows what `device.command` has to do, and stands in for a device in tests. It is no device: its keys lie open in
FOLDER. Where FOLDER has a file `.pin`, it is a desk's: keys are used between `unlock` and `lock` only. To attach a real
one, write a program that answers the same lines by the vendor's library; see docs/reference/key-device.md.
"""

from __future__ import annotations

import hmac
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from yingqiao.gm import cooperative, sm2
from yingqiao.gm.curve import GENERATOR, Point, Scalar
from yingqiao.gm.errors import GmError
from yingqiao.gm.key_share import ServerShare, prove
from yingqiao.gm.sm2_keys import PublicKey

_NAME = re.compile(r"[a-z0-9-]{1,64}")
_PIN, _TRIES, _MOST_TRIES = ".pin", ".tries", 6


class Refused(Exception):  # noqa: N818 an answer
    """`no CODE words` is the answer."""


class ReferenceDevice:
    """One key a file: a scalar of 32 bytes. A vendor's program calls SDF_… in these methods."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._unlocked: set[str] = set()

    def make(self, name: str) -> str:
        """SDF: a key pair made in advance at an index, its public part exported."""
        path = self._path(name)
        if not path.exists():
            _write(path, sm2.generate().to_pkcs8())
        return sm2.PrivateKey.from_pkcs8(path.read_bytes()).public().point.hex()

    def sign(self, name: str, e: str) -> str:
        """SDF_InternalSign_ECC or SKF_ECCSignData over the 32 bytes e."""
        if name not in self._unlocked and (self._folder / _PIN).exists():
            raise Refused("no refused it is locked")
        private = sm2.PrivateKey.from_pkcs8(self._read(name))
        return sm2.der_to_raw(sm2.sign_digest(private, bytes.fromhex(e))).hex()

    def share(self, name: str, point: str, session: str, user: str) -> str:
        """Only devices with two-party SM2 can; others answer `no unsupported`."""
        base = Point.from_bytes(bytes.fromhex(point))
        secret = Scalar.random()
        shared = base.times(secret.inverse())
        public = PublicKey((shared + -Point.from_bytes(GENERATOR)).to_bytes())
        names = {"session": bytes.fromhex(session).decode(), "user": bytes.fromhex(user).decode()}
        proof = prove(secret.inverse(), base, shared, **names)
        _write(self._path(name), secret.to_bytes())
        return f"{public.point.hex()} {proof.hex()}"

    def respond(self, name: str, point: str, e: str) -> str:
        """r and s1 for Q1 and e; the nonce is the device's."""
        share = ServerShare(Scalar.from_bytes(self._read(name)), bytes(32), sm2.generate().public())
        return cooperative.respond(share, bytes.fromhex(point), bytes.fromhex(e)).hex()

    def unlock(self, name: str, pin: str) -> str:
        """SKF_VerifyPIN. Counted before it is compared, as a device does."""
        self._read(name)
        wanted = (self._folder / _PIN).read_bytes().strip() if (self._folder / _PIN).exists() else b""
        left = _MOST_TRIES - self._tried()
        if left <= 0:
            raise Refused("no locked")
        self._tried(_MOST_TRIES - left + 1)
        if not hmac.compare_digest(bytes.fromhex(pin), wanted):
            raise Refused(f"no pin {left - 1}")
        self._tried(0)
        self._unlocked.add(name)
        return ""

    def lock(self, name: str) -> str:
        """SKF_ClearSecureState."""
        self._unlocked.discard(name)
        return ""

    def _tried(self, now: int | None = None) -> int:
        path = self._folder / _TRIES
        if now is not None:
            _write(path, str(now).encode())
        return int(path.read_bytes()) if path.exists() else 0

    def erase(self, name: str) -> str:
        self._path(name).unlink(missing_ok=True)
        return ""

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise Refused(f"no no-key {name}") from None

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Refused("no refused a name has letters, digits and hyphens")
        return self._folder / name


def answer(device: ReferenceDevice, line: str) -> str:
    """The line that answers one line."""
    word, *values = line.split(" ")
    if word == "hello":
        return "ok 1 reference make sign share respond erase unlock lock"
    does: dict[str, Callable[..., str]] = {
        "make": device.make,
        "sign": device.sign,
        "share": device.share,
        "respond": device.respond,
        "erase": device.erase,
        "unlock": device.unlock,
        "lock": device.lock,
    }
    if word not in does:
        return f"no unsupported {word[:40]}"
    try:
        return f"ok {does[word](*values)}".rstrip()
    except Refused as refused:
        return str(refused)
    except (GmError, ValueError, TypeError) as error:
        return f"no refused {type(error).__name__}"
    except OSError as error:
        return f"no away {error.strerror}"


def _write(path: Path, raw: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def main() -> None:
    """Lines in, lines out, until the input ends."""
    device = ReferenceDevice(Path(sys.argv[1]))
    for line in sys.stdin:
        sys.stdout.write(answer(device, line.strip()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
