"""Instances the gateway fetched itself (from URLs, by C-GET), kept exactly as those that are pushed to it.

Bytes go to the landing area, are flushed in groups, and only then handed to the index: the same files, the same
index, the same recovery after a kill. An instance that comes twice changes nothing there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yingqiao.exchange.model import Arrival, InstanceFacts, LandedInstance, Place
from yingqiao.store.landing import Bytes, LandingArea, Pending, ReadFacts

URL_AET = "URL"
"""Calling AE title of what was fetched from an address; see `peer_of`."""
MAX_TEXT = 64
LARGE_BYTES = 8 << 20
"""Datasets beyond this get a landing file of their own."""
_CHUNK = 1 << 20
_MARK = "#"


def peer_of(place: str, hospital_code: str) -> str:
    """Where an instance came from, and for whom: `<scheme>://<host>#<hospital>`, at most 64 bytes.

    No sender can pose as one: the peer of an association is an IP address.
    """
    ending = _MARK + hospital_code
    room = MAX_TEXT - len(ending.encode())
    if room < 0:
        return place.encode()[:MAX_TEXT].decode("utf-8", "ignore")
    return place.encode()[:room].decode("utf-8", "ignore") + ending


def hospital_in(peer: str) -> str:
    """The hospital in a peer made by `peer_of`; '' in any other."""
    return peer.rpartition(_MARK)[2] if _MARK in peer else ""


@dataclass(frozen=True, slots=True)
class Found:
    """An instance as it was found in what came."""

    prefix: Bytes
    """Preamble and file meta information; empty: they are made."""
    dataset: memoryview
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What an `Arrival` says of where it came from."""

    calling_aet: str
    called_aet: str
    peer: str


@dataclass(frozen=True, slots=True)
class Written:
    """In the landing area, not durable before `Arrivals.settle`."""

    arrival: Arrival
    place: Place
    pending: Pending | None
    facts: InstanceFacts


class Arrivals:
    """The way in for fetched instances. Thread-safe."""

    def __init__(
        self,
        landing: LandingArea,
        submit: Callable[[LandedInstance], None],
        read_facts: ReadFacts,
        head_of: Callable[[Arrival], bytes],
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        """`head_of` makes the Part 10 head of an instance that came without; `is_behind`: of the index."""
        self._landing = landing
        self._submit = submit
        self._read_facts = read_facts
        self._head_of = head_of
        self.is_behind = is_behind

    def write(self, origin: Origin, found: Found) -> Written:
        """Copy an instance into the landing area; its views may go afterwards. Raises LandingError."""
        arrival = Arrival(
            received_at=time.time_ns() // 1_000_000,
            calling_aet=origin.calling_aet,
            called_aet=origin.called_aet,
            peer=origin.peer,
            transfer_syntax_uid=found.transfer_syntax_uid,
            sop_class_uid=found.sop_class_uid,
            sop_instance_uid=found.sop_instance_uid,
        )
        prefix = found.prefix or self._head_of(arrival)
        facts = self._read_facts(
            found.dataset, found.transfer_syntax_uid, found.sop_class_uid, found.sop_instance_uid
        )
        if len(found.dataset) > LARGE_BYTES:
            return Written(arrival, self._write_large(arrival, prefix, found.dataset), None, facts)
        pending = self._landing.append(arrival, prefix, found.dataset)
        return Written(arrival, pending.place, pending, facts)

    def settle(self, written: Sequence[Written]) -> None:
        """Return when all are durable and on their way into the index. Raises LandingError."""
        self._landing.flush([one.pending for one in written if one.pending is not None])
        for one in written:
            self._submit(_landed(one))

    def _write_large(self, arrival: Arrival, prefix: Bytes, dataset: memoryview) -> Place:
        writer = self._landing.open_large(arrival, bytes(prefix))
        try:
            for start in range(0, len(dataset), _CHUNK):
                writer.write(dataset[start : start + _CHUNK])
            return writer.finish()
        except OSError:
            writer.discard()
            raise


def _landed(one: Written) -> LandedInstance:
    place, arrival = one.place, one.arrival
    return LandedInstance(
        segment=place.segment,
        offset=place.offset,
        length=place.length,
        dataset_offset=place.dataset_offset,
        digest=place.digest,
        received_at=arrival.received_at,
        calling_aet=arrival.calling_aet,
        called_aet=arrival.called_aet,
        peer=arrival.peer,
        facts=one.facts,
    )
