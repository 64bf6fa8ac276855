"""C-STORE as a sender: instances as they lie, byte for byte, over one association (PS3.4 annex B)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from yingqiao.dicom.query_retrieve.association import Association
from yingqiao.dicom.query_retrieve.errors import ContextRefused
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.upper_layer.dimse import CommandField, encode_request
from yingqiao.dicom.upper_layer.items import MAX_CONTEXTS, ContextProposed
from yingqiao.dicom.upper_layer.pdu import PData, Pdv, encode, encode_message

LIMITS = Limits(response=300.0, operation=3600.0)
Kind = tuple[str, str]
"""SOP class UID, transfer syntax UID."""
_MOST_FRAGMENT = 256 * 1024
_LEAST_PDU = 4096


class StorageSender:
    """Associates at once, for these kinds of instances; `store` them one by one. Used by one thread."""

    def __init__(
        self,
        node: Node,
        kinds: Iterable[Kind],
        limits: Limits = LIMITS,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """A presentation context for each kind, so that nothing is recoded; at most 128 kinds. Raises NodeError;
        ValueError for more kinds. `check` is called at least every half second of waiting, and may raise.
        """
        wanted = tuple(dict.fromkeys(kinds))
        if len(wanted) > MAX_CONTEXTS:
            raise ValueError(f"{len(wanted)} kinds of instances, an association has {MAX_CONTEXTS} contexts")
        contexts = [
            ContextProposed(2 * n + 1, sop_class, (syntax,)) for n, (sop_class, syntax) in enumerate(wanted)
        ]
        self._association = Association(node, limits, None, contexts, check=check)
        self._contexts = {kind: id_ for id_, kind in self._association.contexts.items()}
        self._ids = itertools.cycle(range(1, 0xFFFF))
        longest = self._association.answer.user.max_length
        self._fragment = min(max(longest, _LEAST_PDU) - 6, _MOST_FRAGMENT) if longest else _MOST_FRAGMENT

    def takes(self, kind: Kind) -> bool:
        """Whether the peer accepted instances of this kind."""
        return kind in self._contexts

    def store(self, kind: Kind, sop_instance_uid: str, size: int, chunks: Iterable[bytes]) -> tuple[int, str]:
        """Status and error comment of the answer. `chunks` are the dataset's `size` bytes (no preamble, no group
        0002). Raises ContextRefused when the peer did not accept the kind, NodeError, and what `chunks` raises:
        the association is over then.
        """
        if kind not in self._contexts:
            raise ContextRefused({kind[0]: self._association.refusals().get(kind[0], 4)})
        context_id, message_id = self._contexts[kind], next(self._ids)
        command = encode_request(
            CommandField.C_STORE_RQ, message_id, kind[0], sop_instance_uid, has_dataset=True
        )
        try:
            self._association.stream(self._message(context_id, command, size, chunks))
        except BaseException:
            self._association.abort("an instance broke off")
            raise
        status, comment = 0, b""
        for message in self._association.messages(message_id, kind[0]):
            status, comment = message.command.status or 0, message.command.comment
        return status, comment.decode("ascii", "replace").strip()

    def _message(
        self, context_id: int, command: bytes, size: int, chunks: Iterable[bytes]
    ) -> Iterator[bytes]:
        """The message in pieces for the wire: command, then fragments none longer than the peer takes."""
        head = encode_message(context_id, command)
        left = size
        for fragment in _fragments(chunks, self._fragment):
            left -= len(fragment)
            yield head + encode(PData((Pdv(context_id, False, left <= 0, fragment),)))
            head = b""
        if left:
            raise EOFError(f"the instance has {size - left} bytes, not {size}")

    def close(self) -> None:
        """Release; abort when that is not possible."""
        self._association.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fragments(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        rest = rest + chunk if rest else chunk
        whole = len(rest) - len(rest) % size
        for start in range(0, whole, size):
            yield rest[start : start + size]
        rest = rest[whole:]
    if rest:
        yield rest
