"""dsvs, the signature verification service (四(二)4 电子签名验签接口): parameters in, answer out. Pure.

`result` is "true" or "false", `message` says why not in Chinese. Names of parameters are read without regard to case
(T116), values tolerant of JSON type (numbers and booleans as text). What the samples send beyond the tables is
ignored here (T130); the request's own signature is looked at by `RequestSignature`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from yingqiao.gm import oids, signatures
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import KeyKind, SubjectKey
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.diagnosis import looks_like_message
from yingqiao.signing.verification.inputs import Holder, read_holder
from yingqiao.signing.verification.policy import DEFAULT, Policy
from yingqiao.signing.verification.readings import Reading
from yingqiao.signing.verification.report import Indication, Report
from yingqiao.signing.verification.signature import Question, verify_signature

MAX_ORIGINAL = 5 * 1024 * 1024
MAX_BODY = 12 * 1024 * 1024
"""An original of 5 MiB in base64, escaped, with what is around it."""
SHORTEST_ID, LONGEST_ID = 15, 64
_MAX_KEY = 32 * 1024
_ALGORITHMS = {"sm3withsm2": oids.SM2_SM3, "sha256withrsa": oids.SHA256_RSA}
OK, BAD_REQUEST, UNAUTHORIZED = 200, 400, 401
NOBODY = Holder()


class DsvsError(Exception):
    """A request that cannot be answered: `status` as in the common response, Chinese words."""

    def __init__(self, words: str, status: int = BAD_REQUEST) -> None:
        super().__init__(words)
        self.words = words
        self.status = status


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as far as the request proves it, and by what policy it is served; `app_id` '' = anybody."""

    policy: Policy = DEFAULT
    app_id: str = ""
    hospital_code: str = ""


class RequestSignature(Protocol):
    """The application's own signature over its request (HMAC): whose it is."""

    def check(self, parameters: Mapping[str, Any], raw: bytes) -> Caller:
        """`parameters` as read of the body `raw`, whose very text is signed. Raises DsvsError."""
        ...


class Unsigned:
    """Takes requests of anybody: dsvs answers what anybody could compute."""

    def __init__(self, policy: Policy = DEFAULT) -> None:
        self._caller = Caller(policy)

    def check(self, parameters: Mapping[str, Any], raw: bytes) -> Caller:  # noqa: ARG002 nothing is asked of them
        return self._caller


@dataclass(frozen=True, slots=True)
class Asking:
    """A request read. `holder` is empty for PKCS#7."""

    trans_id: str
    content: bytes
    value: bytes
    verify_certificate: bool
    holder: Holder = NOBODY
    algorithm: str = ""

    @property
    def key(self) -> SubjectKey | None:
        return self.holder.certificates[0].key if self.holder.certificates else self.holder.key


def answer(status: int, message: str, trans_id: str = "", result: bool | None = None) -> dict[str, Any]:
    """The common response with the members of the samples, in their order."""
    data = None if result is None else {"transId": trans_id, "result": "true" if result else "false"}
    return {"status": status, "message": message, "data": data}


def read_pkcs1(parameters: Mapping[str, Any]) -> Asking:
    """Parameters of pkcs1/verifyDataSign. Raises DsvsError."""
    said = _folded(parameters)
    name = _text(said, "signalgidentifier", "signAlgIdentifier")
    algorithm = _ALGORITHMS.get(name.strip().lower())
    if algorithm is None:
        raise DsvsError(f"signAlgIdentifier 应为 SM3WithSM2 或 SHA256WithRSA，收到 {name[:40]!r}")
    asking = _common(said)
    certificate, key = _optional(said, "base64cert"), _optional(said, "pubkey")
    if not (certificate or key):
        raise DsvsError("base64Cert 与 pubKey 须有其一")
    if asking.verify_certificate and not certificate:
        raise DsvsError("verifyCert 为 true 时须给出 base64Cert")
    holder = _holder(certificate or key, "base64Cert" if certificate else "pubKey")
    if certificate and not holder.certificates:
        raise DsvsError("base64Cert 不是证书")
    return replace(asking, holder=holder, algorithm=algorithm)


def read_pkcs7(parameters: Mapping[str, Any]) -> Asking:
    """Parameters of pkcs7/verifyDataSign. Raises DsvsError."""
    return _common(_folded(parameters))


def _folded(parameters: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(parameters, Mapping):
        raise DsvsError("请求应为 JSON 对象")
    folded = {name.lower(): value for name, value in parameters.items()}
    if len(folded) != len(parameters):
        raise DsvsError("参数名重复（仅大小写不同）")
    return folded


def _common(said: Mapping[str, Any]) -> Asking:
    trans_id = _text(said, "transid", "transId")
    if not SHORTEST_ID <= len(trans_id) <= LONGEST_ID:
        raise DsvsError(f"transId 应为 {SHORTEST_ID} 至 {LONGEST_ID} 个字符，实为 {len(trans_id)} 个")
    return Asking(
        trans_id,
        _original(_text(said, "oridata", "oriData"), _flag(said, "base64")),
        _base64(_text(said, "signvalue", "signValue"), "signValue"),
        _flag(said, "verifycert"),
    )


def _text(said: Mapping[str, Any], key: str, name: str) -> str:
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise DsvsError(f"缺少 {name}" if value in (None, "") else f"{name} 应为字符串")
    return str(value)


def _optional(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    if value is not None and not isinstance(value, str):
        raise DsvsError(f"{key} 应为字符串")
    return (value or "").strip()


def _flag(said: Mapping[str, Any], key: str) -> bool:
    value = said.get(key)
    if value is None or value == "":
        return False
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise DsvsError(f"{key} 应为 true 或 false")


def _original(text: str, is_base64: bool) -> bytes:
    try:
        raw = _base64(text, "oriData") if is_base64 else text.encode()
    except UnicodeEncodeError as error:
        raise DsvsError("oriData 含有不成对的代理字符，不是合法的 UTF-8") from error
    if len(raw) > MAX_ORIGINAL:
        raise DsvsError(f"oriData 超过 5M 字节（实为 {len(raw)} 字节）")
    return raw


def _base64(text: str, name: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:  # line breaks, the URL alphabet, no padding
        bare = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DsvsError(f"{name} 不是 Base64") from error


def _holder(text: str, name: str) -> Holder:
    if len(text) > _MAX_KEY:
        raise DsvsError(f"{name} 过长")
    try:
        return _read_holder(text)
    except GmError as error:
        raise DsvsError(f"{name} 无法解析：{error.reason}") from error


@lru_cache(maxsize=4096)
def _read_holder(text: str) -> Holder:
    """Kept: the same few doctors sign all day."""
    return read_holder(text.encode("utf-8", "replace"))


def is_plainly_valid(asking: Asking, policy: Policy) -> bool:
    """Whether the value is right, certificates not asked for: the common case, which costs one verification."""
    key = asking.key
    if key is None or asking.verify_certificate or not _fits(key, asking.algorithm):
        return False
    found = signatures.examine(
        key, asking.algorithm, asking.content, asking.value, accepted=policy.pre_images, diagnose=False
    )
    return found.valid and not found.oddities


def _fits(key: SubjectKey, algorithm: str) -> bool:
    return key.kind is (KeyKind.SM2 if algorithm == oids.SM2_SM3 else KeyKind.RSA)


def judge_pkcs1(asking: Asking, trust: Trust, at: datetime, policy: Policy) -> dict[str, Any]:
    """The answer for a signature value."""
    if looks_like_message(asking.value):
        return answer(
            OK, "signValue 是 PKCS#7 签名消息，应调用 pkcs7/verifyDataSign", asking.trans_id, result=False
        )
    if asking.key is not None and not _fits(asking.key, asking.algorithm):
        words = f"signAlgIdentifier 与公钥不符：公钥是 {asking.key.kind} 公钥"
        return answer(OK, words, asking.trans_id, result=False)
    question = Question(
        asking.value,
        (Reading(asking.content),),
        asking.holder.certificates,
        asking.holder.key,
        asking.algorithm,
        others=trust.certificates,
    )
    return _said(asking, verify_signature(question, trust, at, _policy(asking, policy)))


def judge_pkcs7(asking: Asking, trust: Trust, at: datetime, policy: Policy) -> dict[str, Any]:
    """The answer for a signed message."""
    if not looks_like_message(asking.value):
        return answer(OK, "signValue 不是 PKCS#7 签名消息", asking.trans_id, result=False)
    question = Question(asking.value, (Reading(asking.content),), others=trust.certificates)
    return _said(asking, verify_signature(question, trust, at, _policy(asking, policy)))


def _policy(asking: Asking, policy: Policy) -> Policy:
    return replace(policy, check_certificate=asking.verify_certificate)


def _said(asking: Asking, report: Report) -> dict[str, Any]:
    """Unknown is not "true": whoever asked for the certificate to be verified must not take it for verified."""
    if report.indication is Indication.PASSED:
        return answer(OK, "SUCCESS", asking.trans_id, result=True)
    return answer(OK, report.words, asking.trans_id, result=False)
