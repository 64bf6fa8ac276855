"""How far a C-MOVE or C-GET is, and whether its end is a good one (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from yingqiao.dicom.charset import arbitrate
from yingqiao.dicom.query_retrieve.association import PENDING, Message
from yingqiao.dicom.query_retrieve.errors import FailedStatus
from yingqiao.dicom.query_retrieve.identifier import decode_answer
from yingqiao.dicom.upper_layer.dimse import RESPONSE_BIT, Command, CommandField, SubOperations

SUCCESS, CANCELLED, INCOMPLETE, NONE_SENT = 0x0000, 0xFE00, 0xB000, 0xA702
_PENDING = 0xFF00


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
    """The progress of a C-GET made over several associations, each with other classes: what one cannot get
    another will, so failures count at the end only.
    """

    def __init__(self, associations: int) -> None:
        self._left = associations
        self._alone = associations == 1
        self._total = self._completed = self._warning = 0
        self._status = SUCCESS

    def add(self, progress: Progress) -> Progress:
        """The whole's progress after this response of the association under way."""
        if self._alone:
            return progress
        self._total = max(self._total, progress.total)
        completed = self._completed + (progress.completed or 0)
        warning = self._warning + (progress.warning or 0)
        missing = max(0, self._total - completed - warning)
        so_far = Progress(_PENDING, missing, completed, 0, warning)
        if not progress.is_final:
            return so_far
        if progress.status not in (SUCCESS, INCOMPLETE, NONE_SENT):
            return replace(so_far, status=progress.status)
        self._left -= 1
        self._completed, self._warning = completed, warning
        self._status = self._status or progress.status
        if self._left:
            return so_far
        status = (self._status or INCOMPLETE) if missing else SUCCESS
        return replace(so_far, status=status, remaining=0, failed=missing)
