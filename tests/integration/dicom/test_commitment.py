"""N-ACTION and N-EVENT-REPORT on the wire (PS3.4 J.3, PS3.7 10.1): a requestor that does what real ones do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.integration.dicom.raw_sender import CT, EXPLICIT, RawSender, message
from yingqiao.dicom.commitment import scp
from yingqiao.dicom.commitment.datasets import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    EXPLICIT_LE,
    IMPLICIT_LE,
    write_request,
)
from yingqiao.dicom.upper_layer import dimse, pdu
from yingqiao.exchange.commitment import Asked, Reference, Unavailable, Verdict

CONTEXTS = [(CT, EXPLICIT), (COMMITMENT_PUSH_MODEL, EXPLICIT_LE)]
REFERENCES = [Reference(CT, f"1.2.3.{n}") for n in range(3)]
REQUEST = write_request("1.2.9", REFERENCES, EXPLICIT_LE)


@dataclass
class Book:
    """A ledger in memory that commits everything."""

    asked: list[Asked] = field(default_factory=list)
    told_numbers: list[int] = field(default_factory=list)
    elsewhere: list[int] = field(default_factory=list)
    is_away: bool = False
    indexed: threading.Event = field(default_factory=threading.Event)

    def keep(self, asked: Asked) -> int:
        if self.is_away:
            raise Unavailable
        self.asked.append(asked)
        return len(self.asked)

    def verdict(self, number: int) -> Verdict | None:
        return Verdict(self.asked[number - 1].references, ()) if self.indexed.is_set() else None

    def told(self, number: int, verdict: Verdict) -> None:
        assert verdict.event_type == 1
        self.told_numbers.append(number)

    def tell_elsewhere(self, numbers: list[int]) -> None:
        self.elsewhere += numbers


@pytest.fixture
def book() -> Book:
    made = Book()
    made.indexed.set()
    return made


def action(
    dataset: bytes | None = REQUEST,
    *,
    number: int = 5,
    instance: str = COMMITMENT_INSTANCE,
    sop_class: str = COMMITMENT_PUSH_MODEL,
    action_type: int = 1,
) -> bytes:
    return message(3, dimse.encode_action(number, sop_class, instance, action_type), dataset)


def ask(sender: RawSender, raw: bytes) -> int:
    sender.socket.sendall(raw)
    answer = sender.receive_command()
    assert (answer.field, answer.message_id) == (0x8130, 5)
    assert answer.status is not None
    return answer.status


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.02)


def hear(sender: RawSender) -> tuple[dimse.Command, bytes]:
    """The next N-EVENT-REPORT request and its dataset."""
    command = sender.receive_command()
    assert command.field == 0x0100
    data = b""
    while True:
        got = sender.receive()
        assert isinstance(got, pdu.PData)
        for value in got.values:
            data += value.data
            if value.is_last:
                return command, data


def confirm(sender: RawSender, command: dimse.Command, status: int = 0) -> None:
    sender.socket.sendall(message(3, dimse.encode_response(command, status)))


def test_kept_answered_told_and_confirmed(receiver, book):
    gateway = receiver(commitments=book)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, action()) == 0
        (asked,) = book.asked
        assert (asked.requester_aet, asked.called_aet, asked.peer) == ("RAW", "YINGQIAO", "127.0.0.1")
        assert asked.references == tuple(REFERENCES)
        command, data = hear(sender)
        assert (command.type_id, command.sop_instance_uid) == (1, COMMITMENT_INSTANCE)
        assert all(one.sop_instance_uid.encode() in data for one in REFERENCES)
        confirm(sender, command)
        eventually(lambda: book.told_numbers == [1])
        sender.release()
    assert book.elsewhere == []


def test_the_report_waits_for_the_index(receiver, book):
    book.indexed.clear()
    gateway = receiver(commitments=book)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, action()) == 0
        time.sleep(1.2)
        book.indexed.set()
        confirm(sender, hear(sender)[0])
        eventually(lambda: book.told_numbers == [1])


@pytest.mark.parametrize("how", ["released", "closed", "refused"])
def test_what_is_not_told_here_is_told_elsewhere(receiver, book, how):
    gateway = receiver(commitments=book)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, action()) == 0
        if how == "released":
            sender.release()
        elif how == "closed":
            sender.socket.close()
        else:
            confirm(sender, hear(sender)[0], 0x0110)
        eventually(lambda: book.elsewhere == [1])
    assert book.told_numbers == []


def test_images_and_requests_on_one_association(receiver, book):
    """An image after a request, and a report while images come: nothing is mixed up."""
    gateway = receiver(commitments=book)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, action()) == 0
        assert sender.store(b"\x08\x00\x05\x00CS\x00\x00", "1.2.3.0") == 0
        assert ask(sender, action()) == 0
        first, _ = hear(sender)
        confirm(sender, first)
        confirm(sender, hear(sender)[0])
        eventually(lambda: book.told_numbers == [1, 2])
        assert sender.store(b"\x08\x00\x05\x00CS\x00\x00", "1.2.3.1") == 0


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (action(instance="1.2.3"), 0x0112),
        (action(sop_class=CT), 0x0118),
        (action(action_type=2), 0x0123),
        (action(b"nonsense"), 0x0115),
        (action(REQUEST[:-3]), 0x0115),
        (action(write_request("1.2.9", [], EXPLICIT_LE)), 0x0115),
    ],
    ids=["instance", "class", "type", "nonsense", "cut", "empty"],
)
def test_what_is_refused_leaves_the_association_open(receiver, book, raw, status):
    """PS3.7 10.1.4.1.10."""
    gateway = receiver(commitments=book)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, raw) == status
        assert book.asked == []
        assert ask(sender, action()) == 0


def test_while_the_ledger_is_away_it_is_said(receiver, book):
    book.is_away = True
    gateway = receiver(commitments=book)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, action()) == 0x0110
        book.is_away = False
        assert ask(sender, action()) == 0


def test_a_request_that_is_too_large_is_not_kept_in_memory(receiver, book, monkeypatch):
    monkeypatch.setattr(scp, "MAX_BYTES", 100_000)
    gateway = receiver(commitments=book)
    many = write_request("1.2.9", [Reference(CT, f"1.2.3.{n}") for n in range(3000)], EXPLICIT_LE)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, action(many)) == 0x0213


def test_large_requests_take_turns(receiver, book, monkeypatch):
    """Memory: only so many large ones are held at a time, over all associations."""
    monkeypatch.setattr(scp, "_SMALL", 10_000)
    gateway = receiver(commitments=book)
    many = action(write_request("1.2.9", [Reference(CT, f"1.2.3.{n}") for n in range(3000)], EXPLICIT_LE))
    halves = [RawSender(gateway.port, CONTEXTS) for _ in range(2)]
    for sender in halves:
        sender.socket.sendall(many[: len(many) // 2])
    eventually(lambda: not scp._LARGE._value)
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert ask(sender, many) == 0x0213
        for half in halves:
            assert ask(half, many[len(many) // 2 :]) == 0
        assert ask(sender, many) == 0
    del halves


@pytest.mark.parametrize(
    ("syntax", "result"), [(IMPLICIT_LE, 0), (EXPLICIT_LE, 0), ("1.2.840.10008.1.2.2", 4)], ids=str
)
def test_only_little_endian_is_negotiated(receiver, book, syntax, result):
    gateway = receiver(commitments=book)
    with RawSender(gateway.port, [(COMMITMENT_PUSH_MODEL, syntax)]) as sender:
        assert isinstance(sender.answer, pdu.AssociateAccept)
        assert [context.result for context in sender.answer.contexts] == [result]


def test_without_a_ledger_the_service_is_not_offered(receiver):
    gateway = receiver()
    with RawSender(gateway.port, CONTEXTS) as sender:
        assert isinstance(sender.answer, pdu.AssociateAccept)
        assert [context.result for context in sender.answer.contexts] == [0, 3]
