"""Coverage-guided fuzzing of the envelope: any body, whole or damaged, is answered.

`python -m tests.fuzz.fuzz_envelope -max_total_time=60 [corpus folder]` (needs atheris).
The invariants are those of `one_input`, which the
deterministic tests run too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import orjson
import pybase64

from tests.fuzz import instrumented
from tests.unit.exchange.records import CODE, EDITION, KEY, NEXT_KEY, NOW_MS, NOW_S, Register, hospital
from yingqiao.exchange.envelope import seal, sign
from yingqiao.exchange.model import BodyKind, Outcome
from yingqiao.exchange.receive import Policy, Receiver, Taken

_RECEIVER = Receiver(EDITION, Register(hospital(keys=(NEXT_KEY, KEY))), Policy(keep_unknown=True))
_INTERFACES = ("exam-sync", "report-sync", "examMergeReport-sync", "images-list")


def one_input(data: bytes) -> None:
    """The bytes as a body, as the cipher text of a signed envelope, and as the record inside one."""
    interface = _INTERFACES[len(data) % len(_INTERFACES)]
    check(_take(interface, data))
    check(_take(interface, orjson.dumps(_resigned(data))))
    check(_take(interface, orjson.dumps(seal(data, CODE, KEY, NOW_S))))


def check(taken: Taken) -> None:
    """What holds for every body whatsoever."""
    answer = orjson.loads(taken.answer.to_json())
    assert answer["code"] in (0, 1)
    assert answer["message"]
    assert taken.http_status == 200 or (taken.http_status == 400 and answer["code"] == 0)
    (submission,) = taken.submissions
    assert (submission.outcome is Outcome.ACCEPTED) == (answer["code"] == 1)
    assert len(submission.digest) == 32
    assert "\0" not in submission.hospital_code + submission.message
    if submission.body_kind is BodyKind.RECORD:
        orjson.loads(submission.body.removeprefix(b"\xef\xbb\xbf"))
    if answer["code"] == 1:
        assert (
            submission.exam is not None
            or submission.report is not None
            or submission.interface == "images-list"
        )


def corpus() -> Iterator[bytes]:
    """Bodies to start from: whole, and broken in every member."""
    sealed = seal({"risStudyId": "R1", "hospitalCode": CODE}, CODE, KEY, NOW_S)
    yield orjson.dumps(sealed)
    for name in sealed:
        yield orjson.dumps({k: v for k, v in sealed.items() if k != name})
        for value in (None, 0, "", "中", [], {}, "A" * 3000, 1e308, -1, True, "\0"):
            yield orjson.dumps(sealed | {name: value})
    yield from (b"", b"{}", b"[]", b"null", b"[" * 2000, b"\xef\xbb\xbf{}", b'{"a":"\\ud800"}', b"\xff" * 40)


def _take(interface: str, raw: bytes) -> Taken:
    return _RECEIVER.take(interface, raw, peer="fuzz", received_at=NOW_MS, encryption_type=None)


def _resigned(data: bytes) -> dict[str, str]:
    envelope = seal(b"{}", CODE, KEY, NOW_S)
    text = pybase64.b64encode(data).decode()
    return envelope | {"data": text, "signature": sign(text, CODE, envelope["timestamp"])}


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
