"""C-STORE as a modality does it, by pynetdicom: an implementation that shares nothing with the gateway's
own."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association

SUCCESS = 0x0000
ATTEMPTS = 4
_TIMEOUT_S = 10
_RESPONSE_S = 5
"""Shorter, because of a race in pynetdicom 3.0.4 (association.py, `_run_reactor` and `send_c_store`): the reactor
thread, preempted between `_reactor_checkpoint.wait()` and `_is_paused = False`, passes for paused; it goes on when
the response has come, takes it off the queue as if it were a request, and `send_c_store` waits for nothing. The
association is then given up and what was not answered is sent again, which the gateway takes as the same."""


class DicomUnreachableError(Exception):
    """No association with the node, or it ended early; the text is Chinese."""


@dataclass(frozen=True, slots=True)
class DicomNode:
    ae_title: str
    host: str
    port: int

    @staticmethod
    def parse(text: str) -> DicomNode:
        """`AET@HOST:PORT`. Raises ValueError."""
        ae_title, _, address = text.rpartition("@")
        host, _, port = address.rpartition(":")
        if not (ae_title and len(ae_title) <= 16 and host and port.isdigit()):
            raise ValueError(f"应写作 AET@HOST:PORT：{text}")
        return DicomNode(ae_title, host.strip("[]"), int(port))


def send_study(node: DicomNode, calling_aet: str, datasets: Sequence[Dataset]) -> list[int]:
    """Sends the datasets, each in the transfer syntax of its meta header, over one association if it lasts.

    When it breaks off, what was not answered is sent again over a new one, as modalities do; ATTEMPTS times.
    The DIMSE status of each, in order. Raises DicomUnreachableError.
    """
    statuses: list[int] = []
    for attempt in range(1, ATTEMPTS + 1):
        association = _associate(node, calling_aet, datasets)
        try:
            for dataset in datasets[len(statuses) :]:
                statuses.append(_send(association, dataset))  # noqa: PERF401 -- kept when a later one fails
        except DicomUnreachableError:
            if attempt == ATTEMPTS:
                raise
            association.abort()
        else:
            break
        finally:
            if association.is_established:
                association.release()
    return statuses


def _associate(node: DicomNode, calling_aet: str, datasets: Sequence[Dataset]) -> Association:
    ae = AE(ae_title=calling_aet)
    ae.acse_timeout = ae.network_timeout = _TIMEOUT_S
    ae.dimse_timeout = _RESPONSE_S
    for kind in dict.fromkeys(
        (str(one.SOPClassUID), str(one.file_meta.TransferSyntaxUID)) for one in datasets
    ):
        ae.add_requested_context(*kind)
    handlers = [(evt.EVT_CONN_OPEN, _without_nagle)]
    association = ae.associate(node.host, node.port, ae_title=node.ae_title, evt_handlers=handlers)
    if not association.is_established:
        raise DicomUnreachableError(f"无法与 {node.ae_title}@{node.host}:{node.port} 建立 DICOM 关联")
    return association


def _send(association: Association, dataset: Dataset) -> int:
    try:
        status = association.send_c_store(dataset)
    except (RuntimeError, ValueError) as error:
        raise DicomUnreachableError(f"影像未被接收：{error}") from error
    if "Status" not in status:
        raise DicomUnreachableError("DICOM 关联中断，未收到 C-STORE 应答")
    return int(status.Status)


def _without_nagle(event: evt.Event) -> None:
    """Nagle and delayed acknowledgements would cost 40 ms an instance."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
