"""How far a C-MOVE or C-GET is, and whether its end is a good one (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from yingqiao.dicom.charset import arbitrate
from yingqiao.dicom.query_retrieve.association import PENDING, Message
from yingqiao.dicom.query_retrieve.errors import FailedStatus, NodeError
from yingqiao.dicom.query_retrieve.identifier import decode_answer
from yingqiao.dicom.upper_layer.dimse import RESPONSE_BIT, Command, CommandField, SubOperations

SUCCESS, CANCELLED, INCOMPLETE = 0x0000, 0xFE00, 0xB000


@dataclass(frozen=True, slots=True)
class Progress:
    """One response of a retrieval; counts are the peer's, None where it does not say."""

    status: int
    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    failed_uids: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        return self.status not in PENDING

    @property
    def total(self) -> int:
        """All sub-operations the peer counts."""
        return sum(n or 0 for n in (self.remaining, self.completed, self.failed, self.warning))


def progress_of(message: Message, transfer_syntax_uid: str) -> Progress:
    """What a C-MOVE or C-GET response says."""
    command, counts = message.command, message.command.counts
    failed: tuple[str, ...] = ()
    if message.dataset:
        failed = decode_answer(message.dataset, transfer_syntax_uid).values("FailedSOPInstanceUIDList")
    return Progress(
        command.status or 0, counts.remaining, counts.completed, counts.failed, counts.warning, failed
    )


def require_success(command: Command) -> None:
    """Raises FailedStatus."""
    if command.status != SUCCESS:
        raise failed_status(command, command.status or 0)


def require_retrieved(progress: Progress, command: Command, cancelled: bool) -> None:
    """Raises FailedStatus unless all is well: success, B000 for warnings alone, or we cancelled."""
    if progress.status == CANCELLED and cancelled:
        return
    if progress.status == SUCCESS or (progress.status == INCOMPLETE and progress.failed == 0):
        return
    raise failed_status(command, progress.status)


def failed_status(command: Command, status: int) -> FailedStatus:
    """Error comments have no declared character set; ours tells them apart."""
    comment = arbitrate({0: command.comment[:256]}).values[0].strip(" \0")
    counts = command.counts if command.counts != SubOperations() else None
    return FailedStatus(
        status, comment, counts, moving=command.field == CommandField.C_MOVE_RQ | RESPONSE_BIT
    )


class Tally:
    """The progress of a C-GET over its associations: what one cannot get another may, so failures count at the
    end only, and `completed` is how many instances are durable here.
    """

    def __init__(self) -> None:
        self.stored: set[str] = set()
        """SOP instance UIDs durable here."""
        self.is_over = False
        """Another association would bring nothing."""
        self._total = 0
        self._whole = self._cancelled = False
        self._ending: tuple[Progress, Command] | None = None

    @property
    def has_begun(self) -> bool:
        """Some association could do anything."""
        return self._ending is not None

    @property
    def missing(self) -> int:
        """Instances the peer counts and has not sent, or we could not keep."""
        return 0 if self._whole else max(0, self._total - len(self.stored))

    def under_way(self, progress: Progress) -> Progress:
        """After a response that is not the last of its association."""
        self._total = max(self._total, progress.total)
        remaining = self.missing if self._total else progress.remaining
        return Progress(progress.status, remaining, len(self.stored), progress.failed, progress.warning)

    def ended(self, progress: Progress, command: Command, *, refused: int, cancelled: bool) -> None:
        """After the last response of an association, of whose instances we refused so many."""
        self._total = max(self._total, progress.total)
        self._cancelled = cancelled
        self._whole = self._whole or (progress.status == SUCCESS and not refused)
        if self._ending is None or self._ending[0].status == SUCCESS:
            self._ending = progress, command
        fatal = progress.status != SUCCESS and not progress.total
        self.is_over = cancelled or fatal or refused > 0 or not self.missing

    def finish(self) -> tuple[Progress, NodeError | None]:
        """How it ended, and what there is to raise."""
        if self._ending is None:
            raise ValueError("nothing has ended")
        ending, command = self._ending
        final = Progress(ending.status, 0, len(self.stored), self.missing, ending.warning, ending.failed_uids)
        if self._cancelled:
            return replace(final, remaining=self.missing, failed=0), None
        if not self.missing and (self._total or ending.status == SUCCESS):
            return replace(final, status=SUCCESS, failed_uids=()), None
        final = replace(final, status=ending.status or INCOMPLETE)
        return final, failed_status(command, final.status)
