"""What the storage SCP needs from outside, as seams, and its settings."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from yingqiao.dicom.commitment.scp import Commitments
from yingqiao.exchange.model import Arrival, Laid, Landed, Place

Bytes = bytes | bytearray | memoryview


class LargeWriter(Protocol):
    """An instance that goes to a file of its own while it arrives. Methods raise OSError when the disk
    does.
    """

    def write(self, data: Bytes) -> None: ...

    def finish(self, digest: bytes) -> Place:
        """Durable now; `digest` is the SHA-256 of what was written."""
        ...

    def discard(self) -> None: ...


class Landing(Protocol):
    """Where instances become durable. Every method raises OSError when it cannot keep the bytes; the SCP
    then answers A700.
    """

    headroom: int
    """Bytes left free before the prefix in the memory given to `append`."""

    def ensure_room(self, size: int) -> None: ...

    def append(self, arrival: Arrival, laid: Laid, *, at_once: bool = False) -> Any:
        """Without `at_once` the memory must stay as it is until `flush`, which may write it."""
        ...

    def flush(self, pending: Sequence[Any]) -> None: ...

    def open_large(self, arrival: Arrival, prefix: Bytes) -> LargeWriter: ...


class Observer(Protocol):
    """What metrics want to know. Called from association threads; must be quick and never raise."""

    def association_opened(self) -> None: ...

    def association_closed(self, seconds: float) -> None: ...

    def association_rejected(self, cause: str) -> None:
        """Cause: limit | calling-aet | called-aet | application-context | protocol."""
        ...

    def association_aborted(self, by_peer: bool) -> None: ...

    def instance_stored(self, size: int, seconds: float) -> None:
        """Dataset bytes; from the command's arrival to the response's departure."""
        ...

    def instance_refused(self, status: int) -> None: ...

    def echoed(self) -> None: ...


class SilentObserver:
    """Nobody counts."""

    def association_opened(self) -> None: ...

    def association_closed(self, seconds: float) -> None: ...

    def association_rejected(self, cause: str) -> None: ...

    def association_aborted(self, by_peer: bool) -> None: ...

    def instance_stored(self, size: int, seconds: float) -> None: ...

    def instance_refused(self, status: int) -> None: ...

    def echoed(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ScpConfig:
    """Settings of the storage SCP. Times in seconds, sizes in bytes."""

    aet: str = "YINGQIAO"
    host: str = "0.0.0.0"  # noqa: S104 a gateway listens to the hospital's network; narrowed by configuration
    port: int = 11112
    """0 = any free port."""
    check_called_aet: bool = False
    max_associations: int = 400
    max_pdu: int = 256 * 1024
    """Offered to the sender; a larger P-DATA is answered by A-ABORT."""
    async_window: int = 64
    """Most operations a peer may have outstanding when it negotiates a window."""
    spill_bytes: int = 8 * 1024 * 1024
    """A dataset larger than this streams to a file of its own."""
    max_instance_bytes: int = 32 * 1024**3
    idle_timeout: float = 300.0
    """Between messages."""
    pdu_timeout: float = 60.0
    """For a PDU once begun, and for the next within a message."""
    min_bytes_per_second: int = 1024
    """A message that comes slower, after `pdu_timeout`, is given up."""
    request_timeout: float = 30.0
    """ARTIM: from the connection to the association request, and for the peer to close at the end."""
    association_timeout: float = 12 * 3600.0
    write_timeout: float = 30.0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class StoreService:
    """Everything one association works with."""

    config: ScpConfig
    landing: Landing
    on_landed: Callable[[Landed], None]
    """Takes a durable instance to the index; must not block and never fail."""
    admits: Callable[[str, str], bool]
    """Whether this calling AE title may send from this IP address."""
    is_behind: Callable[[], bool]
    """Whether the index is so far behind that instances are refused for a while."""
    observer: Observer
    is_stopping: Callable[[], bool]
    commitments: Commitments | None = None
    """Keeps storage commitment requests; None: the service is not offered."""
