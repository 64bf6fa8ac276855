"""Coverage-guided fuzzing of signed messages and time stamps: facts, or an error of ours.

`python -m tests.fuzz.fuzz_cms -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.fuzz import instrumented

with instrumented.imports():
    from tests.helpers.pki import world
    from yingqiao.gm import cms, cms_facts, timestamp
    from yingqiao.gm.errors import GmError

_W = world()
_CONTENT = b"12345678"


def one_input(data: bytes) -> None:
    for read in (_message, _token, timestamp.parse_request, timestamp.parse_response):
        try:
            read(data)
        except GmError as error:
            refused = (error.code, error.reason)
        else:
            continue
        assert all(refused)


def _message(data: bytes) -> None:
    message = cms.parse(data)
    for original in (None, _CONTENT, message.content):
        facts = cms_facts.examine(message, original, known=[_W.doctor.certificate])
        assert len(facts.signers) == len(message.signers)
        if facts.valid:
            assert message.signers
            assert facts.content not in (cms_facts.Content.DIFFERENT, cms_facts.Content.MISSING)
        for signer in facts.signers:
            assert signer.info.signing_time is None or signer.info.signing_time.tzinfo


def _token(data: bytes) -> None:
    token = timestamp.parse_token(data)
    facts = timestamp.examine(token, original=_CONTENT, nonce=7, known=[_W.tsa.certificate])
    if facts.signed:
        assert facts.certificate is not None


def corpus() -> Iterator[bytes]:
    from tests.fuzz.seeds_gm import structures

    yield from structures()


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
