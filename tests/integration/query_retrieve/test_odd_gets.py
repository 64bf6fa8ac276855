"""C-GET from peers that break off, send the wrong thing, or send several at once (PS3.4 C.4.3)."""

from __future__ import annotations

import time
from dataclasses import replace

import pydicom
import pytest
from pynetdicom import evt

from tests.helpers.odd_pacs import Line, pynetdicom_pacs, scripted
from tests.integration.dicom.conftest import Receiver, receiver  # noqa: F401 a fixture
from tests.integration.query_retrieve.test_odd_peers import PATIENT, STUDY, node
from tests.integration.query_retrieve.test_pacs import FILES, store_of
from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Requestor
from yingqiao.dicom.query_retrieve.errors import Aborted, ContextRefused, FailedStatus, NodeError
from yingqiao.dicom.upper_layer import dimse, items, pdu

CT = "1.2.840.10008.5.1.4.1.1.2"
DATASET = (
    b"\x08\0\x16\0UI\x1a\0" + CT.encode() + b"\0" + b"\x20\0\x0d\0UI\4\x001.2\0" + b"\x10\0\x10\0PN\2\0A^"
)


@pytest.fixture
def gateway(receiver) -> Receiver:  # noqa: F811
    return receiver()


def get(gateway, port, limits=PATIENT, **options):
    """The progress of a C-GET of one CT study, as a list."""
    with Requestor(node(port), limits) as pacs:
        return list(pacs.get(Level.STUDY, STUDY, store_of(gateway), sop_classes=[CT], **options))


def say_store(line: Line, context: int, number: int, dataset: bytes = DATASET) -> None:
    field = dimse.CommandField.C_STORE_RQ
    line.say_message(context, dimse.encode_request(field, number, CT, f"1.2.{number}", True), dataset)


def context_of(request: pdu.AssociateRequest, syntax: str = "1.2.840.10008.1.2.1") -> int:
    return next(
        c.id for c in request.contexts if c.abstract_syntax == CT and c.transfer_syntaxes == (syntax,)
    )


def test_pynetdicom_as_the_pacs(gateway):
    """Another implementation of the protocol; every instance is ours byte for byte."""
    dataset = pydicom.dcmread(FILES / "CT_small.dcm")

    def handle(_event):
        yield 3
        for number in range(3):
            dataset.SOPInstanceUID = f"1.2.3.{number}"
            yield 0xFF00, dataset

    with pynetdicom_pacs([(evt.EVT_C_GET, handle)]) as port:
        steps = get(gateway, port)
    assert (steps[-1].status, steps[-1].completed) == (0, 3)
    kept = gateway.datasets()
    assert set(kept) == {"1.2.3.0", "1.2.3.1", "1.2.3.2"}
    assert all(dataset.PixelData in raw for raw in kept.values())


def test_a_peer_that_aborts_half_way(gateway):
    """What arrived whole is kept; the rest is for the next try."""

    def serve(line):
        context = context_of(line.accept())
        line.hear_request()
        say_store(line, context, 1)
        line.hear_request()
        line.say(pdu.Abort(0, 0))

    with scripted(serve) as port, pytest.raises(Aborted):
        get(gateway, port)
    assert set(gateway.datasets()) == {"1.2.1"}


def test_a_peer_that_dies_within_an_instance(gateway):
    def serve(line):
        context = context_of(line.accept())
        line.hear_request()
        say_store(line, context, 1)
        line.hear_request()
        field = dimse.CommandField.C_STORE_RQ
        line.say_message(context, dimse.encode_request(field, 2, CT, "1.2.2", True))
        line.say(pdu.PData((pdu.Pdv(context, False, False, DATASET),)))

    with scripted(serve) as port, pytest.raises(Aborted, match="中断"):
        get(gateway, port)
    assert set(gateway.datasets()) == {"1.2.1"}


def test_a_window_of_operations(gateway):
    """PS3.7 D.3.3.3: several sub-operations outstanding share a flush; each is answered."""
    user = items.UserInformation(max_length=16384, async_window=(1, 8))
    answered = []

    def serve(line):
        context = context_of(line.accept(user))
        get_context, request, _ = line.hear_request()
        for number in range(1, 9):
            say_store(line, context, number)
        for _ in range(8):
            _, answer, _ = line.hear_request()
            answered.append((answer.message_id, answer.status))
        line.respond(get_context, request, 0, n1021=8)
        line.hear()
        line.say(pdu.ReleaseResponse())

    with scripted(serve) as port:
        assert get(gateway, port)[-1].completed == 8
    assert sorted(answered) == [(n, 0) for n in range(1, 9)]
    assert len(gateway.datasets()) == 8


def test_what_is_no_instance_is_refused(gateway):
    """No dataset, an empty one, a class that is no storage, another operation: told, not kept."""
    answered = []

    def serve(line):
        context = context_of(line.accept())
        get_context, request, _ = line.hear_request()
        field = dimse.CommandField
        for number, (command, dataset) in enumerate(
            (
                (dimse.encode_request(field.C_STORE_RQ, 1, CT, "1.2.1", False), b""),
                (dimse.encode_request(field.C_STORE_RQ, 2, CT, "1.2.2", True), b"\x08\0"),
                (dimse.encode_request(field.C_STORE_RQ, 3, "1.2.840.10008.1.1", "1.2.3", True), DATASET),
                (dimse.encode_request(field.C_STORE_RQ, 4, CT, "", True), DATASET),
                (dimse.encode_request(field.C_FIND_RQ, 5, CT, "", True), DATASET),
            ),
            1,
        ):
            line.say_message(context, command, dataset)
            _, answer, _ = line.hear_request()
            assert answer.message_id == number
            answered.append(answer.status)
        line.respond(get_context, request, 0xB000, n1021=0, n1022=5)
        line.hear()
        line.say(pdu.ReleaseResponse())

    with scripted(serve) as port, pytest.raises(FailedStatus) as raised:
        get(gateway, port)
    assert answered == [0xC000, 0xC000, 0x0122, 0x0117, 0x0211]
    assert raised.value.counts.failed == 5
    assert gateway.datasets() == {}


def test_a_peer_that_has_no_class_of_ours(gateway):
    def serve(line):
        request = line.hear()
        results = tuple(
            items.ContextResult(c.id, 0 if c.id == 1 else 3, c.transfer_syntaxes[0]) for c in request.contexts
        )
        line.say(pdu.AssociateAccept("A", "B", results))
        line.hear()
        line.say(pdu.ReleaseResponse())

    with scripted(serve) as port, pytest.raises(ContextRefused) as raised:
        get(gateway, port)
    assert raised.value.results == {CT: 3}


def test_a_peer_without_c_get(gateway):
    def serve(line):
        request = line.hear()
        results = tuple(
            items.ContextResult(c.id, 3 if c.id == 1 else 0, c.transfer_syntaxes[0]) for c in request.contexts
        )
        line.say(pdu.AssociateAccept("A", "B", results))
        line.hear()

    with scripted(serve) as port, pytest.raises(ContextRefused, match="C-GET"):
        get(gateway, port)


def test_cancel_lets_what_is_under_way_arrive(gateway):
    def serve(line):
        context = context_of(line.accept())
        get_context, request, _ = line.hear_request()
        say_store(line, context, 1)
        line.hear_request()
        line.respond(get_context, request, 0xFF00, n1020=5, n1021=1)
        _, cancel, _ = line.hear_request()
        assert cancel.field == dimse.CommandField.C_CANCEL_RQ
        say_store(line, context, 2)
        line.hear_request()
        line.respond(get_context, request, 0xFE00, n1020=4, n1021=2)
        line.hear()
        line.say(pdu.ReleaseResponse())

    with scripted(serve) as port, Requestor(node(port), PATIENT) as pacs:
        steps = pacs.get(Level.STUDY, STUDY, store_of(gateway), sop_classes=[CT])
        assert next(steps).completed == 1
        pacs.cancel()
        (last,) = steps
    assert (last.status, last.completed) == (0xFE00, 2)
    assert len(gateway.datasets()) == 2


def test_a_consumer_that_stops_early_ends_the_association(gateway):
    ended = []

    def serve(line):
        line.accept()
        get_context, request, _ = line.hear_request()
        line.respond(get_context, request, 0xFF00, n1020=5)
        ended.append(line.hear())

    with scripted(serve) as port, Requestor(node(port), PATIENT) as pacs:
        for _ in pacs.get(Level.STUDY, STUDY, store_of(gateway), sop_classes=[CT]):
            break
        time.sleep(0.2)
    assert ended == [pdu.Abort(2, 0)]


def test_a_slow_peer_is_waited_for_between_instances(gateway):
    """Silence between sub-operations counts as between responses, not as a stalled message. The instance itself is
    said in one piece: half of it for half a second, on a busy machine, would be such a message.
    """
    field = dimse.CommandField.C_STORE_RQ
    command = dimse.encode_request(field, 1, CT, "1.2.1", True)

    def serve(line):
        context = context_of(line.accept())
        get_context, request, _ = line.hear_request()
        time.sleep(1.2)
        data = pdu.encode(pdu.PData((pdu.Pdv(context, False, True, DATASET),)))
        line.socket.sendall(pdu.encode_message(context, command) + data)
        line.hear_request()
        line.respond(get_context, request, 0, n1021=1)
        line.hear()
        line.say(pdu.ReleaseResponse())

    with scripted(serve) as port:
        steps = get(gateway, port, replace(PATIENT, pdu=0.5))
    assert steps[-1].completed == 1


@pytest.mark.parametrize("at", range(0, 900, 37))
def test_a_stream_cut_anywhere_is_a_typed_error(gateway, at):
    """Whatever the peer sent until then: an error of ours, the landing area whole, no thread left behind."""

    def serve(line):
        request = line.accept()
        context = context_of(request)
        _get_context, _asked, _ = line.hear_request()
        stream = bytearray()
        for number in (1, 2):
            command = dimse.encode_request(dimse.CommandField.C_STORE_RQ, number, CT, f"1.2.{number}", True)
            stream += pdu.encode_message(context, command)
            stream += pdu.encode(pdu.PData((pdu.Pdv(context, False, True, DATASET),)))
        line.socket.sendall(stream[:at])

    with scripted(serve) as port, pytest.raises(NodeError):
        get(gateway, port)
    assert all(raw == DATASET for raw in gateway.datasets().values())
