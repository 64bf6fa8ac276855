"""Coverage-guided fuzzing of the upper layer: `fuzz_pdu.py [corpus] [-max_total_time=600]`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
MODES = 4


def one_input(data: bytes) -> None:
    """Any bytes on a connection end in actions; in an abort when they are hostile; never in an exception.

    The first byte picks where the conversation stands: a fresh connection, an association, the middle of a
    message, or a lone PDU or command set to be decoded.
    """
    mode, rest = (data[0] % MODES, data[1:]) if data else (0, b"")
    if mode == MODES - 1:
        _decoders(rest)
    else:
        _conversation(mode, rest)


def _conversation(mode: int, data: bytes) -> None:
    from tests.unit.dicom.conversation import REQUEST, Conversation, fragments, store_command
    from yingqiao.dicom.upper_layer import pdu
    from yingqiao.dicom.upper_layer.machine import Aborted, State

    talk = Conversation(max_pdu=4096)
    if mode > 0:
        talk.hears(pdu.encode(REQUEST))
    if mode > 1:
        talk.hears(fragments(store_command(), 500, command=True))
    actions = talk.hears(data)
    assert sum(isinstance(a, Aborted) for a in actions) <= 1
    assert len(talk.sink.data) <= len(data)
    if talk.machine.state not in (State.AWAITING_CLOSE, State.IDLE):
        assert 0 < sum(map(len, talk.machine.wanted)) <= 512 * 1024
    talk.machine.transport_closed()


def _decoders(data: bytes) -> None:
    from yingqiao.dicom.upper_layer import dimse, items, pdu

    kind, body = (data[0] % 9, data[1:]) if data else (0, b"")
    try:
        value = pdu.decode(kind, body)
        again = pdu.encode(value)
        assert pdu.decode(again[0], again[6:]) == value or _is_lossy(body)
    except items.PduError:
        pass
    try:
        command = dimse.decode_command(body)
        dimse.encode_response(command, 0)
    except items.PduError:
        pass


def _is_lossy(body: bytes) -> bool:
    """Padding and blanks inside titles and UIDs are not kept; anything else is."""
    return b"\0" in body or b" " in body


if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports():
        import tests.unit.dicom.conversation  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
