"""The result of a storage commitment request, on a new association to who asked (PS3.4 J.3.3).

We call, and yet are the provider: the role selection says so (SCP without SCU). A peer that ignores role
selection and accepts the service is told all the same.
"""

from __future__ import annotations

from collections.abc import Callable

from yingqiao.dicom.commitment.datasets import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    EXPLICIT_LE,
    IMPLICIT_LE,
    write_report,
)
from yingqiao.dicom.query_retrieve.association import Association
from yingqiao.dicom.query_retrieve.errors import FailedStatus
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.upper_layer.dimse import encode_event_report
from yingqiao.dicom.upper_layer.items import ContextProposed, RoleSelection
from yingqiao.exchange.commitment import Verdict

LIMITS = Limits(connect=10.0, association=30.0, response=60.0, write=60.0, operation=300.0)
_CONTEXTS = (ContextProposed(1, COMMITMENT_PUSH_MODEL, (EXPLICIT_LE, IMPLICIT_LE)),)
_ROLES = (RoleSelection(COMMITMENT_PUSH_MODEL, scu=False, scp=True),)
_MESSAGE_ID = 1


def report(
    node: Node,
    transaction_uid: str,
    verdict: Verdict,
    limits: Limits = LIMITS,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Tell `node` the verdict; returns when it has answered 0000. Raises NodeError; what `check` raises."""
    association = Association(node, limits, None, _CONTEXTS, _ROLES, check=check)
    try:
        context_id, syntax = association.context_of(COMMITMENT_PUSH_MODEL)
        command = encode_event_report(
            _MESSAGE_ID, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE, verdict.event_type
        )
        association.ask(context_id, command, write_report(transaction_uid, verdict, syntax))
        for message in association.messages(_MESSAGE_ID, COMMITMENT_PUSH_MODEL):
            if message.command.status:
                raise FailedStatus(message.command.status, message.command.comment.decode("ascii", "replace"))
    finally:
        association.release()
