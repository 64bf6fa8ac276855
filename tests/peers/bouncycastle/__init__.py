"""BouncyCastle of Debian as an independent judge: one Java process, one task a line."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("bcprov", "bcutil", "bcpkix")]


class BouncyCastle:
    """The running judge."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, task: str, *arguments: bytes | str | int) -> str:
        """Its answer: bytes go as base64, all else as text."""
        fields = [base64.b64encode(a).decode() if isinstance(a, bytes) else str(a) for a in arguments]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join([task, *fields]) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def make(self, task: str, *arguments: bytes | str | int) -> list[bytes]:
        """What it made."""
        answer = self.ask(task, *arguments)
        assert not answer.startswith("ERROR"), answer
        return [base64.b64decode(field) for field in answer.split("\t")]


@pytest.fixture(scope="session")
def bouncycastle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BouncyCastle]:
    """Skips the test where Java or BouncyCastle are not installed (`scripts/peers.sh` installs them)."""
    java = shutil.which("java")
    if java is None or not all(jar.exists() for jar in _JARS):
        pytest.skip("no java with BouncyCastle; run scripts/peers.sh")
    source = Path(__file__).parent / "Judge.java"
    errors = tmp_path_factory.mktemp("bouncycastle") / "stderr"
    with errors.open("w") as sink:
        process = subprocess.Popen(
            [java, "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", ":".join(map(str, _JARS)), str(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
        )
        try:
            yield BouncyCastle(process)
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            process.stdout.close()  # type: ignore[union-attr]
            process.wait(120)
