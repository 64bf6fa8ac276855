"""The requestor as a conversation: what it hears, what it does (PS3.8 9.2, tables 9-1 to 9-10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dicom.asking import EXPLICIT, FIND, IMPLICIT, REQUEST, Asking, accepted, response
from tests.unit.dicom.conversation import fragments
from yingqiao.dicom.upper_layer import dimse, items, pdu
from yingqiao.dicom.upper_layer.machine import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    CloseTransport,
    CommandArrived,
    DatasetArrived,
    Released,
    StartArtim,
    State,
)


def kinds(actions):
    return [type(a) for a in actions]


@pytest.fixture
def established():
    talk = Asking()
    talk.hears(accepted())
    return talk


def test_the_request_is_sent_and_the_answer_opens_its_contexts():
    """AE-2, AE-3: Sta5 → Sta6."""
    talk = Asking()
    assert talk.said == [REQUEST]
    assert kinds(talk.hears(accepted(max_length=4096))) == [AssociationAccepted]
    assert talk.machine.state is State.ESTABLISHED
    assert talk.machine.contexts == {1: (FIND, EXPLICIT)}
    assert talk.machine.peer_max_pdu == 4096


def test_a_rejection_closes():
    """AE-4: Sta5 → Sta1."""
    talk = Asking()
    actions = talk.hears(pdu.encode(pdu.AssociateReject(1, 1, 7)))
    assert actions == [AssociationRejected(pdu.AssociateReject(1, 1, 7)), CloseTransport()]
    assert talk.machine.state is State.IDLE


@pytest.mark.parametrize(
    "result",
    [items.ContextResult(3, 0, EXPLICIT), items.ContextResult(1, 0, "1.2.3"), items.ContextResult(1, 0, "")],
)
def test_a_context_accepted_that_was_not_proposed_is_an_abort(result):
    """PS3.8 9.3.3.2: ids and syntaxes of an answer are those of the request."""
    actions = Asking().hears(accepted(result))
    assert Aborted in kinds(actions)


def test_refused_contexts_are_not_open():
    talk = Asking()
    talk.hears(accepted(items.ContextResult(1, 3, IMPLICIT)))
    assert talk.machine.state is State.ESTABLISHED
    assert talk.machine.contexts == {}


@pytest.mark.parametrize(
    "data",
    [
        pdu.encode(REQUEST),
        pdu.encode(pdu.ReleaseRequest()),
        pdu.encode(pdu.ReleaseResponse()),
        fragments(response(0), 200, command=True),
        b"\xff\0\0\0\0\4\0\0\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_anything_else_than_an_answer_is_an_abort(data):
    """AA-8 in Sta5; a port that is a web server's, say."""
    talk = Asking()
    assert kinds(talk.hears(data))[-2:] == [Aborted, StartArtim]
    assert isinstance(talk.said[-1], pdu.Abort)


@pytest.mark.parametrize("size", [1, 60, 16000])
def test_responses_arrive_whole(established, size):
    """DT-2 with a dataset in fragments of any size."""
    stream = fragments(response(0xFF00, has_dataset=True), 40, command=True) + fragments(b"x" * 3000, size)
    assert kinds(established.hears(stream)) == [CommandArrived, DatasetArrived]
    assert established.sink.data == b"x" * 3000
    assert established.machine.is_idle


def test_an_abort_is_indicated(established):
    """AA-3."""
    assert kinds(established.hears(pdu.encode(pdu.Abort(0, 0)))) == [Aborted, CloseTransport]


def test_release(established):
    """AR-1, AR-3: Sta7 → Sta1."""
    established.actions += established.machine.release()
    assert isinstance(established.said[-1], pdu.ReleaseRequest)
    assert kinds(established.hears(pdu.encode(pdu.ReleaseResponse()))) == [Released, CloseTransport]
    assert established.machine.state is State.IDLE


def test_release_collision(established):
    """AR-8, AR-9, AR-3: the requestor answers first, then waits for its own answer."""
    established.actions += established.machine.release()
    established.hears(pdu.encode(pdu.ReleaseRequest()))
    assert isinstance(established.said[-1], pdu.ReleaseResponse)
    assert established.machine.state is State.RELEASE_COLLIDED
    assert Released in kinds(established.hears(pdu.encode(pdu.ReleaseResponse())))


def test_data_while_releasing_is_still_taken(established):
    """AR-6: P-DATA in Sta7."""
    established.actions += established.machine.release()
    assert kinds(established.hears(fragments(response(0), 200, command=True))) == [CommandArrived]
    assert Released in kinds(established.hears(pdu.encode(pdu.ReleaseResponse())))


def test_a_peer_that_releases_is_answered(established):
    """AR-2, AR-4: acceptors may, though none should."""
    assert Released in kinds(established.hears(pdu.encode(pdu.ReleaseRequest())))
    assert isinstance(established.said[-1], pdu.ReleaseResponse)


def test_the_connection_lost_is_an_abort(established):
    """AA-4."""
    assert established.machine.transport_closed() == (Aborted(2, 0, by_peer=True, text="connection lost"),)


@given(st.integers(0, 400_000), st.sampled_from([0, 5, 200, 16384, 1 << 30]))
def test_messages_fit_what_the_peer_takes(size, max_length):
    """PS3.8 D.1: no P-DATA-TF longer than the peer's maximum (0: any; absurd ones are not believed)."""
    talk = Asking()
    talk.hears(accepted(max_length=max_length))
    data = bytes(size)
    message = talk.machine.message(1, response(0, has_dataset=True), data)
    position, got, last = 0, 0, False
    while position < len(message):
        length = int.from_bytes(message[position + 2 : position + 6], "big")
        for value in pdu.decode(message[position], message[position + 6 : position + 6 + length]).values:
            if not value.is_command:
                assert not last
                assert length <= max(max_length, 128) or not max_length
                got, last = got + len(value.data), value.is_last
        position += 6 + length
    assert last
    assert got == size


def test_what_follows_a_response_in_its_command_set_is_ignored():
    """Orthanc 1.10 ends a C-GET that failed with (0008,0058) there; of a request it would be a fault."""
    stray = b"\x08\0\x58\0\2\0\0\x0031"
    command = dimse.decode_command(response(0xC000, field=0x8010, n1021=5) + stray)
    assert command.status == 0xC000
    assert command.counts.completed == 5
    with pytest.raises(items.PduError):
        dimse.decode_command(dimse.encode_request(dimse.CommandField.C_ECHO_RQ, 1, "1.2") + stray)


def test_requests_say_what_ps3_7_wants():
    """PS3.7 tables 9.3-1 to 9.3-8: C-FIND, C-MOVE with its destination, C-CANCEL."""
    find = dimse.encode_request(dimse.CommandField.C_FIND_RQ, 7, FIND, has_dataset=True)
    assert dimse.decode_command(find) == dimse.Command(0x0020, 7, FIND, "", True, None)
    move = dimse.encode_request(
        dimse.CommandField.C_MOVE_RQ, 8, FIND, has_dataset=True, priority=1, destination="US"
    )
    assert b"\0\0\0\6\2\0\0\0US" in move
    assert dimse.decode_command(move).priority == 1
    assert dimse.decode_command(dimse.encode_cancel(7)).message_id == 7
