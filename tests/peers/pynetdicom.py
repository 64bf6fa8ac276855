"""pynetdicom as a requestor that loses no answer.

Version 3.0.4 has a race (association.py, `_run_reactor` beside `send_*`): the reactor thread, held up between
`_reactor_checkpoint.wait()` and `_is_paused = False`, passes for paused; it goes on when the answer has come, takes it off
the queue as if it were a request, and `send_*` waits for nothing until its limit of 30 s.
"""

from __future__ import annotations

import threading
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association


class Checkpoint:
    """In the place of the event at which the reactor pauses: whoever closes it knows that the reactor stands there."""

    def __init__(self, reactor: threading.Thread) -> None:
        self._reactor = reactor
        self._changed = threading.Condition()
        self._is_open = True
        self._is_there = False

    def set(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Returns once the reactor waits, or has ended."""
        with self._changed:
            self._is_open = False
            while not self._is_there and self._reactor.is_alive() and not self._is_open:
                if threading.current_thread() is self._reactor:
                    return
                self._changed.wait(0.05)  # a reactor that ends tells nobody

    def wait(self) -> None:
        with self._changed:
            self._is_there = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_open)
            self._is_there = False


class Entity(AE):
    """An AE whose associations, those of its C-MOVE's sub-operations too, pause at a `Checkpoint`."""

    def associate(self, *details: Any, **options: Any) -> Association:
        association = super().associate(*details, **options)
        association._reactor_checkpoint = Checkpoint(association)
        return association
