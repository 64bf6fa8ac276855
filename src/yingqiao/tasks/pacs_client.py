"""A registered node as the requestor speaks to it; its failures as troubles in words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from yingqiao.dicom.query_retrieve.client import Requestor
from yingqiao.dicom.query_retrieve.errors import (
    Aborted,
    BadAnswer,
    ContextRefused,
    FailedStatus,
    NodeError,
    Rejected,
    TimedOut,
    TooManyMatches,
    Unreachable,
)
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.exchange import doctor
from yingqiao.exchange.doctor import Finding, Ours, Parties, Step, Trouble, status_words
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.store.pacs import PacsNode

DEFAULT_AET = "YINGQIAO"


@dataclass(frozen=True, slots=True)
class OurSide:
    """As whom we call, and where we listen."""

    ae_title: str
    port: int
    """0: no DICOM is received."""


def our_side_of(listen: str) -> OurSide:
    """Of `AET@HOST:PORT`, or of '' when no DICOM is received."""
    title, _, address = listen.partition("@")
    port = address.rpartition(":")[2]
    return OurSide(title or DEFAULT_AET, int(port) if port.isdecimal() else 0)


def requestor(
    node: PacsNode, our_side: OurSide, limits: Limits, check: Callable[[], None] = lambda: None
) -> Requestor:
    """Speaks to the node. Raises WorkError (ours) when our own TLS files cannot be read."""
    address = node.address
    asked = Node(
        host=address.host,
        port=address.port,
        called_aet=address.ae_title,
        calling_aet=node.calling_aet or our_side.ae_title,
        charset=node.charset,
    )
    return Requestor(asked, limits, _tls(node), check)


def _tls(node: PacsNode) -> ssl.SSLContext | None:
    options = node.options
    if not options.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=options.tls_ca or None)
        if options.tls_certificate:
            context.load_cert_chain(options.tls_certificate, options.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise WorkError(ErrorClass.OURS, f"本机的证书、私钥或 CA 文件读不了：{error}") from error
    if options.tls_any_name:
        context.check_hostname = False
    return context


def parties(node: PacsNode, our_side: OurSide) -> Parties:
    """Both ends, ours with the address the node sees."""
    seen_as = local_address(node.address.host, node.address.port)
    ours = Ours(node.calling_aet or our_side.ae_title, (seen_as,) if seen_as else (), our_side.port)
    return Parties(node.address, ours)


def local_address(host: str, port: int) -> str:
    """Our address on the way to `host`, '' when there is no way. Nothing is sent."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def finding_of(step: Step, error: NodeError, both: Parties, seconds: float = 0.0) -> Finding:
    """What a failure means, in the doctor's words."""
    trouble, detail = _trouble(step, error)
    return doctor.found(step, trouble, both, seconds, detail=detail)


def work_error(step: Step, error: NodeError, both: Parties) -> WorkError:
    """The failure for the ledger of work: whose turn it is, what is wrong, what to do."""
    finding = finding_of(step, error, both)
    return WorkError(error.error_class, f"{finding.words}。{finding.mend}")


_UNREACHABLE = {
    "name": Trouble.NAME_UNKNOWN,
    "refused": Trouble.REFUSED,
    "timeout": Trouble.FILTERED,
    "no-route": Trouble.NO_ROUTE,
}


def _trouble(step: Step, error: NodeError) -> tuple[Trouble, str]:
    if isinstance(error, Unreachable):
        if error.cause == "tls":
            return _tls_trouble(error)
        return _UNREACHABLE.get(error.cause, Trouble.BROKEN), error.words
    if isinstance(error, Rejected):
        return doctor.rejection(error.source, error.reason), error.words
    if isinstance(error, ContextRefused):
        return Trouble.NOT_OFFERED, error.words
    if isinstance(error, TimedOut):
        return Trouble.SILENT, error.words
    if isinstance(error, FailedStatus):
        return _status_trouble(step, error), status_words(error.status, error.comment)
    if isinstance(error, TooManyMatches):
        return Trouble.STATUS, error.words
    if isinstance(error, BadAnswer):
        return (Trouble.NOT_DICOM if step is Step.ASSOCIATION else Trouble.STATUS), error.words
    return (Trouble.ABORTED if isinstance(error, Aborted) else Trouble.STATUS), error.words


def _tls_trouble(error: Unreachable) -> tuple[Trouble, str]:
    cause = error.__cause__.__cause__ if error.__cause__ else None
    detail = str(getattr(cause, "reason", "") or cause or "")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Trouble.TLS_UNTRUSTED, cause.verify_message
    if "CERTIFICATE_REQUIRED" in detail or "HANDSHAKE_FAILURE" in detail:
        return Trouble.TLS_WANTS_CERTIFICATE, detail
    plain = ("WRONG_VERSION", "RECORD_LAYER", "EOF", "reset", "closed", "UNEXPECTED")
    if any(word in detail for word in plain):
        return Trouble.TLS_NOT_SPOKEN, detail
    return Trouble.TLS_FAILED, detail


def _status_trouble(step: Step, error: FailedStatus) -> Trouble:
    if step is Step.MOVE:
        counts = error.counts
        moved = doctor.Moved(
            error.status,
            (counts.completed or 0) if counts else 0,
            (counts.failed or 0) if counts else 0,
            (counts.warning or 0) if counts else 0,
            arrived=False,
        )
        return doctor.move_trouble(moved) or Trouble.STATUS
    return doctor.status_trouble(error.status) or Trouble.STATUS
