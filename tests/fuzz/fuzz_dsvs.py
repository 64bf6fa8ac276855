"""Coverage-guided fuzzing of dsvs bodies, HMAC included: a verdict or a refusal of ours, and true only for what was signed.

`python -m tests.fuzz.fuzz_dsvs -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator

from tests.fuzz import instrumented
from tests.fuzz.bounds import told

with instrumented.imports():
    from tests.helpers.pki import NOW, world
    from tests.helpers.trust import trust_in
    from yingqiao.exchange import bounded_json
    from yingqiao.exchange.bounded_json import JsonError
    from yingqiao.gm import sm2
    from yingqiao.signing import dsvs, hmac_signature
    from yingqiao.signing.applications import Application
    from yingqiao.signing.dsvs import DsvsError
    from yingqiao.signing.hmac_signature import Parameters
    from yingqiao.signing.verification.policy import DEFAULT
    from yingqiao.spec import load_edition
    from yingqiao.web.coss.door import Door, SignedByApplication

_W = world()
_TRUST = trust_in()
_SECRET = b"0123456789abcdef"
_SIGNED = b"12345678"
_VALUE = sm2.sign(_W.doctor.private, _SIGNED)
_APP = Application("APP", "", "H1", disabled=False, secrets=(_SECRET,))


class _Apps:
    def get(self, app_id: str) -> Application | None:
        return _APP if app_id == "APP" else None


_CHECKS = [
    SignedByApplication(Door(_Apps(), load_edition("shanxi/v2_1")), strangers=strangers)
    for strangers in (True, False)
]


def one_input(data: bytes) -> None:
    try:
        parameters = bounded_json.load(data)
    except JsonError as error:
        told("json", str(error))
        return
    if not isinstance(parameters, dict):
        return
    for check in _CHECKS:
        try:
            caller = check.check(parameters, data)
        except DsvsError as error:
            told(str(error.status), error.words)
            continue
        assert caller.app_id in ("", "APP")
    for read, judge in ((dsvs.read_pkcs1, dsvs.judge_pkcs1), (dsvs.read_pkcs7, dsvs.judge_pkcs7)):
        try:
            asking = read(parameters)
        except DsvsError as error:
            told(str(error.status), error.words)
            continue
        answer = judge(asking, _TRUST, NOW, DEFAULT)
        right = answer["data"]["result"] == "true"
        if judge is dsvs.judge_pkcs1:
            assert not dsvs.is_plainly_valid(asking, DEFAULT) or right
        if right and asking.key is not None and asking.key.point == _W.doctor.private.public().point:
            assert asking.content == _SIGNED
        json.dumps(answer).encode()


def corpus() -> Iterator[bytes]:
    key = base64.b64encode(_W.doctor.private.public().point).decode()
    asked = {
        "transId": "1234567890123456",
        "signAlgIdentifier": "SM3WithSM2",
        "oriData": _SIGNED.decode(),
        "signValue": base64.b64encode(_VALUE).decode(),
        "pubKey": key,
        "base64": False,
        "verifyCert": "false",
    }
    with_certificate = {name: value for name, value in asked.items() if name != "pubKey"}
    with_certificate["base64Cert"] = base64.b64encode(_W.doctor.certificate.raw).decode()
    application = {"appId": "APP", "signAlgo": "HMAC", "version": "1.0"}
    for body in (asked, with_certificate, with_certificate | {"verifyCert": True}, asked | application):
        text = {name: json.dumps(v) if isinstance(v, bool) else str(v) for name, v in body.items()}
        signature = hmac_signature.sign(_SECRET, Parameters(text).string_a())
        yield json.dumps(body | {"signature": signature}).encode()
        for name in body:
            for value in (None, 0, "", [], {}, True, "A" * 5000, "A==", "-_", 1e308):
                yield json.dumps(body | {name: value}).encode()
    yield b'{"oriData":"\\ud800"}'
    yield b"[" * 3000
    yield b'{"a":' * 500


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
