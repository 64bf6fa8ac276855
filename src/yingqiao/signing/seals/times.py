"""When a document was sealed: what a trusted time stamp proves, else what the signer stated (row 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from yingqiao.gm import timestamp
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import SealSignature
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.verification.policy import weigh
from yingqiao.signing.verification.readings import Reading
from yingqiao.signing.verification.report import Step, beijing, passed, unknown
from yingqiao.signing.verification.signature import stamp_steps
from yingqiao.signing.verification.timestamp import CLOCKS_DIFFER, StampJudged, verify_timestamp

APART = timedelta(hours=1)
"""So much later than stated a time stamp may be: it is asked for when the signature is there, by another clock."""


@dataclass(frozen=True, slots=True)
class SealTime:
    """`moment` is what certificates and the seal are judged at; `proof` until when they have to hold where only the
    signer states the moment (the same when a token proves it).
    """

    moment: datetime
    by: str
    """token | claimed | at"""
    proof: datetime
    steps: tuple[Step, ...]
    tokens: tuple[dict[str, Any], ...] = ()


def time_of(signature: SealSignature, signer: Certificate | None, context: SealContext) -> SealTime:
    """The time of a seal signature. Never raises."""
    judged = _stamp(signature, context)
    stated, proven = signature.time, judged.gen_time if judged is not None and judged.proves else None
    steps = [] if judged is None else stamp_steps([judged], context.policy)
    shown = () if judged is None else (judged.report.shown(),)
    if proven is not None:
        moment = min(proven, context.at)
        steps += _against(stated, proven, signer, context)
        return SealTime(moment, "token", moment, tuple(steps), shown)
    steps += _stated(stated, judged, context)
    if stated is None or stated > context.at:
        return SealTime(context.at, "at", context.at, tuple(steps), shown)
    return SealTime(stated, "claimed", context.at, tuple(steps), shown)


def _stamp(signature: SealSignature, context: SealContext) -> StampJudged | None:
    """The token over the signature value; of v1, where it stands inside what is signed, over the document."""
    if signature.token is not None:
        readings = (Reading(signature.signature, "签章签名值"),)
        return verify_timestamp(signature.token, readings, context.trust, context.at, policy=context.policy)
    if signature.time_token is None:
        return None
    readings = (Reading(signature.data_hash, "文档杂凑值"),)
    judged = verify_timestamp(
        signature.time_token, readings, context.trust, context.at, policy=context.policy
    )
    if not _stamps_hash(signature.time_token, signature.data_hash):
        return judged
    steps = tuple(
        passed("imprint", "所盖的是文档") if step.name == "imprint" else step for step in judged.report.steps
    )
    return StampJudged(replace(judged.report, steps=steps), judged.gen_time)


def _stamps_hash(token: bytes, data_hash: bytes) -> bool:
    try:
        return timestamp.parse_token(token).info.imprint.digest == data_hash
    except GmError:
        return False


def _against(
    stated: datetime | None, proven: datetime, signer: Certificate | None, context: SealContext
) -> list[Step]:
    """The stated time beside the proven one."""
    if stated is None:
        return []
    if not stated - CLOCKS_DIFFER <= proven <= stated + APART:
        words = f"声称的签章时间 {beijing(stated)} 与时间戳 {beijing(proven)} 相差过大"
        return [weigh(context.policy.seal_time, "time", "times-apart", words)]
    if signer is not None and not signer.valid_at(stated):
        words = f"声称的签章时间 {beijing(stated)} 不在签章者证书的有效期内"
        return [weigh(context.policy.seal_time, "time", "outside-certificate", words)]
    return [passed("time", f"声称的签章时间 {beijing(stated)}")]


def _stated(stated: datetime | None, judged: StampJudged | None, context: SealContext) -> list[Step]:
    """The stated time by itself."""
    if stated is None:
        return [] if judged is not None else [unknown("time", "no-time", "签章中没有可以读出的签章时间")]
    if stated > context.at + CLOCKS_DIFFER:
        words = f"声称的签章时间 {beijing(stated)} 晚于验证时间 {beijing(context.at)}"
        return [weigh(context.policy.seal_time, "time", "in-the-future", words)]
    if judged is None:
        words = f"签章没有时间戳，签章时间 {beijing(stated)} 由签章者自己声称"
        return [weigh(context.policy.seal_stamp_missing, "time", "no-timestamp", words)]
    return [passed("time", f"声称的签章时间 {beijing(stated)}")]
