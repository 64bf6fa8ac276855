"""Lets a simulated hospital live: rows come into the RIS and images go out as the day has it, faster than a day."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import structlog

from yingqiao.hospital.simulate.dicom_sender import SUCCESS, DicomNode, DicomUnreachableError, send_study
from yingqiao.hospital.simulate.images import draw
from yingqiao.hospital.simulate.plan import Kind, Step
from yingqiao.hospital.simulate.ris import RIS, TRUTH, Ris, write_truth
from yingqiao.hospital.simulate.site import Fault, SiteCase

log = structlog.get_logger(__name__)
PACS_AET = "SIMPACS"
_TOGETHER = 200
"""Rows of one transaction at most."""
_STUDIES_TOGETHER = 20
"""Over one association at most, when that many wait."""
_AGAIN_SECONDS = 0.5


class Life:
    """One hospital's day: `start`, then `join`."""

    def __init__(
        self, folder: Path, cases: Sequence[SiteCase], images_to: DicomNode | None, *, faster: float
    ) -> None:
        """`images_to`: where modalities send to (a PACS, or the connector). `faster`: simulated seconds a second."""
        folder.mkdir(parents=True, exist_ok=True)
        write_truth(folder / TRUTH, cases)
        self._ris = Ris(folder / RIS)
        self._node, self._faster = images_to, faster
        self._doubled = frozenset(c.visit.ris_study_id for c in cases if c.fault is Fault.DUPLICATE)
        self._steps = deque(sorted((s for c in cases for s in c.steps), key=lambda step: step.at))
        self._studies: deque[Step] = deque()
        self._written = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, name="ris", daemon=True),
            threading.Thread(target=self._send, name="modality", daemon=True),
        ]
        self.rows = 0
        self.instances = 0
        """Acknowledged with 0000, repetitions too."""

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, timeout: float | None = None) -> bool:
        """Waits for the end of the day; whether it came."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _live(self) -> None:
        """Threads of the day's steps in their order."""
        started = time.monotonic()
        first = self._steps[0].at if self._steps else datetime.now()  # noqa: DTZ005 -- wall time of a simulated day
        while self._steps and not self._stopping.is_set():
            passed = (time.monotonic() - started) * self._faster
            due: list[Step] = []
            while self._steps and len(due) < _TOGETHER:
                if (self._steps[0].at - first).total_seconds() > passed:
                    break
                due.append(self._steps.popleft())
            records = [step for step in due if step.kind is not Kind.IMAGES]
            self._ris.write(records, self._doubled)
            self.rows += len(records)
            self._studies.extend(step for step in due if step.kind is Kind.IMAGES)
            if not due:
                self._stopping.wait(0.05)
        self._written.set()

    def _send(self) -> None:
        """As a modality does: what was not taken is sent again until it is."""
        while not self._stopping.is_set():
            if not self._studies:
                if self._written.is_set():
                    return
                self._stopping.wait(0.05)
            elif not self._sent([self._studies.popleft() for _ in range(self._together())]):
                self._stopping.wait(_AGAIN_SECONDS)

    def _together(self) -> int:
        return min(len(self._studies), _STUDIES_TOGETHER)

    def _sent(self, steps: list[Step]) -> bool:
        """What was not taken whole waits again, in its order."""
        if self._node is None:
            return True
        try:
            datasets = [draw(spec) for step in steps for spec in step.images]
            statuses = deque(send_study(self._node, PACS_AET, datasets))
        except DicomUnreachableError as error:
            log.info("simulate.images_wait", reason=str(error))
            self._studies.extendleft(reversed(steps))
            return False
        again = []
        for step in steps:
            taken = [statuses.popleft() == SUCCESS for _ in step.images]
            self.instances += sum(taken)
            again += [] if all(taken) else [step]
        self._studies.extendleft(reversed(again))
        return not again
