"""Mixed load on a running gateway: records by HTTP and images by DICOM, from several senders at once."""

from __future__ import annotations

from threading import Event, Thread

from tests.acceptance.senders import Answers, Pushed, in_background, push_images, push_records
from tests.peers.gateway import RunningGateway


class Load:
    """Senders that remember what was acknowledged, and with `answers` whatever else they were told."""

    def __init__(self, gateway: RunningGateway, answers: Answers | None = None) -> None:
        self.pushed = Pushed()
        self._gateway = gateway
        self._answers = answers
        self._stop = Event()
        self._threads: list[Thread] = []

    def begin(self, name: str, records: int = 4, images: int = 3) -> None:
        gateway, pushed = self._gateway, self.pushed
        self._stop = stop = Event()
        http, dicom = ("127.0.0.1", gateway.http_port), ("127.0.0.1", gateway.dicom_port, "YINGQIAO")
        for n in range(records):
            told = (*http, f"{name}-{n}", stop, pushed, self._answers)
            self._threads.append(in_background(push_records, *told))
        for n in range(images):
            told_dicom = (*dicom, f"CT{n}", stop, pushed, self._answers)
            self._threads.append(in_background(push_images, *told_dicom))

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(180)
            assert not thread.is_alive()
        self._threads.clear()
