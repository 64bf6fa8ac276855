"""The one pool of bounded processes of a gateway's process, and how much of it each kind of callers may take.

Files and pictures of strangers are opened there only. Workers start when they are needed and stand back behind intake.
"""

from __future__ import annotations

import os

from yingqiao.sandbox import Sandbox, SandboxLimits

WORKERS = 3
PATIENT = 2
"""Of them; one at least is always left to reports whose hospital waits for the answer."""
SERVED_AT_ONCE = max(1, min(PATIENT, len(os.sched_getaffinity(0)) - 1))
"""For whoever asks: a processor is always left to intake, which otherwise waits at each of its steps for one."""
PRELOAD = (
    "yingqiao.signing.seals.pdf.reading",
    "yingqiao.signing.seals.pdf.foreign",
    "yingqiao.signing.seals.pdf.writing",
    "yingqiao.sandbox.sef_request",
)


class Bounded:
    """Lines of callers. All together never have more than WORKERS processes, each of SandboxLimits.memory."""

    def __init__(self, limits: SandboxLimits = SandboxLimits(workers=WORKERS)) -> None:  # noqa: B008 frozen
        self._pool = Sandbox(limits, preload=PRELOAD)
        self.arriving = self._pool.line(at_once=PATIENT, wait_s=5.0, wall_s=15.0, cpu_s=10)
        """Reports judged before their hospital is answered."""
        patient = self._pool.line(at_once=PATIENT)
        self.serving = patient.line(at_once=SERVED_AT_ONCE)
        """SEF and the API."""
        self.sealing = patient.line()
        """PDFs sealed here."""
        self.behind = patient.line(at_once=1)
        """Reports judged after their arrival."""
        self.pictures = patient.line(at_once=1, wait_s=30.0)
        """Photographs and handwriting; one takes hundreds of megabytes."""

    def close(self) -> None:
        self._pool.close()
