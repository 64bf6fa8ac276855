"""A time stamp judged: signature, binding, purpose, imprint, and its certificate at the time it names (GM/T 0033).

The order is that of verifyTS: structure, certificate, signature, original, trust, validity. An authority's
certificate that is expired today does not matter when the time lies inside its validity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from yingqiao.gm import oids, timestamp
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.timestamp import TokenFacts
from yingqiao.signing.trust import TIME_STAMPERS, Trust
from yingqiao.signing.verification.certificate_steps import (
    Setting,
    certificate_facts,
    certificate_steps,
    lists_in,
    nobody,
)
from yingqiao.signing.verification.policy import DEFAULT, Policy, weigh
from yingqiao.signing.verification.readings import Reading, explain_original
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
from yingqiao.signing.verification.values import is_weak

CLOCKS_DIFFER = timedelta(minutes=5)
"""So far in the future a time stamp may be: clocks differ."""
SUBJECT = "时间戳"


@dataclass(frozen=True, slots=True)
class StampJudged:
    """A verdict with the time that it proves; None when it proves none."""

    report: Report
    gen_time: datetime | None

    @property
    def proves(self) -> bool:
        return self.gen_time is not None and self.report.indication is Indication.PASSED


def verify_timestamp(
    raw: bytes,
    originals: Sequence[Reading],
    trust: Trust,
    at: datetime,
    *,
    known: Sequence[Certificate] = (),
    policy: Policy = DEFAULT,
) -> StampJudged:
    """The verdict on a TimeStampToken or TimeStampResp over one of `originals` (none: the imprint is not
    looked at, and the verdict is unknown). Never raises, whatever the bytes are.
    """
    try:
        token = timestamp.parse_token(raw)
        facts = timestamp.examine(token, known=(*known, *trust.certificates))
    except GmError as error:
        step = failed("format", "not-a-timestamp", f"不是时间戳，或已损坏：{error.reason}")
        return StampJudged(Report(SUBJECT, (step,), at, at, "at"), None)
    steps = [passed("format", "", facts.oddities), *_own_steps(facts, originals, policy)]
    gen_time = token.info.gen_time
    shown = _shown(facts)
    if facts.certificate is not None:
        setting = Setting(
            trust,
            policy,
            TIME_STAMPERS,
            gen_time,
            token.message.certificates,
            lists_in(token.message.crls),
        )
        found, way = certificate_steps(facts.certificate, setting)
        steps += found
        shown["chain"] = [str(one.subject) for one in way.certificates[1:]]
    steps.append(_time(gen_time, at))
    return StampJudged(Report(SUBJECT, tuple(steps), at, gen_time, "token", shown), gen_time)


def _own_steps(facts: TokenFacts, originals: Sequence[Reading], policy: Policy) -> list[Step]:
    certificate = facts.certificate
    if certificate is None:
        return [nobody("时间戳中没有时间戳机构的证书，信任的证书中也没有"), _imprint(facts, originals)]
    return [
        passed("certificate", certificate.subject.common_name),
        _signature(facts),
        _binding(facts, policy),
        _imprint(facts, originals),
        _purpose(facts, certificate, policy),
        _strength(facts, policy),
    ]


def _signature(facts: TokenFacts) -> Step:
    if facts.token.info.unknown_critical:
        names = "、".join(map(oids.words, facts.token.info.unknown_critical))
        return unknown("signature", "unknown-critical-extension", f"时间戳有未知的关键扩展 {names}")
    if facts.signed:
        return passed("signature", oids.words(facts.signer.info.signature_algorithm))
    if facts.signer.digest_ok is False:
        return failed("signature", "digest-mismatch", "时间戳内容与其消息摘要不一致：时间戳被改动")
    if facts.signer.digest_ok is None:
        return failed("signature", "attributes-missing", "时间戳没有签名属性")
    if facts.signer.content_type_ok is False or facts.signer.algorithms_ok is False:
        return failed("signature", "attributes-contradict", "签名属性与时间戳内容或算法不符")
    pre_image = facts.signer.signature.pre_image
    why = f"（{pre_image.words}）" if pre_image is not None else ""
    return failed("signature", "signature-mismatch", f"时间戳的签名不符：被改动，或不是该机构所签{why}")


def _binding(facts: TokenFacts, policy: Policy) -> Step:
    if facts.bound:
        return passed("binding")
    if facts.signer.certificate_named_ok is False:
        words = "签名属性所指的证书与时间戳中的证书不同（证书被替换，或证书内容有损坏）"
        return weigh(policy.binding, "binding", "other-certificate", words)
    return weigh(policy.binding, "binding", "certificate-not-named", "签名属性没有指明时间戳证书")


def _imprint(facts: TokenFacts, originals: Sequence[Reading]) -> Step:
    imprint = facts.token.info.imprint
    if imprint.algorithm not in oids.DIGESTS:
        return unknown("imprint", "algorithm", f"不支持的杂凑算法 {oids.words(imprint.algorithm)}")
    if not originals:
        return unknown("imprint", "no-content", "没有给出原文，无法核对时间戳所盖的内容")
    for one in originals:
        if imprint.of(one.content):
            return passed("imprint", f"所盖的是{one.words}")
    why = explain_original(originals[0].content, imprint.of)
    words = "时间戳所盖的不是所给原文" + (f"：{why.words}" if why else "")
    return failed("imprint", why.reason if why else "imprint-mismatch", words)


def _purpose(facts: TokenFacts, certificate: Certificate, policy: Policy) -> Step:
    if facts.purpose_ok:
        return passed("purpose")
    used = certificate.facts.extended_usage
    words = f"证书不是时间戳专用（扩展用途 {'、'.join(map(oids.words, used or ())) or '未写'}）"
    return weigh(policy.purpose, "purpose", "not-for-timestamps", words)


def _strength(facts: TokenFacts, policy: Policy) -> Step:
    weak = [text for text in (*facts.signer.signature.oddities, *facts.oddities) if is_weak(text)]
    if not weak:
        return passed("algorithm")
    return weigh(policy.weak_algorithm, "algorithm", "weak-algorithm", "；".join(dict.fromkeys(weak)))


def _time(gen_time: datetime, at: datetime) -> Step:
    if gen_time > at + CLOCKS_DIFFER:
        return unknown("time", "in-the-future", f"时间戳的时间 {beijing(gen_time)} 晚于判定时间")
    return passed("time", beijing(gen_time))


def _shown(facts: TokenFacts) -> dict[str, Any]:
    info = facts.token.info
    return {
        "kind": "时间戳",
        "genTime": stamp(info.gen_time),
        "serial": f"{info.serial:X}",
        "policy": info.policy,
        "tsa": info.tsa,
        "imprint": {"hash": oids.words(info.imprint.algorithm), "digest": info.imprint.digest.hex()},
        "certificate": certificate_facts(facts.certificate) if facts.certificate else {},
        "oddities": list(facts.oddities),
    }
