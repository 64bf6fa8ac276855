"""Coverage-guided fuzzing of seals and seal signatures: read as facts, or refused with SesError; judged, never passed.

`python -m tests.fuzz.fuzz_ses -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.fuzz import instrumented

with instrumented.imports():
    from tests.helpers import pki, seals
    from yingqiao.gm import ses
    from yingqiao.gm.ses import Seal, SesError
    from yingqiao.signing.seals.context import SealContext
    from yingqiao.signing.seals.judge import judge_seal, judge_signature
    from yingqiao.signing.verification.report import Indication

_CONTEXT = SealContext(seals.seal_trust(), pki.NOW)
_DIGEST = b"d" * 32
"""Of a document nobody in the seeds sealed."""


def one_input(data: bytes) -> None:
    for read in (_seal, _signature):
        try:
            read(data)
        except SesError as error:
            reason = error.reason
        else:
            continue
        assert reason
    verdict = judge_signature(data, _DIGEST, _CONTEXT)
    assert verdict.report.indication is not Indication.PASSED
    assert verdict.code
    for one in (verdict, judge_seal(data, _CONTEXT)):
        assert one.shown()["words"] in one.report.text()


def _seal(data: bytes) -> None:
    found = ses.parse_seal(data)
    assert found.raw == data
    _check(found)


def _signature(data: bytes) -> None:
    found = ses.parse_signature(data)
    assert found.raw == data
    assert found.signed in data
    assert found.time is None or found.time.tzinfo
    _check(found.seal)


def _check(seal: Seal) -> None:
    """Everything it says can be shown, and what was signed is the maker's very bytes."""
    assert seal.version is ses.Version.V1 or seal.signed in seal.raw
    assert seal.info.created.tzinfo
    str(seal.info), seal.version.standard
    assert not (seal.info.certificates and seal.info.digests)


def corpus() -> Iterator[bytes]:
    signer = seals.seal_world().signer.certificate
    for version in (1, 4, 5):
        yield seals.make_seal(version=version)
    yield seals.make_seal(seals.info(**seals.by_digest(signer)))
    yield seals.make_seal(version=5, token=b"token")
    yield seals.make_signature(stamped=seals.SIGNED_AT)
    yield seals.make_signature_1()


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
