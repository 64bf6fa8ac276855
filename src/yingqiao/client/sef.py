"""A gateway asked what it holds of the seals in a file: SEF_VerifySeal (四(二)4 电子签章验签接口)."""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass

import orjson

from yingqiao.client.errors import ClientError
from yingqiao.client.limits import Limits
from yingqiao.client.stamping import address_of, trusting, unheard
from yingqiao.client.talk import Request, Talk
from yingqiao.client.transport import BlockingTransport
from yingqiao.signing.errors import SigningRefused

PATH = "/sef/v1/SEF_VerifySeal"
MAX_FILE = 32 * 1024 * 1024
_ANSWER = 64 * 1024 * 1024
"""Pictures and certificates of every seal are in it."""


@dataclass(frozen=True, slots=True)
class SealJudged:
    """One seal, in the order of signing; documents' time stamps are none. `code` is verifyResult, 0 = trusted and intact."""

    code: int
    words: str


class _Wire(BlockingTransport):
    _peer = "网关"


@dataclass(frozen=True, slots=True)
class SealVerifier:
    """`url` is the gateway's, or the service's own."""

    url: str
    ca: str = ""
    seconds: float = 30.0

    def __call__(self, pdf: bytes) -> list[SealJudged]:
        """Raises SigningRefused: nothing is known of any seal then."""
        if len(pdf) > MAX_FILE:
            reason = f"文件超过网关验证的上限 {MAX_FILE >> 20} MiB，没有送验，请在盖章前另行核实"
            raise SigningRefused("too-large", reason)
        base, path = address_of(self.url, PATH)
        limits = Limits(connect=5.0, silence=self.seconds, whole=self.seconds, answer_bytes=_ANSWER)
        try:
            with _Wire(base, limits, trusting(self.ca), {}) as wire:
                return wire.speak(_ask(path, pdf))
        except ClientError as error:
            raise SigningRefused("silent", f"网关 {base} {unheard(error)}") from error


def _ask(path: str, pdf: bytes) -> Talk[list[SealJudged]]:
    asked = {
        "transId": uuid.uuid4().hex,
        "requestTime": int(time.time() * 1000),
        "fileDataType": 0,
        "fileData": base64.b64encode(pdf).decode(),
    }
    response = yield Request(path, orjson.dumps(asked))
    try:
        said = orjson.loads(response.body)
        if said["resultCode"] != 0:
            raise SigningRefused("refused", f"网关没有验证：{said['resultMessage']}")
        found = said["fileVerifyInfo"]["signInfoList"]
        return [SealJudged(int(one["verifyResult"]), str(one["resultMsg"])) for one in found]
    except (ValueError, KeyError, TypeError) as error:
        reason = f"网关的应答看不懂（HTTP {response.status}），请核对地址"
        raise SigningRefused("refused", reason) from error
