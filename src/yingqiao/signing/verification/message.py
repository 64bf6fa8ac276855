"""The steps of a signed message before its certificates: structure, signers, original, values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from yingqiao.gm import cms_facts, oids
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.cms import SignedMessage
from yingqiao.gm.cms_facts import Content, MessageFacts, SignerFacts
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.certificate_steps import nobody
from yingqiao.signing.verification.diagnosis import diagnose
from yingqiao.signing.verification.policy import Policy, weigh
from yingqiao.signing.verification.readings import Reading, explain_original
from yingqiao.signing.verification.report import Step, failed, passed, unknown
from yingqiao.signing.verification.values import value_steps

if TYPE_CHECKING:
    from yingqiao.signing.verification.signature import Question


def message_steps(
    message: SignedMessage, question: Question, trust: Trust, policy: Policy
) -> tuple[list[Step], tuple[SignerFacts, ...]]:
    """The steps, and the signers with what is known of them."""
    known = (*question.certificates, *trust.certificates)
    if not message.signers:
        return [failed("format", "no-signer", "签名消息中没有签名者")], ()
    facts, reading = _examine(message, question.readings, known, policy)
    steps = [
        passed("format", "", facts.oddities),
        *_certificates(facts, question, policy),
        _content(facts, message, question.readings, reading, policy),
    ]
    for signer in facts.signers:
        steps += _value(signer, message, reading, question, policy)
    return steps, facts.signers


def _examine(
    message: SignedMessage, readings: Sequence[Reading], known: Sequence[Certificate], policy: Policy
) -> tuple[MessageFacts, Reading | None]:
    """By the first reading that fits; else by the first."""
    first: tuple[MessageFacts, Reading | None] | None = None
    for reading in readings or (None,):
        original = None if reading is None else reading.content
        facts = cms_facts.examine(message, original, known=known, accepted=policy.pre_images)
        if facts.valid and facts.content is not Content.EMBEDDED_DIGEST:
            return facts, reading
        first = first or (facts, reading)
    assert first is not None  # noqa: S101 -- there is one turn at least
    return first


def _certificates(facts: MessageFacts, question: Question, policy: Policy) -> list[Step]:
    """Every signer's certificate is there, and is the one that was named beside the signature (T67)."""
    found = [signer.certificate for signer in facts.signers if signer.certificate is not None]
    if len(found) < len(facts.signers):
        return [nobody("签名消息中没有签名者的证书，也没有另外给出")]
    named = question.certificates[0] if question.certificates else None
    if named is not None and all(one.raw != named.raw for one in found):
        words = f"签名消息中的签名者证书（{found[0].subject.common_name}）不是所给的证书（{named.subject.common_name}）"
        return [failed("certificate", "other-certificate", words)]
    notes = [text for signer in facts.signers for text in signer.oddities]
    renamed = [text for text in notes if "颁发者" in text]
    rest = [text for text in notes if text not in renamed]
    names = "、".join(one.subject.common_name for one in found)
    if renamed:
        return [weigh(policy.other_issuer_name, "certificate", "issuer-differs", renamed[0], rest)]
    return [passed("certificate", names, rest)]


def _content(
    facts: MessageFacts,
    message: SignedMessage,
    readings: Sequence[Reading],
    reading: Reading | None,
    policy: Policy,
) -> Step:
    if facts.content is Content.MISSING:
        return unknown("content", "no-content", Content.MISSING.words)
    if facts.content is Content.EMBEDDED_DIGEST:
        return weigh(policy.embedded_digest, "content", "embedded-digest", facts.content.words)
    if facts.content is Content.DIFFERENT:
        return _different(message.content or b"", readings)
    if reading is not None and reading.reason:
        return weigh(policy.several_readings, "content", reading.reason, f"签的是{reading.words}")
    return passed("content", facts.content.words)


def _different(embedded: bytes, readings: Sequence[Reading]) -> Step:
    """What is inside, when it is a short text, and whether it is the original in another spelling."""
    words = Content.DIFFERENT.words + _quoted(embedded)
    why = explain_original(readings[0].content, lambda other: other == embedded) if readings else None
    if why is not None:
        return failed("content", why.reason, f"{Content.DIFFERENT.words}：{why.words}")
    return failed("content", "other-content", words)


def _quoted(embedded: bytes) -> str:
    """Its length only: what was signed may name a patient."""
    return f"（内含 {len(embedded)} 字节）"


def _value(
    signer: SignerFacts, message: SignedMessage, reading: Reading | None, question: Question, policy: Policy
) -> list[Step]:
    if signer.certificate is None:
        return []
    if signer.signature.valid:
        return [*value_steps(signer.signature, policy), *_attributes(signer, policy)]
    if signer.signature.pre_image is not None:
        reason = "user-id" if "用户标识" in signer.signature.pre_image.words else "hash-without-z"
        return [failed("signature", reason, signer.signature.pre_image.words)]
    attributes = signer.info.attributes is not None
    content = message.content if message.content is not None else reading.content if reading else None
    signed = signer.info.attributes_der if attributes else content
    if signed is None:
        return []
    algorithm = oids.SM2_SM3 if signer.info.digest_algorithm == oids.SM3 else oids.SHA256_RSA
    why = diagnose(
        signer.certificate.key,
        algorithm,
        signed,
        signer.info.signature,
        others=(*message.certificates, *question.others),
    )
    return [
        failed("signature", why.reason, why.words, signer.signature.oddities),
        *_attributes(signer, policy),
    ]


def _attributes(signer: SignerFacts, policy: Policy) -> list[Step]:
    """The signed attributes against content and algorithms; nothing to say where they agree or are not there."""
    if signer.digest_ok is False:
        return [failed("binding", "digest-mismatch", "签名属性中的消息摘要与原文不一致：原文被改动")]
    if signer.content_type_ok is False:
        return [failed("binding", "content-type", "签名属性中的内容类型与内容不符")]
    if signer.algorithms_ok is False:
        return [failed("binding", "algorithms", "签名属性保护的算法与所用的不同")]
    if signer.certificate_named_ok is False:
        words = "签名属性所指的证书不是签名者证书"
        return [weigh(policy.binding, "binding", "other-certificate", words)]
    return []
