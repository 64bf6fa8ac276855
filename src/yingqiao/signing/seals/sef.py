"""SEF_VerifySeal (四(二)4 电子签章验签接口): parameters in, answer out. Pure.

Plain JSON without appId, signature or envelope (T143); `resultCode` is a number as in the sample, and says whether the
request was answered; whether a seal is right says its `verifyResult`, 0 when it is (T144). signIndex counts from 0,
pageIndex from 1; requestTime is in ms (T145).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pybase64

from yingqiao.gm import oids, sm2
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import KeyKind
from yingqiao.signing.seals.found import TIMESTAMP, Found

OK, BAD_REQUEST, NOT_FOUND, TOO_LARGE, UNREADABLE = 0, 400, 404, 413, 422
"""`resultCode`, and 503 (busy), 500 (a defect of ours)."""
SUCCESS, PASSED = "SUCCESS", "成功"
NO_SEAL = "文件中没有电子签章"
LONGEST_ID = 36
LONGEST_ADDRESS = 4096
LONGEST_NAME = 1024
MAX_FILE = 32 * 1024 * 1024
MAX_BODY = MAX_FILE * 4 // 3 + 256 * 1024
_DATA, _ADDRESS = "0", "1"


class SefError(Exception):
    """A request that cannot be answered: `code` is `resultCode`, Chinese words; `trans_id` as far as it was read."""

    def __init__(self, words: str, code: int = BAD_REQUEST, trans_id: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.trans_id = trans_id


@dataclass(frozen=True, slots=True)
class Asking:
    """A request read: the file's bytes, or the `address` to fetch it from."""

    trans_id: str
    filename: str
    data: bytes | None
    address: str = ""


def read_request(parameters: Any) -> Asking:
    """Parameters of SEF_VerifySeal; names without regard to case, numbers as numbers or text. Raises SefError."""
    if not isinstance(parameters, Mapping):
        raise SefError("请求应为 JSON 对象")
    said = {str(name).lower(): value for name, value in parameters.items()}
    if len(said) != len(parameters):
        raise SefError("参数名重复（仅大小写不同）")
    trans_id = _text(said, "transid", "transId")
    if len(trans_id) > LONGEST_ID:
        raise SefError(f"transId 不得超过 {LONGEST_ID} 个字符，实为 {len(trans_id)} 个")
    try:
        _moment(said)
        return _file(said, trans_id)
    except SefError as error:
        error.trans_id = trans_id
        raise


def _file(said: Mapping[str, Any], trans_id: str) -> Asking:
    kind, text = _text(said, "filedatatype", "fileDataType"), _text(said, "filedata", "fileData")
    filename = said.get("filename") or ""
    if not isinstance(filename, str) or len(filename) > LONGEST_NAME:
        raise SefError("filename 应为字符串，或过长")
    if kind == _ADDRESS:
        if len(text) > LONGEST_ADDRESS:
            raise SefError(f"fileData 中的地址不得超过 {LONGEST_ADDRESS} 个字符")
        return Asking(trans_id, filename, None, text.strip())
    if kind != _DATA:
        raise SefError("fileDataType 应为 0（原数据）或 1（数据地址）")
    return Asking(trans_id, filename, _decoded(text))


def _text(said: Mapping[str, Any], key: str, name: str) -> str:
    value = said.get(key)
    if value is None or value == "":
        raise SefError(f"缺少 {name}")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise SefError(f"{name} 应为字符串或数字")
    return str(value)


def _moment(said: Mapping[str, Any]) -> None:
    """requestTime is asked for and not judged by: no rule says how old a request may be."""
    text = _text(said, "requesttime", "requestTime").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise SefError("requestTime 应为自 1970-01-01 起的毫秒数")


def _decoded(text: str) -> bytes:
    if len(text) > MAX_BODY:
        raise SefError(f"文件超过 {MAX_FILE // 1024 // 1024} MiB", TOO_LARGE)
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        found = pybase64.b64decode(body, validate=True)
    except ValueError:
        try:
            found = pybase64.b64decode("".join(body.split()), validate=True)
        except ValueError as error:
            raise SefError("fileData 不是 Base64（地址请用 fileDataType 1）") from error
    if len(found) > MAX_FILE:
        raise SefError(f"文件超过 {MAX_FILE // 1024 // 1024} MiB", TOO_LARGE)
    return found


def answer(
    trans_id: str, code: int = OK, message: str = SUCCESS, found: Sequence[Found] = ()
) -> dict[str, Any]:
    """The response with the members of the sample, in their order. A document's time stamp is no seal."""
    seals = [one for one in found if one.kind != TIMESTAMP]
    return {
        "transId": trans_id,
        "resultCode": code,
        "resultMessage": message,
        "fileVerifyInfo": {
            "totalCount": len(seals),
            "signInfoList": [_entry(index, one) for index, one in enumerate(seals)],
        },
    }


def answer_found(trans_id: str, found: Sequence[Found]) -> dict[str, Any]:
    """The response to a request that could be answered."""
    sealed = any(one.kind != TIMESTAMP for one in found)
    return answer(trans_id, OK, SUCCESS if sealed else NO_SEAL, found)


def _entry(index: int, found: Found) -> dict[str, Any]:
    verdict = found.verdict
    signature, seal = verdict.signature, verdict.seal
    return {
        "signIndex": index,
        "pageIndex": found.page or 0,
        "verifyResult": verdict.code,
        "resultMsg": verdict.report.words if verdict.code else PASSED,
        "signedValue": _base64(signed_value(signature.signature, verdict.signer)) if signature else "",
        "sealImage": _base64(seal.info.picture.data) if seal else "",
        "signDate": verdict.signed_at,
        "signCert": _base64(signature.certificate if signature else _raw(verdict.signer)),
        "signAlg": _algorithm(verdict.signer),
        "sealMakeCert": _base64(seal.maker) if seal else "",
    }


def signed_value(value: bytes, signer: Certificate | None) -> bytes:
    """The value alone; of SM2 r‖s, 64 bytes, as the sample has it."""
    if signer is not None and signer.key.kind is not KeyKind.SM2:
        return value
    try:
        return sm2.der_to_raw(value)
    except GmError:
        return value


def _algorithm(signer: Certificate | None) -> str:
    if signer is None or signer.key.kind is KeyKind.SM2:
        return "SM3WithSM2"
    return "SHA256WithRSA" if signer.key.kind is KeyKind.RSA else oids.words(signer.key.algorithm)


def _raw(certificate: Certificate | None) -> bytes:
    return certificate.raw if certificate is not None else b""


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
