"""Whom we ask, and how long we wait."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A PACS as its engineers give it to us."""

    host: str
    port: int
    called_aet: str
    """Its AE title."""
    calling_aet: str
    """Ours, as it knows us."""
    charset: str = ""
    """Of query values outside ASCII: GB18030 (also when ''), GBK, ISO_IR 192, ISO 2022 IR 58."""
    tls_name: str = ""
    """Name its certificate must bear; '' = the host."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and sizes. A C-MOVE may be silent for minutes: its images go to another place meanwhile."""

    connect: float = 10.0
    """For the TCP connection, each address of the name."""
    association: float = 30.0
    """For the answer to an association request."""
    response: float = 600.0
    """Between two responses, or C-STORE sub-operations."""
    pdu: float = 60.0
    """For the next bytes of a message once begun."""
    write: float = 60.0
    """For the peer to take what we send."""
    release: float = 5.0
    """For the answer to a release; then the connection is just closed."""
    cancel: float = 60.0
    """From a C-CANCEL to the end of the operation; then the association is aborted."""
    operation: float = 12 * 3600.0
    """For one whole query or retrieval: a peer that says “pending” for ever ends here."""
    max_matches: int = 20_000
    """More answers to one query are a fault: the PACS ignores what was asked."""
    max_pdu: int = 256 * 1024
    """Offered to the peer."""
    async_window: int = 64
    """Sub-operations of a C-GET the peer may have outstanding, if it can; 0 = not offered."""
    max_classes: int = 64
    """Storage SOP classes proposed for one C-GET, over several associations where one does not do."""
