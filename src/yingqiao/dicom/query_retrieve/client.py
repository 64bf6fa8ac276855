"""What a PACS is asked for: `with Requestor(node) as pacs: pacs.echo(); pacs.find(…); pacs.move(…)`.

Every failure is a `NodeError` whose `words` say in Chinese which side is wrong and what to check.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

from yingqiao.dicom.keeper import Store
from yingqiao.dicom.query_retrieve.association import PENDING, Association, Message, SinkFor
from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.errors import BadQuery, ContextRefused, TooManyMatches
from yingqiao.dicom.query_retrieve.identifier import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    Answer,
    Keys,
    decode_answer,
    encode_query,
    require_identifying,
)
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.query_retrieve.progress import (
    CANCELLED,
    Progress,
    Tally,
    progress_of,
    require_retrieved,
    require_success,
)
from yingqiao.dicom.query_retrieve.retrieval import Retrieval, plan
from yingqiao.dicom.query_retrieve.storage_contexts import COMMON_CLASSES
from yingqiao.dicom.upper_layer.dimse import CommandField
from yingqiao.dicom.upper_layer.items import ContextProposed, RoleSelection

VERIFICATION = "1.2.840.10008.1.1"


class Model(Enum):
    """Information models of PS3.4 C.6; the value is the root of its SOP class UIDs."""

    PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1"
    STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2"

    @property
    def find(self) -> str:
        return f"{self.value}.1"

    @property
    def move(self) -> str:
        return f"{self.value}.2"

    @property
    def get(self) -> str:
        return f"{self.value}.3"


_QUERY_SYNTAXES = (EXPLICIT_LE, IMPLICIT_LE)
_QUERY_SERVICES = (VERIFICATION, *(uid for model in Model for uid in (model.find, model.move, model.get)))
_UNIQUE_KEYS = {
    Level.PATIENT: ("PatientID",),
    Level.STUDY: ("StudyInstanceUID",),
    Level.SERIES: ("StudyInstanceUID", "SeriesInstanceUID"),
    Level.IMAGE: ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """What a node said of itself when it accepted the association."""

    address: str
    implementation_class_uid: str
    implementation_version: str
    max_pdu: int
    services: tuple[str, ...]
    """SOP classes it accepted."""

    def offers(self, sop_class_uid: str) -> bool:
        return sop_class_uid in self.services


class Requestor:
    """Associates when first needed, and anew when the peer ended it meanwhile. Used by one thread; `cancel`
    may come from another.
    """

    def __init__(
        self,
        node: Node,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` is called at least every half second while a peer is awaited; what it raises ends the wait,
        and the association is aborted.
        """
        self.node = node
        self.limits = limits or Limits()
        self._tls = tls
        self._check = check
        self._association: Association | None = None
        self._running: tuple[Association, int, str] | None = None
        self._beginning = threading.Lock()
        """Held while a request is sent: whoever cancels meanwhile cancels that."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the association, or abort it when an operation is under way."""
        association, self._association = self._association, None
        if association is None:
            return
        if self._running is not None:
            association.abort("given up")
        else:
            association.release()

    def associate(self) -> Peer:
        """Who is there, and what it offers. Raises NodeError."""
        association = self._query()
        answer = association.answer
        return Peer(
            association.address,
            answer.user.implementation_class_uid,
            answer.user.implementation_version,
            answer.user.max_length,
            tuple(dict.fromkeys(abstract for abstract, _ in association.contexts.values())),
        )

    def echo(self) -> float:
        """C-ECHO; the seconds it took. Raises NodeError."""
        association = self._query()
        began = time.monotonic()
        for message in self._run(association, CommandField.C_ECHO_RQ, VERIFICATION):
            require_success(message.command)
        return time.monotonic() - began

    def find(
        self,
        level: Level,
        keys: Keys,
        *,
        model: Model = Model.STUDY_ROOT,
        wildcards: bool = False,
        limit: int | None = None,
    ) -> Iterator[Answer]:
        """C-FIND: the matches as they come. `keys` by keyword: values, '' for what is to be returned.

        A value is taken literally: `*`, `?` and a backslash are refused unless `wildcards`. Raises BadQuery at
        once; NodeError while iterating: TooManyMatches beyond `limit`, FailedStatus at the end.
        """
        require_identifying(keys)
        encode_query(level, keys, self.node.charset, EXPLICIT_LE, wildcards=wildcards)
        return self._find(level, keys, model.find, wildcards, limit or self.limits.max_matches)

    def move(
        self, destination_aet: str, level: Level, keys: Keys, *, model: Model = Model.STUDY_ROOT
    ) -> Iterator[Progress]:
        """C-MOVE to the AE title the node knows the destination by. Every response, the last one too; then
        raises FailedStatus when it was no success (B000 without failures is one). Raises BadQuery at once.
        """
        if not 0 < len(destination_aet) <= 16:
            raise BadQuery("调取目的地的 AE 标题为空，或超过 16 个字符")
        _require_unique(level, keys)
        encode_query(level, keys, self.node.charset, EXPLICIT_LE)
        return self._move(destination_aet, level, keys, model.move)

    def get(
        self,
        level: Level,
        keys: Keys,
        store: Store,
        *,
        sop_classes: Iterable[str] = (),
        model: Model = Model.STUDY_ROOT,
    ) -> Iterator[Progress]:
        """C-GET into `store`, each instance durable before it is answered. `completed` is what is durable here.

        `sop_classes` the study holds; without them the most frequent ones are proposed. Classes that need more
        contexts than an association has are fetched over several, one after the other, and what is missing
        once more on contexts for compressed images alone; one final progress says how the whole ended, then
        raises FailedStatus when something is missing. Raises BadQuery at once.
        """
        _require_unique(level, keys)
        encode_query(level, keys, self.node.charset, EXPLICIT_LE)
        classes = (tuple(sop_classes) or COMMON_CLASSES)[: self.limits.max_classes]
        return self._get(level, keys, model.get, store, classes)

    def cancel(self) -> None:
        """Ask the peer to end the operation under way; its iterator then ends without an error. Raises
        NodeError.
        """
        with self._beginning:
            running = self._running
        if running is not None:
            association, message_id, abstract_syntax = running
            association.cancel(message_id, abstract_syntax)

    def _query(self) -> Association:
        if self._association is not None and self._association.is_usable:
            return self._association
        if self._association is not None:
            self._association.abort("unusable")
            self._association = None
        contexts = [
            ContextProposed(2 * number + 1, service, _QUERY_SYNTAXES)
            for number, service in enumerate(_QUERY_SERVICES)
        ]
        self._association = Association(self.node, self.limits, self._tls, contexts, check=self._check)
        return self._association

    def _find(
        self, level: Level, keys: Keys, abstract_syntax: str, wildcards: bool, limit: int
    ) -> Iterator[Answer]:
        association = self._query()
        _, syntax = association.context_of(abstract_syntax)
        query = encode_query(level, keys, self.node.charset, syntax, wildcards=wildcards)
        found = 0
        with closing(self._run(association, CommandField.C_FIND_RQ, abstract_syntax, query)) as messages:
            for message in messages:
                if message.command.status in PENDING:
                    found += 1
                    if found > limit:
                        raise TooManyMatches(limit)
                    yield decode_answer(message.dataset, syntax)
                elif not (message.command.status == CANCELLED and association.is_cancelled):
                    require_success(message.command)

    def _move(self, destination: str, level: Level, keys: Keys, abstract_syntax: str) -> Iterator[Progress]:
        association = self._query()
        _, syntax = association.context_of(abstract_syntax)
        query = encode_query(level, keys, self.node.charset, syntax)
        running = self._run(association, CommandField.C_MOVE_RQ, abstract_syntax, query, destination)
        with closing(running) as messages:
            for message in messages:
                progress = progress_of(message, syntax)
                yield progress
                if progress.is_final:
                    require_retrieved(progress, message.command, association.is_cancelled)

    def _get(
        self, level: Level, keys: Keys, abstract_syntax: str, store: Store, classes: Sequence[str]
    ) -> Iterator[Progress]:
        self.close()  # not two associations at a time for one retrieval
        tally = Tally()
        refused: dict[str, int] = {}
        for contexts, roles in plan(abstract_syntax, classes, tally):
            with self._opened(contexts, roles) as association:
                association.context_of(abstract_syntax)
                if len(association.contexts) < 2:
                    refused |= association.refusals()
                    continue
                with closing(
                    self._get_once(association, level, keys, abstract_syntax, store, tally)
                ) as steps:
                    yield from steps
        if refused and not tally.has_begun:
            raise ContextRefused(refused)
        final, error = tally.finish()
        yield final
        if error is not None:
            raise error

    def _get_once(
        self,
        association: Association,
        level: Level,
        keys: Keys,
        abstract_syntax: str,
        store: Store,
        tally: Tally,
    ) -> Generator[Progress, None, None]:
        _, syntax = association.context_of(abstract_syntax)
        query = encode_query(level, keys, self.node.charset, syntax)
        retrieval = Retrieval(association, self.node, self.limits, store, tally.stored)
        running = self._run(
            association, CommandField.C_GET_RQ, abstract_syntax, query, sink_for=retrieval.sink_for
        )
        with closing(retrieval), closing(running) as messages:
            for message in retrieval.responses(messages):
                progress = progress_of(message, syntax)
                if progress.is_final:
                    cancelled = association.is_cancelled
                    tally.ended(progress, message.command, refused=retrieval.refused, cancelled=cancelled)
                else:
                    yield tally.under_way(progress)

    @contextmanager
    def _opened(
        self, contexts: Sequence[ContextProposed], roles: Sequence[RoleSelection]
    ) -> Iterator[Association]:
        window = (1, self.limits.async_window) if self.limits.async_window else None
        association = Association(self.node, self.limits, self._tls, contexts, roles, window, self._check)
        try:
            yield association
        except (
            BaseException
        ):  # an interrupt or a consumer that left early too: nobody reads what the peer sends next
            association.abort("given up")
            raise
        association.release()

    def _run(
        self,
        association: Association,
        field: CommandField,
        abstract_syntax: str,
        dataset: bytes | None = None,
        destination: str = "",
        sink_for: SinkFor | None = None,
    ) -> Generator[Message, None, None]:
        with self._beginning:
            message_id = association.begin(field, abstract_syntax, dataset, destination)
            self._running = association, message_id, abstract_syntax
        try:
            yield from association.messages(message_id, abstract_syntax, sink_for)
        finally:
            self._running = None


def _require_unique(level: Level, keys: Keys) -> None:
    for keyword in _UNIQUE_KEYS[level]:
        if not keys.get(keyword):
            raise BadQuery(f"{level.value} 级调取缺少 {keyword}：没有它 PACS 会发来别的检查")
