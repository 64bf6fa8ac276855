"""Who asks for storage commitment: pynetdicom as SCU, told on the same association or on one it listens for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,  # type: ignore[attr-defined]
    StorageCommitmentPushModelInstance,  # type: ignore[attr-defined]
)

from tests.peers.pynetdicom import Entity

Reference = tuple[str, str]
_PROCESSING_FAILURE = 0x0110


class Requester:
    """Asks, and keeps what it was told: event type and dataset, in order."""

    def __init__(self, aet: str = "CT1", answer: int = 0x0000) -> None:
        self.aet = aet
        self.answer = answer
        self.told: list[tuple[int, Dataset]] = []
        self._answered = 0
        self._new = threading.Condition()

    def ask(
        self,
        port: int,
        references: list[Reference],
        *,
        transaction: str = "",
        stay: float = 0.0,
        called: str = "YINGQIAO",
    ) -> int:
        """Send an N-ACTION, stay so many seconds or until told, release; the status.

        Who does not stay hears nothing on this association: on a slow machine it may be told before it has gone.
        """
        hear = self._hear if stay else lambda _: (_PROCESSING_FAILURE, None)
        ae = Entity(ae_title=self.aet)
        ae.add_requested_context(StorageCommitmentPushModel)
        association = ae.associate(
            "127.0.0.1",
            port,
            ae_title=called,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear), (evt.EVT_PDU_SENT, self._sent)],
        )
        assert association.is_established
        status, _ = association.send_n_action(
            request(references, transaction or generate_uid()),
            1,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        if stay:
            self.wait(1, stay)
            with self._new:
                assert self._new.wait_for(lambda: self._answered >= len(self.told), stay)
        association.release()
        return int(status.Status)

    def wait(self, count: int, seconds: float = 120.0) -> bool:
        """Whether so many reports have come, waiting so long for them."""
        with self._new:
            return self._new.wait_for(lambda: len(self.told) >= count, seconds)

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        """It accepts associations there, the provider's role with them (PS3.4 J.3.3)."""
        ae = AE(ae_title=self.aet)
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self._hear)]
        server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield
        finally:
            server.shutdown()

    def _hear(self, event: Any) -> tuple[int, Dataset | None]:
        with self._new:
            self.told.append((event.event_type, event.event_information))
            self._new.notify_all()
        return self.answer, None

    def _sent(self, event: Any) -> None:
        """Data that went out after a report was heard are the answer to it."""
        if isinstance(event.pdu, P_DATA_TF):
            with self._new:
                self._answered = len(self.told)
                self._new.notify_all()

    def committed(self, number: int = 0) -> set[str]:
        found = self.told[number][1].get("ReferencedSOPSequence") or []
        return {str(item.ReferencedSOPInstanceUID) for item in found}

    def failed(self, number: int = 0) -> dict[str, int]:
        found = self.told[number][1].get("FailedSOPSequence") or []
        return {str(item.ReferencedSOPInstanceUID): int(item.FailureReason) for item in found}


def request(references: list[Reference], transaction: str) -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = transaction
    dataset.ReferencedSOPSequence = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        dataset.ReferencedSOPSequence.append(item)
    return dataset
