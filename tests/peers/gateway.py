"""A real `yingqiao serve` in a process of its own, on free ports and a fresh data folder."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, envelope
from tests.helpers.commands import YINGQIAO, run
from tests.helpers.ports import free_port

_READY_S = 180.0
_PATIENCE_S = 120.0
"""A busy machine is slow, not wrong: nobody waits so long for what comes."""
_ANNOUNCED = "影桥网关已就绪".encode()
_FOLLOWED = {"hospitals", "apps", "trust"}
_ONLY_ASKS = {"list", "show", "check", "export"}
"""A running gateway keeps these registers in memory."""
_LOOKED_AT_AGAIN_S = {"trust": 1.1, "dicom": 2.1}
"""What was looked at longer ago is looked at again when it is needed: trust, and who may send images."""
_AS_OF = re.compile(r"^yingqiao_register_as_of_seconds\{.*\} (\S+)$", re.MULTILINE)


@dataclass
class RunningGateway:
    """One gateway after another on the same folder and ports."""

    data: Path
    flags: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    http_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    _log_from: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log_file(self) -> Path:
        return self.data.parent / f"{self.data.name}.serve.log"

    @property
    def log(self) -> str:
        """Its whole lines: of one that is being written, half a character may be there."""
        raw = self.log_file.read_bytes()
        return raw[: raw.rfind(b"\n") + 1].decode()

    @property
    def token(self) -> str:
        return (self.data / "api.token").read_text().strip()

    def command(self) -> list[str]:
        addresses = [f"127.0.0.1:{self.http_port}", f"YINGQIAO@127.0.0.1:{self.dicom_port}"]
        return [
            YINGQIAO,
            "serve",
            "--data",
            str(self.data),
            "--http",
            addresses[0],
            "--dicom",
            addresses[1],
            *self.flags,
        ]

    def launch(self) -> None:
        with self.log_file.open("ab") as log:
            self._log_from = log.tell()
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, env=os.environ | self.environ
            )

    def start(self) -> None:
        """Launch, and wait until it is ready: it, and not the last breath of one that was killed."""
        self.launch()
        assert self.process is not None
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"serve ended by itself:\n{self.log[-3000:]}"
            try:
                if self._announced() and httpx.get(f"{self.url}/health/ready", timeout=30).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"not ready in time:\n{self.log[-3000:]}")

    def _announced(self) -> bool:
        return _ANNOUNCED in self.log_file.read_bytes()[self._log_from :]

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = _PATIENCE_S) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(timeout)

    def cli(
        self, *words: str, data: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Another `yingqiao` command on the same folder; what it changed is known to the running gateway."""
        where = ["--data", str(self.data)] if data else []
        done = run([*words, *where], self.environ, stdin)
        if done.returncode == 0 and self._follows(words):
            self._wait_until_known(words, time.time())
        return done

    def _wait_until_known(self, words: tuple[str, ...], at: float) -> None:
        """What was committed until `at` (Unix seconds): of hospitals and applications the gateway says as of when it
        knows them.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while words[0] != "trust" and self._known_as_of() <= at:
            assert time.monotonic() < deadline, f"{words[0]} not followed in time:\n{self.log[-3000:]}"
            time.sleep(0.05)
        again = max(_LOOKED_AT_AGAIN_S.get(word, 0.0) for word in words)
        time.sleep(max(0.0, at + again - time.time()))

    def _known_as_of(self) -> float:
        """Unix seconds; for ever when it has ended meanwhile."""
        assert self.process is not None
        if self.process.poll() is not None:
            return math.inf
        try:
            metrics = httpx.get(f"{self.url}/metrics", timeout=_PATIENCE_S)
        except httpx.TransportError:
            return 0.0
        return min(map(float, _AS_OF.findall(metrics.text)), default=0.0)

    def _follows(self, words: tuple[str, ...]) -> bool:
        running = self.process is not None and self.process.poll() is None
        return running and words[0] in _FOLLOWED and not _ONLY_ASKS & set(words)

    def json(self, *words: str) -> Any:
        done = self.cli(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def add_hospital(self, code: str = HOSPITAL, key_hex: str = KEY_HEX, name: str = "某某医院") -> None:
        self.do("hospitals", "add", code, "--name", name, "--sm4-key", key_hex)

    def do(self, *words: str) -> None:
        """A command on the same folder, which has to succeed."""
        done = self.cli(*words)
        assert done.returncode == 0, done.stdout + done.stderr

    def post(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        named = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return httpx.post(f"{self.url}{path}", content=body, headers=named, timeout=_PATIENCE_S)

    def push(self, path: str, record: dict[str, object], **sealing: str) -> dict[str, Any]:
        """The answer to a sealed record."""
        answer: dict[str, Any] = self.post(path, envelope(record, **sealing)).json()
        return answer


GatewayMaker = Callable[..., RunningGateway]


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[GatewayMaker]:
    """Makes gateways with flags and settings by environment; a hospital is registered unless told not to."""
    made: list[RunningGateway] = []

    def make(*flags: str, hospital: bool = True, start: bool = True, **environ: str) -> RunningGateway:
        gateway = RunningGateway(tmp_path / f"data{len(made)}", list(flags))
        gateway.environ = {f"YINGQIAO_{name}": value for name, value in environ.items()}
        made.append(gateway)
        if hospital:
            gateway.add_hospital()
        if start:
            gateway.start()
        return gateway

    yield make
    for gateway in made:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """One gateway on SQLite for the tests of a module that only push and look."""
    gateway = RunningGateway(tmp_path_factory.mktemp("gateway") / "data")
    gateway.add_hospital()
    gateway.start()
    yield gateway
    gateway.stop(signal.SIGKILL)
