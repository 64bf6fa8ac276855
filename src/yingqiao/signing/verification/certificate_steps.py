"""The steps about a certificate at a moment: critical extensions, way to a trusted one, validity, revocation.

Order of reference: parse, chain by names and key identifiers, signatures, validity, revocation, usage
(GB/T 20518-2018, RFC 5280 6.1). A CA certificate an operator gave needs no list of its own issuer: it was trusted
by hand; one that a message brought along does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yingqiao.gm import chain, crl, oids
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.chain import Path
from yingqiao.gm.crl import Revocation, RevocationList, State
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import PreImage
from yingqiao.signing.trust import Role, Trust
from yingqiao.signing.verification.policy import Policy, weigh
from yingqiao.signing.verification.report import Step, beijing, failed, name_of, passed, stamp, unknown

_MAX_LISTS = 4
_LARGEST_LIST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Setting:
    """What a certificate is judged by. `pool` came with the signature, as did `lists`."""

    trust: Trust
    policy: Policy
    roles: frozenset[Role]
    moment: datetime
    pool: Sequence[Certificate] = ()
    lists: Sequence[RevocationList] = field(default=())


def lists_in(raw: Sequence[bytes]) -> tuple[RevocationList, ...]:
    """The revocation lists that came with a message, as far as they can be read."""
    found = []
    for one in raw[:_MAX_LISTS]:
        try:
            if len(one) <= _LARGEST_LIST:
                found.append(crl.parse(one))
        except GmError:
            continue
    return tuple(found)


def certificate_steps(certificate: Certificate, setting: Setting) -> tuple[list[Step], Path]:
    """Chain, validity and revocation of a certificate, and the way that was found."""
    way = chain.build(
        certificate,
        (*setting.pool, *setting.trust.certificates),
        setting.trust.anchors(setting.roles),
    )[0]
    return [_chain(way, setting), _validity(way, setting), _revocation(way, setting)], way


def key_usage(certificate: Certificate, policy: Policy) -> Step:
    """digitalSignature or nonRepudiation; critical extensions nobody knows."""
    usage = certificate.facts.key_usage
    if not certificate.may_sign:
        words = f"证书的密钥用途不含签名（{'、'.join(sorted(usage or ()))}），可能是加密证书"
        return weigh(policy.key_usage, "key-usage", "key-usage", words)
    if certificate.facts.unknown_critical:
        names = "、".join(map(oids.words, certificate.facts.unknown_critical))
        return weigh(
            policy.unknown_critical,
            "key-usage",
            "unknown-critical-extension",
            f"证书有未知的关键扩展 {names}",
        )
    return passed("key-usage", "" if usage else "证书没有写明密钥用途")


def _chain(way: Path, setting: Setting) -> Step:
    broken = _broken(way)
    if broken is not None and (way.anchored or broken.reason == "chain-signature"):
        return broken
    if not way.anchored or broken is not None:
        last = way.certificates[-1]
        if last.self_issued:
            words = f"证书链的根 {last.subject.common_name or last.subject} 不在信任的证书中"
        else:
            words = f"缺少颁发者 {last.issuer.common_name or last.issuer} 的可信证书"
        return weigh(setting.policy.chain_missing, "chain", "no-trusted-chain", words)
    notes = [
        f"{name_of(step.certificate)} 的颁发者名称与 CA 证书编码不同"
        for step in way.steps
        if not step.names_equal
    ]
    critical = [one for one in way.certificates[1:-1] if one.facts.unknown_critical]
    if critical:
        words = f"{name_of(critical[0])} 有未知的关键扩展"
        return weigh(setting.policy.unknown_critical, "chain", "unknown-critical-extension", words, notes)
    return passed("chain", " → ".join(_short(one) for one in way.certificates), notes)


def _broken(way: Path) -> Step | None:
    """The first step of a way that does not hold."""
    for step in way.steps:
        name = name_of(step.certificate)
        if not step.signature.valid:
            if step.key_ids_agree is False:
                return failed("chain", "issuer-key", f"{name} 由同名的另一把 CA 密钥签发")
            words = f"{name} 上的 CA 签名不符：证书被改动，或并非该 CA 签发"
            if step.signature.pre_image in (PreImage.EMPTY_ID, PreImage.NO_Z):
                words += f"（{step.signature.pre_image.words}）"
            return failed("chain", "chain-signature", words)
        if not step.issuer_is_ca or not step.issuer_may_certify:
            return failed("chain", "issuer-not-ca", f"{name} 的颁发者不是 CA 证书，无权签发")
        if not step.length_kept:
            return failed("chain", "path-length", f"{name} 之上的 CA 超出了允许的层数")
        if step.key_ids_agree is False:
            return failed("chain", "issuer-key", f"{name} 指明的颁发者密钥与 CA 证书的不同")
    return None


def _short(certificate: Certificate) -> str:
    return certificate.subject.common_name or str(certificate.subject)


def _validity(way: Path, setting: Setting) -> Step:
    """Every certificate but the anchor, which is trusted by hand."""
    checked = way.certificates[:-1] if way.anchored and way.steps else way.certificates
    moment = setting.moment
    for one in checked:
        if moment < one.not_before:
            words = f"{name_of(one)} 自 {beijing(one.not_before)} 起才有效，早于此时签名"
            return failed("validity", "not-yet-valid", words)
        if moment > one.not_after:
            words = f"{name_of(one)} 已于 {beijing(one.not_after)} 过期，没有可信时间戳证明签名在此之前"
            return weigh(setting.policy.expired, "validity", "expired", words)
    anchor = way.certificates[-1]
    notes = [f"信任的证书 {_short(anchor)} 已不在有效期内"] if not anchor.valid_at(moment) else []
    return passed("validity", f"{way.certificates[0].not_after:%Y-%m-%d} 到期", notes)


def revocations(
    way: Path, trust: Trust, at: datetime, lists: Sequence[RevocationList] = ()
) -> list[tuple[Certificate, Revocation]]:
    """What is known at `at` of every certificate of a way below its end; of one trusted by itself, where anything is."""
    if way.steps:
        return [
            (step.certificate, trust.revocation(step.certificate, step.issuer, at, lists))
            for step in way.steps
        ]
    own = trust.own_revocation(way.certificates[0], at) if way.anchored else None
    return [] if own is None else [(way.certificates[0], own)]


def _revocation(way: Path, setting: Setting) -> Step:
    answers = revocations(way, setting.trust, setting.moment, setting.lists)
    if not answers:
        if way.anchored:
            return passed("revocation", "证书本身即受信任，没有其颁发者的吊销列表可查")
        return weigh(
            setting.policy.revocation_missing, "revocation", "no-crl", "没有颁发者的证书，无法查吊销列表"
        )
    notes: list[str] = []
    missing: Step | None = None
    for certificate, answer in answers:
        name = name_of(certificate)
        if answer.state is State.REVOKED:
            verdict = _revoked(name, answer, setting.moment)
            if verdict is not None:
                return verdict
            notes.append(f"{name} 在签名之后被吊销：{answer.words}")
        elif answer.state is State.UNKNOWN:
            if setting.trust.given(certificate) and certificate.is_ca:
                notes.append(f"{name} 由管理员信任，未查吊销列表（{answer.words}）")
            elif missing is None:
                missing = _not_known(name, answer, setting.policy)
    if missing is not None:
        return Step(missing.name, missing.indication, missing.reason, missing.words, (*notes, *missing.notes))
    return passed("revocation", "未被吊销" if not notes else "", notes)


def _not_known(name: str, answer: Revocation, policy: Policy) -> Step:
    reason = "no-crl" if answer is crl.NO_LIST else "crl-unusable"
    reason = "crl-stale" if "过期" in answer.words else reason
    words = f"无法确认 {name} 是否被吊销：{answer.words}"
    return weigh(policy.revocation_missing, "revocation", reason, words)


def _revoked(name: str, answer: Revocation, moment: datetime) -> Step | None:
    """Failed when it was revoked by then; a compromised key counts from when it was lost."""
    since = answer.invalid_since
    if since is not None and since <= moment:
        return failed(
            "revocation", "key-compromised", f"{name} 的密钥自 {beijing(since)} 起不可信：{answer.words}"
        )
    if answer.date is None or answer.date <= moment:
        return failed("revocation", "revoked", f"{name} 在签名之前已被吊销：{answer.words}")
    return None


def certificate_facts(certificate: Certificate) -> dict[str, Any]:
    """Everything people and programs ask of a certificate."""
    facts = certificate.facts
    return {
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "serial": certificate.serial_hex,
        "notBefore": stamp(certificate.not_before),
        "notAfter": stamp(certificate.not_after),
        "key": str(certificate.key.kind),
        "keyUsage": sorted(facts.key_usage or ()),
        "crlPoints": list(facts.crl_points),
        "identities": {oids.words(oid): text for oid, text in facts.identities},
        "oddities": list(certificate.oddities),
    }


def nobody(words: str, reason: str = "no-certificate") -> Step:
    """There is no certificate to judge."""
    return unknown("certificate", reason, words)
