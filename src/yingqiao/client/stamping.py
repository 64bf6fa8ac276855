"""Time stamps for seals made elsewhere than on the gateway: asked of its createAndGetTssInfo (四(二)4(3))."""

from __future__ import annotations

import base64
import ssl
import uuid
from dataclasses import dataclass, field

import orjson

from yingqiao.client.errors import ClientError
from yingqiao.client.limits import Limits
from yingqiao.client.talk import Request, Talk
from yingqiao.client.transport import BlockingTransport
from yingqiao.signing import hmac_signature
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.hmac_signature import SHA256, SIGNATURE, Parameters

PATH = "/coss/service/v1/createAndGetTssInfo"
SILENT, REFUSED = "stamp-silent", "stamp-refused"
_ANSWER = 256 * 1024
_SUCCESS = 200


class _Wire(BlockingTransport):
    _peer = "时间戳服务"


@dataclass(frozen=True, slots=True)
class StampService:
    """A gateway's authority, as one of its applications may use it. `url` is the gateway's, or the service's own."""

    url: str
    app_id: str
    secret: bytes = field(repr=False)
    ca: str = ""
    """PEM of the authorities its https is trusted by; '' = the system's."""
    seconds: float = 10.0

    def __call__(self, value: bytes) -> bytes:
        """The token over `value`, DER. Raises SigningRefused: `stamp-silent` when asking again later may do, else
        `stamp-refused`.
        """
        base, path = address_of(self.url, PATH)
        limits = Limits(connect=self.seconds, silence=self.seconds, whole=self.seconds, answer_bytes=_ANSWER)
        try:
            with _Wire(base, limits, trusting(self.ca), {}) as wire:
                return wire.speak(self._ask(path, value))
        except ClientError as error:
            raise SigningRefused(SILENT, f"时间戳服务 {base} {unheard(error)}") from error

    def _ask(self, path: str, value: bytes) -> Talk[bytes]:
        response = yield Request(path, orjson.dumps(self._signed(value)))
        try:
            said = orjson.loads(response.body)
            status, words = int(said.get("status", 0)), str(said.get("message", ""))
            token = base64.b64decode(said["data"]["tsResp"], validate=True) if status == _SUCCESS else b""
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"时间戳服务的应答看不懂（HTTP {response.status}），请核对地址"
            raise SigningRefused(SILENT if response.status >= 500 else REFUSED, reason) from error
        if status != _SUCCESS:
            again = status >= 500 or status == 429
            raise SigningRefused(SILENT if again else REFUSED, f"时间戳服务没有签发：{words}")
        return token

    def _signed(self, value: bytes) -> dict[str, str]:
        said = {
            "transId": uuid.uuid4().hex,
            "appId": self.app_id,
            "signAlgo": "HMAC",
            "version": "1.0",
            "oriData": base64.b64encode(value).decode(),
            "oriDataType": "BASE64",
            "attachCert": "true",
        }
        return {**said, SIGNATURE: hmac_signature.sign(self.secret, Parameters(said).string_a(), SHA256)}


def address_of(url: str, path: str) -> tuple[str, str]:
    """Where a service is: scheme and host, and its path; an address with a path of its own is the service's.

    Raises ValueError for what is no address of HTTP.
    """
    scheme, mark, rest = url.partition("://")
    host, slash, own = rest.rstrip("/").partition("/")
    if scheme not in ("http", "https") or not mark or not host or "@" in host or "?" in rest or "#" in rest:
        raise ValueError(f"{url!r} 应为 http(s)://主机[:端口]")
    return f"{scheme}://{host}", f"/{own}" if slash else path


def unheard(error: ClientError) -> str:
    """Why nothing was heard, for a person who can mend none of it but one thing."""
    return "的证书不可信" if "CERTIFICATE_VERIFY_FAILED" in str(error) else "没有应答"


def trusting(ca: str) -> bool | ssl.SSLContext:
    """What httpx is told to verify servers by."""
    return ssl.create_default_context(cadata=ca) if ca else True
