"""Coverage-guided fuzzing of what a called peer may answer: `fuzz_requestor.py [corpus] [-max_total_time=600]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
MODES = 6


def one_input(data: bytes) -> None:
    """Any bytes of a peer end in actions, in an abort when they are hostile, never in an exception.

    The first byte picks where the conversation stands: the request is out, an association, the middle of a
    response, a release; or a lone identifier, explicit or implicit.
    """
    mode, rest = (data[0] % MODES, data[1:]) if data else (0, b"")
    if mode < 4:
        _conversation(mode, rest)
    else:
        _identifier(rest, explicit=mode == 4)


def _conversation(mode: int, data: bytes) -> None:
    from tests.unit.dicom.asking import Asking, accepted, response
    from tests.unit.dicom.conversation import fragments
    from yingqiao.dicom.upper_layer.machine import Aborted, State

    talk = Asking(max_pdu=4096)
    if mode > 0:
        talk.hears(accepted())
    if mode == 2:
        talk.hears(fragments(response(0xFF00, has_dataset=True), 500, command=True))
    if mode == 3:
        talk.machine.release()
    actions = talk.hears(data)
    assert sum(isinstance(a, Aborted) for a in actions) <= 1
    assert len(talk.sink.data) <= len(data)
    if talk.machine.state not in (State.AWAITING_CLOSE, State.IDLE):
        assert 0 < sum(map(len, talk.machine.wanted)) <= 512 * 1024
    if talk.machine.state is State.ESTABLISHED:
        assert len(talk.machine.message(1, response(0), b"dataset")) < 4096
    talk.machine.transport_closed()


def _identifier(data: bytes, explicit: bool) -> None:
    from yingqiao.dicom.query_retrieve.attributes import BY_TAG
    from yingqiao.dicom.query_retrieve.identifier import EXPLICIT_LE, IMPLICIT_LE, decode_answer

    answer = decode_answer(data, EXPLICIT_LE if explicit else IMPLICIT_LE)
    for attribute in BY_TAG.values():
        number = answer.number(attribute.keyword)
        assert number is None or 0 <= number < 10**9
        assert all(answer.values(attribute.keyword))


def corpus() -> Iterator[bytes]:
    """Proper answers at each place of the conversation."""
    from tests.unit.dicom.asking import EXPLICIT, IMPLICIT, accepted, response
    from tests.unit.dicom.conversation import fragments
    from yingqiao.dicom.query_retrieve.attributes import Level
    from yingqiao.dicom.query_retrieve.identifier import encode_query
    from yingqiao.dicom.upper_layer import pdu

    explicit = encode_query(Level.STUDY, {"PatientName": "王^五", "StudyInstanceUID": "1.2.3"}, "", EXPLICIT)
    implicit = encode_query(Level.STUDY, {"PatientName": "", "StudyInstanceUID": "1.2.3"}, "", IMPLICIT)
    pending = fragments(response(0xFF00, has_dataset=True), 500, command=True) + fragments(explicit, 40)
    final = fragments(response(0xB000, n1020=0, n1021=7, n1022=1), 500, command=True)
    ends = (pdu.ReleaseRequest(), pdu.ReleaseResponse(), pdu.Abort(2, 6), pdu.AssociateReject(1, 1, 7))
    for mode in range(4):
        for part in (accepted(), pending, final, pending + final, *map(pdu.encode, ends)):
            yield bytes([mode]) + part
    yield bytes([4]) + explicit
    yield bytes([5]) + implicit


if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports():
        import tests.unit.dicom.asking  # noqa: F401
        import yingqiao.dicom.query_retrieve.identifier  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
