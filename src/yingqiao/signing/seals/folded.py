"""Signatures in a PDF that are no seals: their reports told in the rows of a seal's, so that one code answers for all.

GM/T 0010 messages over the document or over its SM3 value, CMS with SM2, document time stamps. RSA and ECDSA are judged
by pyHanko elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from yingqiao.gm import cms
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.signing.seals import rows
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.verdict import Verdict
from yingqiao.signing.verification.policy import Weight
from yingqiao.signing.verification.readings import Reading
from yingqiao.signing.verification.report import Report, Step
from yingqiao.signing.verification.signature import Question, verify_signature
from yingqiao.signing.verification.timestamp import verify_timestamp

_ROW_OF: Mapping[str, str] = {
    "format": rows.FORMAT,
    "binding": rows.SIGNATURE,
    "signature": rows.SIGNATURE,
    "algorithm": rows.SIGNATURE,
    "certificate": rows.SIGNER,
    "purpose": rows.SIGNER,
    "key-usage": rows.SIGNER,
    "chain": rows.SIGNER,
    "validity": rows.SIGNER,
    "revocation": rows.SIGNER,
    "time": rows.TIME,
    "timestamp": rows.TIME,
    "content": rows.HASH,
    "imprint": rows.HASH,
}


def judge_message(raw: bytes, content: bytes, digest: bytes, context: SealContext) -> Verdict:
    """A signed message over `content`, or holding its SM3 `digest` as some products write it (row 9). Never raises."""
    policy = replace(
        context.policy, embedded_digest=Weight.WARN, several_readings=Weight.WARN, claimed_time=True
    )
    readings = (Reading(content, "文件"), Reading(digest, "文件的 SM3 杂凑值", "embedded-digest"))
    question = Question(raw, readings, others=context.trust.certificates)
    report = verify_signature(question, context.trust, context.at, policy)
    time = report.reference if report.reference_by in ("token", "claimed") else None
    return Verdict(folded(report), signer=_signer(raw, context), time=time)


def judge_stamp(raw: bytes, content: bytes, context: SealContext) -> Verdict:
    """A document time stamp over `content`. Never raises."""
    judged = verify_timestamp(
        raw, (Reading(content, "文件"),), context.trust, context.at, policy=context.policy
    )
    return Verdict(replace(folded(judged.report), subject="文件时间戳"), time=judged.gen_time)


def folded(report: Report) -> Report:
    """Its steps told in rows, in the rows' order."""
    gathered: dict[str, list[Step]] = {}
    for step in report.steps:
        gathered.setdefault(_ROW_OF.get(step.name, rows.OTHER), []).append(step)
    ordered = [name for name in rows.ROWS if name in gathered]
    return replace(report, steps=tuple(rows.row(name, gathered[name]) for name in ordered))


def _signer(raw: bytes, context: SealContext) -> Certificate | None:
    """The first signer's certificate, to be shown."""
    try:
        message = cms.parse(raw)
    except GmError:
        return None
    known: Sequence[Certificate] = (*message.certificates, *context.trust.certificates)
    for info in message.signers[:1]:
        for one in known:
            if info.issuer is not None and (one.serial, one.issuer.raw) == (info.serial, info.issuer.raw):
                return one
    return None
