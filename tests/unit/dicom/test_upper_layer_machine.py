"""The acceptor as a conversation: what it hears, what it does (PS3.8 9.2, tables 9-1 to 9-10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dicom.conversation import CT, EXPLICIT, REQUEST, Conversation, fragments, store_command
from yingqiao.dicom.upper_layer import dimse, items, pdu
from yingqiao.dicom.upper_layer.machine import (
    Aborted,
    AssociationRequested,
    CloseTransport,
    CommandArrived,
    DatasetArrived,
    ReleaseRequested,
    Send,
    StartArtim,
    State,
)

DATASET = bytes(range(256)) * 200


@pytest.fixture
def established():
    talk = Conversation()
    talk.hears(pdu.encode(REQUEST))
    return talk


def kinds(actions):
    return [type(a) for a in actions]


def abort_reason(actions):
    """The reason of the A-ABORT sent; it must be from the provider."""
    sent = [pdu.decode(a.data[0], a.data[6:]) for a in actions if isinstance(a, Send)]
    assert isinstance(sent[-1], pdu.Abort)
    assert sent[-1].source == 2
    return sent[-1].reason


def test_a_request_is_indicated_and_the_answer_opens_its_contexts():
    """AE-6, AE-7: Sta2 → Sta3 → Sta6."""
    talk = Conversation()
    actions = talk.hears(pdu.encode(REQUEST))
    assert kinds(actions) == [AssociationRequested, Send]
    assert talk.machine.state is State.ESTABLISHED
    assert talk.machine.contexts == {1: (CT, EXPLICIT)}


@pytest.mark.parametrize("size", [1, 7, 16000])
def test_a_dataset_in_fragments_of_any_size_arrives_whole(established, size):
    """DT-2; PS3.8 annex E.1."""
    actions = established.hears(
        fragments(store_command(), 50, command=True) + fragments(DATASET[:5000], size)
    )
    assert kinds(actions) == [CommandArrived, DatasetArrived]
    assert established.sink.data == DATASET[:5000]
    assert established.machine.is_idle


def test_command_and_dataset_may_share_a_pdu(established):
    """PS3.8 9.3.5: a P-DATA-TF holds one or more values."""
    values = (
        pdu.Pdv(1, True, True, store_command()),
        pdu.Pdv(1, False, False, b"ab"),
        pdu.Pdv(1, False, True, b"cd"),
    )
    actions = established.hears(pdu.encode(pdu.PData(values)))
    assert kinds(actions) == [CommandArrived, DatasetArrived]
    assert established.sink.data == b"abcd"


def test_an_empty_last_fragment_ends_a_dataset(established):
    pieces = pdu.encode(pdu.PData((pdu.Pdv(1, False, False, b"ab"),))) + fragments(b"", 1)
    actions = established.hears(fragments(store_command(), 500, command=True) + pieces)
    assert kinds(actions) == [CommandArrived, DatasetArrived]


def test_operations_may_follow_each_other_without_waiting(established):
    """PS3.7 D.3.3.3: asynchronous operations."""
    one = fragments(store_command(1), 500, command=True) + fragments(b"first___", 500)
    two = fragments(store_command(2), 500, command=True) + fragments(b"second__", 500)
    actions = established.hears(one + two)
    assert [a.command.message_id for a in actions if isinstance(a, DatasetArrived)] == [1, 2]


def test_release_is_indicated_and_answered(established):
    """AR-2, AR-4: Sta6 → Sta8 → Sta13."""
    actions = established.hears(pdu.encode(pdu.ReleaseRequest()))
    assert kinds(actions) == [ReleaseRequested, Send, StartArtim]
    assert pdu.decode(actions[1].data[0], actions[1].data[6:]) == pdu.ReleaseResponse()
    assert established.machine.transport_closed() == ()


def test_the_peers_abort_ends_it(established):
    """AA-3."""
    actions = established.hears(store_command()[:0] + pdu.encode(pdu.Abort(0, 0)))
    assert kinds(actions) == [Aborted, CloseTransport]
    assert actions[0].by_peer


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (b"\x09\0\0\0\0\4\0\0\0\0", 1),
        (b"\x16\x03\x01\x02\0\1\0\1\xfc\3", 1),
        (b"GET / HTTP/1.1\r\n", 1),
        (pdu.encode(pdu.ReleaseResponse()), 2),
        (pdu.encode(REQUEST), 2),
        (b"\4\0\0\0\0\x0c\0\0\0\1\1\3", 6),
        (b"\4\0\x7f\0\0\0\0\0\0\4\1\3", 6),
        (b"\5\0\0\0\0\5\0\0\0\0\0", 6),
        (b"\1\0\x7f\xff\xff\xff\0\1\0\0", 6),
        (fragments(store_command(), 500, context_id=3, command=True), 6),
        (fragments(DATASET[:100], 500), 6),
        (fragments(store_command(), 500, command=True) * 2, 6),
        (fragments(bytes(20000), 10000, command=True), 6),
        (fragments(b"\0\0\0\0\4\0\0\0\0\0\0\0", 500, command=True), 6),
    ],
)
def test_what_breaks_the_protocol_is_answered_by_an_abort(established, hostile, reason):
    """AA-8, PS3.8 table 9-26."""
    actions = established.hears(hostile)
    assert abort_reason(actions) == reason
    assert kinds(actions)[-3:] == [Send, Aborted, StartArtim]
    assert established.machine.state is State.AWAITING_CLOSE


def test_data_before_an_association_is_answered_by_an_abort():
    """AA-1 in Sta2."""
    assert abort_reason(Conversation().hears(fragments(store_command(), 500, command=True))) == 2


def test_a_release_in_the_middle_of_a_message_is_a_fault(established):
    actions = established.hears(
        fragments(store_command(), 500, command=True) + pdu.encode(pdu.ReleaseRequest())
    )
    assert abort_reason(actions) == 2


def test_a_lost_connection_in_the_middle_is_indicated(established):
    """AA-4."""
    established.hears(fragments(store_command(), 500, command=True))
    (action,) = established.machine.transport_closed()
    assert action == Aborted(2, 0, by_peer=True, text="connection lost")


def test_a_probe_that_connects_and_closes_is_nothing():
    """Load balancers do so all day (pynetdicom issue 669)."""
    assert Conversation().machine.transport_closed() == ()


def test_while_closing_nothing_is_sent_twice(established):
    """AA-7, AA-2."""
    established.hears(b"\x09\0\0\0\0\4\0\0\0\0")
    assert established.machine.abort() == (CloseTransport(),)
    assert established.machine.artim_expired() == (CloseTransport(),)


@given(st.binary(max_size=600))
def test_any_bytes_end_in_actions(data):
    talk = Conversation()
    talk.hears(data)


@given(st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=40)), max_size=8), st.data())
def test_any_mangled_conversation_ends_in_actions(steps, data):
    parts = [
        pdu.encode(REQUEST),
        fragments(store_command(), 60, command=True),
        fragments(DATASET[:300], 90),
        fragments(dimse.encode_request(dimse.CommandField.C_ECHO_RQ, 3, CT), 500, command=True),
        pdu.encode(pdu.ReleaseRequest()),
    ]
    raw = bytearray(parts[0])
    for index, noise in steps:
        raw += parts[index] if index < len(parts) else noise
    if data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    Conversation().hears(bytes(raw))


def test_a_context_refused_in_the_answer_carries_no_message():
    talk = Conversation()
    request = pdu.AssociateRequest("A", "B", (items.ContextProposed(1, CT, (EXPLICIT,)),))
    answer = pdu.AssociateAccept("A", "B", (items.ContextResult(1, 3, EXPLICIT),))
    talk.machine.accept(answer, request)
    assert abort_reason(talk.hears(fragments(store_command(), 500, command=True))) == 6
