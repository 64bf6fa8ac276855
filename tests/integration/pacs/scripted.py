"""A PACS made of pynetdicom's SCP: it finds what it holds, and moves at a pace a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tests.peers.pynetdicom import Entity


class ScriptedPacs:
    """Holds instances of one study. `silence` seconds pass before each image of a C-MOVE."""

    def __init__(self, instances: list[bytes], destination: tuple[str, int], silence: float = 0.0) -> None:
        self.held = [dcmread(BytesIO(content)) for content in instances]
        self._destination = destination
        self._silence = silence
        self.moves = 0
        self.stuck = threading.Event()
        """Set: a C-MOVE is never answered."""
        ae = Entity("SCRIPTED")
        for context in (
            Verification,
            StudyRootQueryRetrieveInformationModelFind,
            StudyRootQueryRetrieveInformationModelMove,
        ):
            ae.add_supported_context(context)
        ae.add_requested_context(CTImageStorage)
        ae.dimse_timeout = None
        handlers: list[Any] = [(evt.EVT_C_FIND, self._find), (evt.EVT_C_MOVE, self._move)]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    @property
    def address(self) -> str:
        return f"SCRIPTED@127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.stuck.clear()
        self._server.shutdown()

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset]]:
        level = event.identifier.QueryRetrieveLevel
        seen = set()
        for one in self.held:
            key = {
                "STUDY": one.StudyInstanceUID,
                "SERIES": one.SeriesInstanceUID,
                "IMAGE": one.SOPInstanceUID,
            }[level]
            if key in seen or not self._fits(event.identifier, one):
                continue
            seen.add(key)
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            answer.SpecificCharacterSet = "GB18030"
            for element in event.identifier:
                if element.keyword not in ("QueryRetrieveLevel", "SpecificCharacterSet"):
                    setattr(answer, element.keyword, one.get(element.keyword, ""))
            yield 0xFF00, answer

    @staticmethod
    def _fits(asked: Dataset, held: Dataset) -> bool:
        keys = ("AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID")
        return all(asked.get(key, "") in ("", held.get(key)) for key in keys)

    def _move(self, event: Any) -> Iterator[Any]:
        self.moves += 1
        while self.stuck.is_set():
            time.sleep(0.1)
        yield "127.0.0.1", self._destination[1]
        yield len(self.held)
        for one in self.held:
            time.sleep(self._silence)
            yield 0xFF00, one
