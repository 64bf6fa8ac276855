"""Sends landed instances to the gateway by C-STORE: study by study, several associations, exact bytes."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import structlog

from yingqiao.dicom.query_retrieve.errors import Aborted, BadAnswer, ContextRefused, NodeError, TimedOut
from yingqiao.dicom.query_retrieve.node import Node
from yingqiao.dicom.storage_scu import StorageSender
from yingqiao.exchange.retry import Backoff, Breaker, BreakerRule
from yingqiao.exchange.work import ErrorClass
from yingqiao.hospital.spool import images
from yingqiao.hospital.spool.images import REFUSED, SENT, WAITING, Forwarded, Instance
from yingqiao.hospital.spool.store import Spool, now_ms
from yingqiao.store.errors import StoreError
from yingqiao.store.landing import LandingReader

log = structlog.get_logger(__name__)
_BATCH = 200
_SETTLE = 25
_LOOK_SECONDS = 1.0
_AGAIN = Backoff(5.0, 600.0)
_RULE = BreakerRule(failures=1, rest=Backoff(5.0, 300.0))
_KINDS = 100
_REFUSALS = frozenset((0x0117, 0x0122, 0x0124))


class Forwarder:
    """So many threads, each with an association while there is work."""

    def __init__(self, spool: Spool, landing: LandingReader, node: Node, parallel: int) -> None:
        self._spool, self._landing, self._node = spool, landing, node
        self._guard = threading.Lock()
        self._in_hand: set[int] = set()
        self._breaker = Breaker()
        self._woken = threading.Event()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"forward-{n}", daemon=True) for n in range(parallel)
        ]
        self.reason = ""
        """Why it rests; '' = fine."""

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self, timeout: float = 15.0) -> None:
        self._stopping = True
        self._woken.set()
        for thread in self._threads:
            thread.join(timeout)

    def wake(self) -> None:
        self._woken.set()

    def _run(self) -> None:
        while not self._stopping:
            try:
                batch = self._claim()
            except StoreError as error:
                log.warning("forward.spool_unavailable", error=str(error))
                batch = []
            if not batch:
                self._woken.wait(_LOOK_SECONDS)
                self._woken.clear()
                continue
            try:
                self._forward(batch)
            except StoreError as error:
                log.warning("forward.spool_unavailable", error=str(error))
            except Exception:  # a defect with one batch must not end the thread
                log.exception("forward.failed")
                self._heard(ErrorClass.PASSING, "本程序出错，见日志")
            finally:
                with self._guard:
                    self._in_hand -= {one.id for one in batch}

    def _claim(self) -> list[Instance]:
        """Instances for one association: not too many, nor of too many kinds."""
        with self._guard:
            if not self._breaker.slots(len(self._threads), now_ms(), _RULE) or (
                self._breaker.failures and self._in_hand
            ):
                return []
            found = images.due(self._spool, _BATCH, self._in_hand)
            kinds: set[tuple[str, str]] = set()
            batch = []
            for one in found:
                kinds.add((one.sop_class, one.syntax))
                if len(kinds) > _KINDS:
                    break
                batch.append(one)
            self._in_hand |= {one.id for one in batch}
            return batch

    def _forward(self, batch: Sequence[Instance]) -> None:
        outcomes: list[Forwarded] = []
        try:
            with StorageSender(self._node, [(one.sop_class, one.syntax) for one in batch]) as sender:
                for one in batch:
                    if self._stopping:
                        break
                    outcomes.append(self._store(sender, one))
                    if len(outcomes) >= _SETTLE:
                        images.settle(self._spool, outcomes)
                        outcomes.clear()
            self._heard(None, "")
        except _Broken as broken:
            outcomes.append(broken.outcome)
            self._heard(ErrorClass.PASSING, broken.reason)
        except ContextRefused as error:
            reason = error.words
            outcomes += [_refused(one, reason) for one in batch]
            self._heard(None, "")
        except NodeError as error:
            self._heard(ErrorClass.PASSING, error.words)
        images.settle(self._spool, outcomes)

    def _store(self, sender: StorageSender, one: Instance) -> Forwarded:
        """Raises _Broken when the association ended with this instance."""
        kind = (one.sop_class, one.syntax)
        if not sender.takes(kind):
            return _refused(one, f"网关不接受此类影像（{one.sop_class}，传输语法 {one.syntax}）")
        start, size = one.offset + one.dataset_offset, one.length - one.dataset_offset
        try:
            status, comment = sender.store(
                kind, one.sop_uid, size, self._landing.chunks(one.segment, start, size)
            )
        except (Aborted, BadAnswer, TimedOut) as error:
            raise _Broken(_again(one, error.words), error.words) from error
        except (OSError, EOFError) as error:
            reason = f"读不了本地暂存的影像：{error}"
            raise _Broken(_again(one, reason), reason) from error
        return _outcome(one, status, comment)

    def _heard(self, error_class: ErrorClass | None, reason: str) -> None:
        with self._guard:
            was_failing = self._breaker.failures > 0
            self._breaker = self._breaker.after(error_class, now_ms(), _RULE, random.random)
        if reason and not self.reason:
            log.warning("forward.gateway_failing", reason=reason)
        self.reason = reason
        if error_class is None and was_failing:
            log.info("forward.gateway_back")
            images.due_now(self._spool)


class _Broken(Exception):  # noqa: N818 an event
    def __init__(self, outcome: Forwarded, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


def _outcome(one: Instance, status: int, comment: str) -> Forwarded:
    """0000 and the warnings Bxxx: it has it. Cxxx, A9xx and some of PS3.7: it never will. The rest: later."""
    if status == 0 or status >> 12 == 0xB:
        return Forwarded(one.id, SENT)
    reason = f"网关答 {status:04X}" + (f"：{comment}" if comment else "")
    if status >> 12 == 0xC or status >> 8 == 0xA9 or status in _REFUSALS:
        return _refused(one, reason)
    return _again(one, reason)


def _refused(one: Instance, reason: str) -> Forwarded:
    return Forwarded(one.id, REFUSED, now_ms(), one.failures + 1, reason)


def _again(one: Instance, reason: str) -> Forwarded:
    failures = one.failures + 1
    delay = _AGAIN.delay(failures, random.random)
    return Forwarded(one.id, WAITING, now_ms() + int(1000 * delay), failures, reason)
