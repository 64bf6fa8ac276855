"""An instance's last steps, whoever brings it: into the landing area, durable, handed to the index.

The storage SCP and the C-GET of a requestor use it alike, one keeper an association, in its thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from yingqiao.dicom import negotiation
from yingqiao.dicom.dataset_sink import DatasetSink, TooLarge
from yingqiao.dicom.part10 import part10_head
from yingqiao.dicom.storage_service import Landing
from yingqiao.dicom.upper_layer.dimse import Command, Status
from yingqiao.exchange.model import Arrival, Landed, Place

_MAX_TEXT = 64
_HEAD_BYTES = 8192
"""Of a dataset, for the index: usually all before the pixels."""


@dataclass(frozen=True, slots=True)
class Store:
    """Where instances go."""

    landing: Landing
    on_landed: Callable[[Landed], None]
    """Takes a durable instance to the index; must not block and never fail."""
    is_behind: Callable[[], bool] = lambda: False
    """Whether the index is so far behind that instances are refused for a while."""
    spill_bytes: int = 8 << 20
    """A dataset larger than this streams to a file of its own."""
    max_instance_bytes: int = 32 << 30


@dataclass(slots=True)
class Kept:
    """An instance brought to the landing area; durable once `flush` has left `status` 0000."""

    arrival: Arrival
    size: int
    """Dataset bytes."""
    status: int = Status.SUCCESS
    comment: str = ""
    pending: Any = None
    place: Place | None = None
    head: bytes = b""


class InstanceKeeper:
    """For each instance: `refusal`, `begin`, the bytes into `sink`, `keep`; for some together: `flush`, then
    answer, then `hand_over`.
    """

    def __init__(self, store: Store, max_fragment: int) -> None:
        self._store = store
        self.sink = DatasetSink(store.landing, store.spill_bytes, max_fragment, store.max_instance_bytes)

    def refusal(self, command: Command) -> tuple[int, str] | None:
        """Why a C-STORE is refused before its dataset arrives; None when it is not."""
        if not negotiation.is_storage(command.sop_class_uid):
            return Status.SOP_CLASS_NOT_SUPPORTED, "not a storage SOP class"
        if (
            not 0 < len(command.sop_instance_uid) <= _MAX_TEXT
            or not 0 < len(command.sop_class_uid) <= _MAX_TEXT
        ):
            return Status.INVALID_SOP_INSTANCE, "a UID of the command is missing or longer than 64"
        if not command.has_dataset:
            return Status.CANNOT_UNDERSTAND, "C-STORE without a dataset"
        if self._store.is_behind():
            return Status.OUT_OF_RESOURCES, "the index is too far behind, try again later"
        try:
            self._store.landing.ensure_room(0)
        except OSError as error:
            return _out_of_resources(error)
        return None

    def begin(self, arrival: Arrival | None) -> None:
        """The next dataset is to be kept as `arrival`, or dropped when that is None."""
        self.sink.begin(arrival, part10_head(arrival) if arrival else b"")

    def keep(self, arrival: Arrival, reused: bool = False) -> Kept:
        """The dataset is whole in the sink: bring it to the landing area. `reused`: the next one may overwrite
        it before the flush.
        """
        kept = Kept(arrival, self.sink.total)
        if kept.size < 8:
            kept.status, kept.comment = Status.CANNOT_UNDERSTAND, "the dataset is empty"
            return kept
        try:
            self._land(kept, reused)
        except TooLarge as error:
            kept.status, kept.comment = Status.NEVER_FITS, str(error)
        except OSError as error:
            kept.status, kept.comment = _out_of_resources(error)
        return kept

    def flush(self, kept: Sequence[Kept]) -> None:
        """Make durable what is pending; what could not be gets status A700."""
        pending = [k for k in kept if k.pending is not None and k.status == Status.SUCCESS]
        try:
            if pending:
                self._store.landing.flush([k.pending for k in pending])
        except OSError as error:
            for one in pending:
                one.status, one.comment = _out_of_resources(error)

    def hand_over(self, kept: Iterable[Kept]) -> None:
        """Durable instances go to the index."""
        for one in kept:
            if one.status == Status.SUCCESS:
                self._store.on_landed(Landed(one.place or one.pending.place, one.arrival, one.head))

    def close(self) -> None:
        """Forget everything, and what arrived half."""
        self.sink.close()

    def _land(self, kept: Kept, reused: bool) -> None:
        """What is not large is durable only after `flush`. Raises OSError."""
        sink = self.sink
        large = sink.finish_large()
        if sink.failure is not None:
            raise sink.failure
        if large is not None:
            try:
                kept.place = large.finish(sink.digest)
            except OSError:
                large.discard()
                raise
            return
        kept.head = bytes(sink.dataset[:_HEAD_BYTES])
        kept.pending = self._store.landing.append(kept.arrival, sink.laid, at_once=reused)


def _out_of_resources(error: OSError) -> tuple[int, str]:
    return Status.OUT_OF_RESOURCES, str(error.strerror or error).encode("ascii", "replace").decode()
