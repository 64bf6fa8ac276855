"""PDUs and command sets: what is encoded is decoded the same; broken lengths and counts are refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.dicom.upper_layer import dimse, items, pdu

UID = st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,8}){1,5}", fullmatch=True)
TITLE = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)
BYTE = st.integers(0, 255)
SHORT = st.binary(max_size=64)
USER = st.builds(
    items.UserInformation,
    max_length=st.integers(0, 2**32 - 1),
    implementation_class_uid=UID,
    implementation_version=TITLE,
    async_window=st.none() | st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    roles=st.lists(st.builds(items.RoleSelection, UID, st.booleans(), st.booleans()), max_size=4).map(tuple),
    extended=st.lists(st.builds(items.ExtendedNegotiation, UID, SHORT), max_size=4).map(tuple),
    identity=st.none() | st.builds(items.UserIdentity, st.integers(1, 5), SHORT, SHORT, st.booleans()),
    identity_response=st.none() | SHORT,
)
PROPOSED = st.lists(
    st.builds(
        items.ContextProposed,
        st.integers(0, 127).map(lambda n: 2 * n + 1),
        UID,
        st.lists(UID, max_size=5).map(tuple),
    ),
    max_size=8,
    unique_by=lambda c: c.id,
).map(tuple)
RESULTS = st.lists(
    st.builds(items.ContextResult, st.integers(0, 127).map(lambda n: 2 * n + 1), st.integers(0, 4), UID),
    max_size=8,
).map(tuple)
PDV = st.builds(pdu.Pdv, BYTE, st.booleans(), st.booleans(), st.binary(max_size=200))
PDU = st.one_of(
    st.builds(pdu.AssociateRequest, TITLE, TITLE, PROPOSED, USER),
    st.builds(pdu.AssociateAccept, TITLE, TITLE, RESULTS, USER),
    st.builds(pdu.AssociateReject, BYTE, BYTE, BYTE),
    st.builds(pdu.PData, st.lists(PDV, min_size=1, max_size=4).map(tuple)),
    st.just(pdu.ReleaseRequest()),
    st.just(pdu.ReleaseResponse()),
    st.builds(pdu.Abort, BYTE, BYTE),
)


@given(PDU)
def test_what_is_encoded_is_decoded_the_same(value):
    """PS3.8 9.3."""
    raw = pdu.encode(value)
    assert int.from_bytes(raw[2:6], "big") == len(raw) - 6
    assert pdu.decode(raw[0], raw[6:]) == value


@given(st.integers(0, 255), st.binary(max_size=400))
def test_any_bytes_are_a_pdu_or_a_pdu_error(kind, body):
    with contextlib.suppress(items.PduError):
        pdu.decode(kind, body)


@given(PDU, st.data())
def test_a_changed_byte_is_a_pdu_or_a_pdu_error(value, data):
    raw = bytearray(pdu.encode(value))
    raw[data.draw(st.integers(6, len(raw) - 1))] = data.draw(BYTE)
    with contextlib.suppress(items.PduError):
        pdu.decode(raw[0], bytes(raw[6:]))


def test_even_and_repeated_context_ids_are_refused():
    """PS3.8 9.3.2.2: odd integers, each once."""
    for ids in ((2,), (1, 1)):
        contexts = tuple(items.ContextProposed(i, "1.2", ("1.2.840.10008.1.2",)) for i in ids)
        raw = pdu.encode(pdu.AssociateRequest("A", "B", contexts))
        with pytest.raises(items.PduError):
            pdu.decode(raw[0], raw[6:])


def test_too_many_contexts_are_refused():
    one = items.encode_proposed(items.ContextProposed(1, "1.2", ("1.2",)))
    raw = pdu.encode(pdu.AssociateRequest("A", "B", ()))[6:] + one * 129
    with pytest.raises(items.PduError, match="129"):
        pdu.decode(1, raw)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), UID, UID, TITLE)
def test_a_response_names_what_it_answers(message_id, status, sop_class, instance, comment):
    """PS3.7 9.3.1.2."""
    request = dimse.Command(1, message_id, sop_class, instance, has_dataset=True, status=None)
    answer = dimse.decode_command(dimse.encode_response(request, status, comment))
    assert (answer.field, answer.message_id, answer.status) == (0x8001, message_id, status)
    assert (answer.sop_class_uid, answer.sop_instance_uid, answer.has_dataset) == (sop_class, instance, False)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_a_pdu_error(raw):
    with contextlib.suppress(items.PduError):
        dimse.decode_command(raw)


def test_a_command_set_with_too_many_elements_is_refused():
    raw = b"".join(b"\0\0" + n.to_bytes(2, "little") + b"\0\0\0\0" for n in range(80))
    with pytest.raises(items.PduError, match="too many"):
        dimse.decode_command(raw)
