"""Once a second: how things stand, into the metrics, and into a file for HTTP processes of their own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson
import structlog

from yingqiao.web.health import Check, Part
from yingqiao.web.metrics import Metrics

_EVERY_S = 1.0
_STALE_S = 10.0
STATE_FILE = "state.json"
_log = structlog.get_logger(__name__)

Gauges = Callable[[], Mapping[str, float]]


class Pulse:
    """The thread. With `state` it writes how each of `checks` stands to that file."""

    def __init__(
        self,
        metrics: Metrics,
        gauges: Sequence[Gauges],
        checks: Mapping[str, Check],
        state: Path | None = None,
    ) -> None:
        self._metrics = metrics
        self._gauges = gauges
        self._checks = checks
        self._state = state
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        self.beat()
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._state is not None:
            self._state.unlink(missing_ok=True)

    def beat(self) -> None:
        """Once."""
        for gauges in self._gauges:
            self._metrics.stand(gauges())
        if self._state is not None:
            write_state(self._state, {name: check() for name, check in self._checks.items()})

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 what is only told must not end what is done
                _log.warning("pulse.missed", kind=type(error).__name__)


def write_state(path: Path, parts: Mapping[str, Part]) -> None:
    """Replace the state file as a whole."""
    content = {"at": time.time(), "parts": {name: [part.ok, part.detail] for name, part in parts.items()}}
    temporary = path.with_suffix(".new")
    temporary.write_bytes(orjson.dumps(content))
    temporary.replace(path)


def checks_from_state(path: Path, names: Sequence[str]) -> dict[str, Check]:
    """Checks of parts that live in another process, as it last wrote them; older than 10 s counts as gone."""

    def check(name: str) -> Check:
        return lambda: _part(path, name)

    return {name: check(name) for name in names}


def _part(path: Path, name: str) -> Part:
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return Part(ok=False, detail="主进程没有状态")
    if time.time() - content["at"] > _STALE_S:
        return Part(ok=False, detail="主进程没有心跳")
    ok, detail = content["parts"].get(name, [False, "未启动"])
    return Part(ok, detail)


def free_bytes(path: Path) -> int:
    """Bytes the gateway may still write on the disk of `path`."""
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize
