"""A signature judged: a bare value (PKCS#1: SM2, RSA) or a signed message (GM/T 0010, PKCS#7/CMS).

Facts come from `gm`; here they are weighed, in the order structure, certificate, original, value, usage, chain,
validity, revocation, time stamp. Everything that can be looked at is, so that the report is complete; the first
step that fails names the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yingqiao.gm import cms, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import Examined, KeyKind, SubjectKey
from yingqiao.signing.trust import SIGNERS, Trust
from yingqiao.signing.verification.certificate_steps import (
    Setting,
    certificate_facts,
    certificate_steps,
    key_usage,
    lists_in,
    nobody,
)
from yingqiao.signing.verification.diagnosis import Diagnosis, diagnose, looks_like_message
from yingqiao.signing.verification.message import message_steps
from yingqiao.signing.verification.policy import DEFAULT, Policy, weigh
from yingqiao.signing.verification.readings import Reading
from yingqiao.signing.verification.report import (
    Indication,
    Report,
    Step,
    beijing,
    failed,
    passed,
    stamp,
    unknown,
)
from yingqiao.signing.verification.timestamp import StampJudged, verify_timestamp
from yingqiao.signing.verification.values import value_steps

SUBJECT = "签名"
MAX_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be verified. Of `readings` one has to fit; none means that no original was given."""

    signature: bytes = field(repr=False)
    """DER, 64 bytes r‖s, an RSA value, or a signed message: armour is off."""
    readings: Sequence[Reading] = field(default=(), repr=False)
    certificates: Sequence[Certificate] = ()
    """The signer's first; others help with the chain."""
    key: SubjectKey | None = None
    """A public key in place of a certificate."""
    algorithm: str = ""
    """As declared; '' = by the key."""
    tokens: Sequence[bytes] = field(default=(), repr=False)
    """Time stamps over the original or over the signature value."""
    others: Sequence[Certificate] = ()
    """Certificates of other signers that are known: only to explain."""


def verify_signature(question: Question, trust: Trust, at: datetime, policy: Policy = DEFAULT) -> Report:
    """The verdict at `at`. Never raises, whatever the bytes are."""
    if looks_like_message(question.signature):
        return _message(question, trust, at, policy)
    return _value(question, trust, at, policy)


def _value(question: Question, trust: Trust, at: datetime, policy: Policy) -> Report:
    certificate = question.certificates[0] if question.certificates else None
    key = certificate.key if certificate is not None else question.key
    facts: dict[str, Any] = {"kind": "PKCS#1 签名值", "content": _size(question.readings)}
    if key is None:
        step = nobody("没有给出签名者的证书或公钥", "no-certificate")
        return Report(SUBJECT, (_form(question.signature), step), at, at, "at", facts)
    algorithm = question.algorithm or (oids.SM2_SM3 if key.kind is KeyKind.SM2 else oids.SHA256_RSA)
    facts["algorithm"] = oids.words(algorithm)
    steps = [_form(question.signature)]
    if certificate is not None:
        steps.append(passed("certificate", certificate.subject.common_name, certificate.oddities))
        facts["certificate"] = certificate_facts(certificate)
    steps += _value_steps(question, key, algorithm, policy, facts)
    stamps = stamps_of(question.tokens, question, trust, at, policy)
    moment, by = moment_of(stamps, None, at, policy)
    if certificate is not None and policy.check_certificate:
        setting = Setting(trust, policy, SIGNERS, moment, question.certificates[1:])
        steps += judged_certificate(certificate, setting, facts)
    elif policy.check_certificate:
        steps.append(unknown("certificate", "key-only", "只给出公钥，没有证书，无法确认签名者是谁"))
    steps += stamp_steps(stamps, policy)
    facts["tokens"] = [one.report.shown() for one in stamps]
    return Report(SUBJECT, tuple(steps), at, moment, by, facts)


def _form(signature: bytes) -> Step:
    if not signature:
        return failed("format", "empty", "签名值为空")
    return passed("format", f"{len(signature)} 字节")


def _size(readings: Sequence[Reading]) -> str:
    return f"{len(readings[0].content)} 字节" if readings else ""


def _value_steps(
    question: Question, key: SubjectKey, algorithm: str, policy: Policy, facts: dict[str, Any]
) -> list[Step]:
    """The original, the value, and the strength of the algorithm."""
    if not question.readings:
        return [unknown("content", "no-content", "没有给出原文，无法验证签名值")]
    examined = Examined(valid=False)
    for reading in question.readings:
        examined = signatures.examine(
            key, algorithm, reading.content, question.signature, accepted=policy.pre_images, diagnose=False
        )
        if examined.valid:
            facts["reading"] = reading.words
            return [*_reading(reading, policy), *value_steps(examined, policy)]
    why = diagnose(key, algorithm, question.readings[0].content, question.signature, others=_others(question))
    facts["diagnoses"] = [why.words]
    return [passed("content"), _not_valid(why, examined)]


def _others(question: Question) -> Sequence[Certificate]:
    return (*question.certificates[1:], *question.others)


def _reading(reading: Reading, policy: Policy) -> list[Step]:
    if not reading.reason:
        return [passed("content")]
    words = f"签的是{reading.words}"
    return [weigh(policy.several_readings, "content", reading.reason, words)]


def _not_valid(why: Diagnosis, examined: Examined) -> Step:
    return failed("signature", why.reason, why.words, examined.oddities)


def judged_certificate(certificate: Certificate, setting: Setting, facts: dict[str, Any]) -> list[Step]:
    """Usage, chain, validity and revocation of a signer's certificate."""
    steps, way = certificate_steps(certificate, setting)
    facts["chain"] = [str(one.subject) for one in way.certificates[1:]]
    return [key_usage(certificate, setting.policy), *steps]


def stamps_of(
    tokens: Sequence[bytes], question: Question, trust: Trust, at: datetime, policy: Policy
) -> list[StampJudged]:
    """The time stamps, each over the signature value or the original."""
    value = Reading(question.signature, "签名值")
    originals = (*question.readings, value)
    return [verify_timestamp(raw, originals, trust, at, policy=policy) for raw in tokens[:MAX_TOKENS]]


def moment_of(
    stamps: Sequence[StampJudged], claimed: datetime | None, at: datetime, policy: Policy
) -> tuple[datetime, str]:
    """The moment that certificates are judged at: the earliest that a trusted time stamp proves, else `at`."""
    proven = [one.gen_time for one in stamps if one.proves and one.gen_time is not None]
    if proven:
        return min(*proven, at), "token"
    if policy.claimed_time and claimed is not None and claimed <= at:
        return claimed, "claimed"
    return at, "at"


def stamp_steps(stamps: Sequence[StampJudged], policy: Policy) -> list[Step]:
    """One step a time stamp."""
    steps = []
    for one in stamps:
        deciding = one.report.deciding
        if one.report.indication is Indication.PASSED:
            steps.append(passed("timestamp", beijing(one.gen_time) if one.gen_time else ""))
        elif one.report.indication is Indication.FAILED:
            steps.append(weigh(policy.timestamp, "timestamp", deciding.reason, one.report.words))
        else:
            steps.append(unknown("timestamp", deciding.reason, one.report.words))
    return steps


def _message(question: Question, trust: Trust, at: datetime, policy: Policy) -> Report:
    facts: dict[str, Any] = {"kind": "PKCS#7 签名消息", "content": _size(question.readings)}
    try:
        message = cms.parse(question.signature)
    except GmError as error:
        step = failed("format", "not-a-signed-message", f"签名消息无法解析：{error.reason}")
        return Report(SUBJECT, (step,), at, at, "at", facts)
    facts["kind"] = "GM/T 0010 签名消息" if message.gm else "PKCS#7 签名消息"
    steps, signers = message_steps(message, question, trust, policy)
    facts["signers"] = [
        {
            "certificate": certificate_facts(signer.certificate) if signer.certificate else {},
            "signingTime": stamp(signer.info.signing_time),
            "algorithm": oids.words(signer.info.signature_algorithm),
        }
        for signer in signers
    ]
    moment, by, shown = at, "at", []
    for signer in signers:
        own = Question(signer.info.signature, question.readings)
        stamps = stamps_of((*signer.info.time_stamps, *question.tokens), own, trust, at, policy)
        moment, by = moment_of(stamps, signer.info.signing_time, at, policy)
        if signer.certificate is not None and policy.check_certificate:
            pool = (*message.certificates, *question.certificates)
            setting = Setting(trust, policy, SIGNERS, moment, pool, lists_in(message.crls))
            steps += judged_certificate(signer.certificate, setting, facts)
        steps += stamp_steps(stamps, policy)
        shown += [one.report.shown() for one in stamps]
    facts["tokens"] = shown
    return Report(SUBJECT, tuple(steps), at, moment, by, facts)
