"""What the storage SCP answers to an association request (PS3.8 7.1, PS3.7 annex D)."""

from __future__ import annotations

from yingqiao.dicom.commitment.datasets import COMMITMENT_PUSH_MODEL
from yingqiao.dicom.commitment.datasets import SYNTAXES as COMMITMENT_SYNTAXES
from yingqiao.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from yingqiao.dicom.upper_layer.items import (
    APPLICATION_CONTEXT,
    ContextProposed,
    ContextResult,
    RoleSelection,
    UserInformation,
)
from yingqiao.dicom.upper_layer.pdu import AssociateAccept, AssociateReject, AssociateRequest

VERIFICATION = "1.2.840.10008.1.1"
LOCAL_LIMIT = AssociateReject(result=2, source=3, reason=2)
CALLING_NOT_RECOGNIZED = AssociateReject(result=1, source=1, reason=3)
CALLED_NOT_RECOGNIZED = AssociateReject(result=1, source=1, reason=7)
APPLICATION_CONTEXT_NOT_SUPPORTED = AssociateReject(result=1, source=1, reason=2)
PROTOCOL_NOT_SUPPORTED = AssociateReject(result=1, source=2, reason=2)

_ACCEPTED, _ABSTRACT_NOT_SUPPORTED, _TRANSFER_NOT_SUPPORTED = 0, 3, 4
# Services of PS3.4 that are no storage. What is in no list is taken for storage: a vendor's private SOP
# class is.
_NOT_STORAGE = (
    "1.2.840.10008.1.3.10",  # media storage directory
    "1.2.840.10008.1.9",  # basic study content notification
    "1.2.840.10008.1.20.",  # storage commitment
    "1.2.840.10008.1.40",  # procedural event logging
    "1.2.840.10008.1.42",  # substance administration logging
    "1.2.840.10008.3.1.2.",  # study, patient and visit management, MPPS
    "1.2.840.10008.5.1.1.",  # print
    "1.2.840.10008.5.1.4.1.2.",  # query and retrieve
    "1.2.840.10008.5.1.4.31",  # modality worklist
    "1.2.840.10008.5.1.4.32",  # general purpose worklist
    "1.2.840.10008.5.1.4.33",  # instance availability
    "1.2.840.10008.5.1.4.34.6",  # unified procedure step
    "1.2.840.10008.5.1.4.37.",  # relevant patient information
    "1.2.840.10008.5.1.4.38.2",  # hanging protocol query
    "1.2.840.10008.5.1.4.38.3",
    "1.2.840.10008.5.1.4.38.4",
    "1.2.840.10008.5.1.4.39.2",  # colour palette query
    "1.2.840.10008.5.1.4.39.3",
    "1.2.840.10008.5.1.4.39.4",
    "1.2.840.10008.5.1.4.41",  # product characteristics query
    "1.2.840.10008.5.1.4.42",  # substance approval query
    "1.2.840.10008.5.1.4.43.2",  # implant templates query
    "1.2.840.10008.5.1.4.44.2",
    "1.2.840.10008.5.1.4.45.2",
)

_RETIRED_STORAGE = {"1.2.840.10008.5.1.1.27", "1.2.840.10008.5.1.1.29", "1.2.840.10008.5.1.1.30"}


def is_storage(sop_class_uid: str) -> bool:
    """Whether instances of this class may be stored: every class but those known to be another service."""
    if sop_class_uid in _RETIRED_STORAGE:
        return True
    return sop_class_uid != VERIFICATION and not sop_class_uid.startswith(_NOT_STORAGE)


def accept(
    request: AssociateRequest, max_pdu: int, window_limit: int, *, commits: bool = False
) -> AssociateAccept:
    """The accepting answer: every storage class, private ones too, with the first transfer syntax proposed;
    storage commitment when the SCP `commits`; roles as asked.
    """
    asked = request.user
    return AssociateAccept(
        called_aet=request.called_aet,
        calling_aet=request.calling_aet,
        contexts=tuple(_judge(context, commits=commits) for context in request.contexts),
        user=UserInformation(
            max_length=max_pdu,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION,
            async_window=_window(asked.async_window, window_limit),
            roles=tuple(RoleSelection(r.sop_class_uid, r.scu, scp=False) for r in asked.roles),
            identity_response=b"" if asked.identity and asked.identity.wants_response else None,
        ),
    )


def refuse(request: AssociateRequest) -> AssociateReject | None:
    """What PS3.8 obliges to refuse, or None."""
    if not request.protocol_version & 1:
        return PROTOCOL_NOT_SUPPORTED
    return None if request.application_context == APPLICATION_CONTEXT else APPLICATION_CONTEXT_NOT_SUPPORTED


def _judge(context: ContextProposed, *, commits: bool) -> ContextResult:
    if commits and context.abstract_syntax == COMMITMENT_PUSH_MODEL:
        return _judge_commitment(context)
    if not (context.abstract_syntax == VERIFICATION or is_storage(context.abstract_syntax)):
        return ContextResult(context.id, _ABSTRACT_NOT_SUPPORTED, "1.2.840.10008.1.2")
    usable = [uid for uid in context.transfer_syntaxes if 0 < len(uid) <= 64]
    if not usable:
        return ContextResult(context.id, _TRANSFER_NOT_SUPPORTED, "1.2.840.10008.1.2")
    return ContextResult(context.id, _ACCEPTED, usable[0])


def _judge_commitment(context: ContextProposed) -> ContextResult:
    """Its datasets are ours to read: little endian, uncompressed."""
    usable = [uid for uid in context.transfer_syntaxes if uid in COMMITMENT_SYNTAXES]
    if not usable:
        return ContextResult(context.id, _TRANSFER_NOT_SUPPORTED, "1.2.840.10008.1.2")
    return ContextResult(context.id, _ACCEPTED, usable[0])


def _window(asked: tuple[int, int] | None, limit: int) -> tuple[int, int] | None:
    """Operations the peer may have outstanding; we never invoke any."""
    if asked is None:
        return None
    return (min(asked[0], limit) if asked[0] else limit, 1)
