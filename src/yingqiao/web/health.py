"""Is the gateway alive, and is it ready: /health/live and /health/ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from yingqiao.web.answers import App, Receive, Scope, Send, send_json


@dataclass(frozen=True, slots=True)
class Part:
    """How one part stands; `detail` is Chinese and free of data."""

    ok: bool
    detail: str = ""


Check = Callable[[], Part]


class Health:
    """Asks each part, in a thread, at most once in `keep_s` seconds."""

    def __init__(self, checks: Mapping[str, Check], *, keep_s: float = 1.0, limit_s: float = 5.0) -> None:
        self._checks = checks
        self._keep_s = keep_s
        self._limit_s = limit_s
        self._asked_at = float("-inf")
        self._parts: dict[str, Part] = {}
        self._asking = asyncio.Lock()

    async def parts(self) -> dict[str, Part]:
        """Name -> how it stands."""
        async with self._asking:
            if time.monotonic() - self._asked_at > self._keep_s:
                names = list(self._checks)
                answers = await asyncio.gather(*(self._ask(self._checks[name]) for name in names))
                self._parts = dict(zip(names, answers, strict=True))
                self._asked_at = time.monotonic()
        return self._parts

    async def _ask(self, check: Check) -> Part:
        try:
            return await asyncio.wait_for(asyncio.to_thread(check), self._limit_s)
        except TimeoutError:
            return Part(ok=False, detail=f"{self._limit_s:g} 秒内没有回应")
        except Exception as error:  # noqa: BLE001 whatever a part raises means it does not work
            return Part(ok=False, detail=type(error).__name__)


def live_app() -> App:
    """Answers 200 while the event loop turns."""

    async def live(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 ASGI
        await send_json(send, 200, b'{"live":true}')

    return live


def ready_app(health: Health) -> App:
    """Answers 200 when every part works, else 503; the body names each part."""

    async def ready(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 ASGI
        parts = await health.parts()
        good = all(part.ok for part in parts.values())
        described = {name: {"ok": part.ok, "detail": part.detail} for name, part in parts.items()}
        await send_json(send, 200 if good else 503, orjson.dumps({"ready": good, "parts": described}))

    return ready
