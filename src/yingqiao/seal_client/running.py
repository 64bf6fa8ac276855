"""The parts of the seal client joined."""

from __future__ import annotations

from yingqiao.client.fetch.model import Resolve
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.seal_client.api import Api, Pages
from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.desk import Desk
from yingqiao.seal_client.device import Device
from yingqiao.seal_client.documents import Documents
from yingqiao.seal_client.earlier import Earlier
from yingqiao.seal_client.held import held_by, program_of
from yingqiao.seal_client.network import Network
from yingqiao.seal_client.sealing import Act
from yingqiao.seal_client.service import Service

__all__ = ["Pages", "build"]

_PRELOAD = ("yingqiao.seal_client.looking", "yingqiao.signing.seals.pdf.writing")
_MEMORY = 1024 << 20


def build(
    loaded: Loaded, pages: Pages, *, device: Device | None = None, resolve: Resolve | None = None
) -> Service:
    """A service that is not started yet. `device` stands in for the configured ones, `resolve` for the resolver.

    Raises OSError, msgspec.DecodeError when the state folder cannot be used.
    """
    program = program_of(loaded)
    device = device or held_by(loaded, program)
    sandbox = Sandbox(_limits(loaded), preload=_PRELOAD)
    act = Act(loaded, device, sandbox)
    earlier = Earlier(sandbox, loaded.limits, loaded.verifier)
    desk = Desk(loaded, Documents(loaded, Network(loaded, resolve)), device, act, earlier)
    return Service(
        Api(desk, pages, loaded.origins),
        loaded.config.client.port,
        [sandbox, program] if program else [sandbox],
    )


def _limits(loaded: Loaded) -> SandboxLimits:
    """A file's bytes stand in the worker's memory several times. Not nice: here a person waits for it, and no intake."""
    seconds = loaded.config.seal.seconds
    memory = _MEMORY + 6 * loaded.config.open.max_bytes
    return SandboxLimits(memory=memory, cpu_s=max(1, int(seconds)), wall_s=seconds, niceness=0)
