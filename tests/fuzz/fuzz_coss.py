"""Coverage-guided fuzzing of coss request bodies: parameters, HMAC, jobs, tokens; a decision or a refusal of ours.

`python -m tests.fuzz.fuzz_coss -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator

from tests.fuzz import instrumented

with instrumented.imports():
    from tests.helpers.pki import world
    from yingqiao.signing import hmac_signature, jobs, qr, timestamps
    from yingqiao.signing.applications import AppSettings
    from yingqiao.signing.hmac_signature import ParameterError

_ROOTS = [world().root.certificate]
_SECRET = b"0123456789abcdef"
_LIMITS = AppSettings()


class _Trust:
    def roots(self) -> list[object]:
        return _ROOTS

    known = roots

    def revoked(self, *_: object) -> bool:
        return False


def one_input(data: bytes) -> None:
    try:
        found = hmac_signature.read_parameters(data)
    except ParameterError:
        return
    assert hmac_signature.verify(found, [_SECRET]) in (None, _SECRET)
    assert hmac_signature.diagnose(found, _SECRET)
    hmac_signature.loggable(found).encode()
    try:
        job = jobs.open_job(jobs.read_request(found, _LIMITS), "", 1_766_000_000_000)
    except jobs.JobError:
        pass
    else:
        json.dumps(jobs.result_of(job, _SECRET, 0))
    verdict = timestamps.verify_text(found.find("oriData").encode(), found.find("tsResp"), _Trust())  # type: ignore[arg-type]
    assert verdict.reason
    qr.read(found.find("qrCode"))


def corpus() -> Iterator[bytes]:
    from tests.helpers.gm_samples import token_samples

    token = base64.b64encode(token_samples()[0]).decode()
    asked = {"dataType": "DATA", "algo": "SM3withSM2", "data": "QUJD", "expiryDate": 60, "requireQrCode": "Y"}
    for body in (
        asked | {"title": "题", "callBackUrl": "http://a/b", "signature": "AAAA"},
        {"oriData": "test", "tsResp": token},
        {"qrCode": qr.text_of("A", "http://h", "A" * 24)},
        {"a": None, "b": True, "c": 1.5},
    ):
        yield json.dumps(body, ensure_ascii=False).encode()


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
