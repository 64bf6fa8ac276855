"""Coverage-guided fuzzing of verification: any bytes are a verdict, never an exception, and never passed by chance.

`python -m tests.fuzz.fuzz_verification -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from tests.fuzz import instrumented

with instrumented.imports():
    from tests.helpers.pki import NOW, world
    from tests.helpers.trust import trust_in
    from yingqiao.gm.errors import GmError
    from yingqiao.signing import dsvs
    from yingqiao.signing.trust import read_bundle
    from yingqiao.signing.verification.asked import Asked, verify_certificates, verify_signed, verify_stamped
    from yingqiao.signing.verification.report import Indication, Report

_W = world()
_ASKED = Asked(trust_in(), NOW)
_CONTENT = b"a content that nobody in the seeds signed"


def one_input(data: bytes) -> None:
    reports = [
        verify_signed(_ASKED, signature=data, content=_CONTENT),
        verify_signed(_ASKED, signature=data, content=_CONTENT, certificate=_W.doctor.certificate.raw),
        verify_signed(_ASKED, signature=b"0" * 64, content=_CONTENT, certificate=data, tokens=[data]),
        verify_stamped(_ASKED, data, _CONTENT),
    ]
    for report in reports:
        assert report.indication is not Indication.PASSED
    for report in (*reports, *verify_certificates(_ASKED, [data])):
        _check(report)
    with contextlib.suppress(GmError):
        read_bundle(data)
    _dsvs(data)


def _check(report: Report) -> None:
    shown = report.shown()
    assert shown["step"]
    assert shown["reason"]
    assert report.words in report.text()


def _dsvs(data: bytes) -> None:
    text = data.decode("latin-1")
    request = {
        "transId": "x" * 20,
        "signAlgIdentifier": "SM3WithSM2",
        "oriData": text,
        "signValue": text,
        "pubKey": text,
    }
    for read, judge in ((dsvs.read_pkcs1, dsvs.judge_pkcs1), (dsvs.read_pkcs7, dsvs.judge_pkcs7)):
        with contextlib.suppress(dsvs.DsvsError):
            assert judge(read(request), _ASKED.trust, NOW, _ASKED.policy)["status"] == 200


def corpus() -> Iterator[bytes]:
    from tests.fuzz.seeds_gm import structures

    yield from structures()


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
