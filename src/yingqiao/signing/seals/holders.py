"""The certificates of a seal: whether the signer is one the seal names (row 3), and each one's own state (5 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from yingqiao.gm import certificates, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.chain import Path
from yingqiao.gm.crl import State
from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import CertificateDigest, SealInfo
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.trust import Role
from yingqiao.signing.verification.certificate_steps import (
    Setting,
    certificate_steps,
    key_usage,
    revocations,
)
from yingqiao.signing.verification.policy import Policy, weigh
from yingqiao.signing.verification.report import Indication, Step, beijing, failed, name_of, passed

_MOST_COMPARED = 100
_SERVICES = frozenset({oids.TIME_STAMPING, oids.OCSP_SIGNING, oids.SERVER_AUTH})
_KINDS = {oids.DIGESTS[oid].upper(): oid for oid in oids.DIGESTS} | {oid: oid for oid in oids.DIGESTS}


def holder_step(signer: Certificate, info: SealInfo, policy: Policy) -> Step:
    """Whether the seal names the signer's certificate, by its bytes or its digest (certListType)."""
    if signer.raw in info.certificates:
        return passed("certificate", f"印章列有此证书（共 {len(info.certificates)} 张）")
    for one in info.digests[:_MOST_COMPARED]:
        oid = digest_oid(one)
        if oid is None or signatures.digest(oid, signer.raw) != one.value:
            continue
        if oid == oids.SHA1:
            words = "印章以 SHA-1 指明签章者证书"
            return weigh(policy.weak_algorithm, "certificate", "weak-algorithm", words)
        return passed("certificate", f"印章以 {oids.DIGESTS[oid].upper()} 杂凑值指明此证书")
    return failed("certificate", "not-in-seal", _not_named(signer, info))


def digest_oid(one: CertificateDigest) -> str | None:
    """The algorithm that a digest's type names: SM3, sha-256, an object identifier …"""
    bare = one.kind.strip()
    return _KINDS.get(bare) or _KINDS.get(bare.upper().replace("-", "").replace("_", ""))


def _not_named(signer: Certificate, info: SealInfo) -> str:
    count = len(info.certificates) + len(info.digests)
    words = f"签章者证书 {name_of(signer)} 不在印章列出的 {count} 张证书中"
    for raw in info.certificates[:_MOST_COMPARED]:
        listed = _parsed(raw)
        if listed is not None and listed.key.raw == signer.key.raw:
            return f"{words}；印章列的是同一密钥的另一张证书（序列号 {listed.serial_hex}），证书更新后印章没有更新"
    return words


def _parsed(raw: bytes) -> Certificate | None:
    try:
        return certificates.parse(raw)
    except GmError:
        return None


def maker_step(maker: Certificate, way: Path, context: SealContext) -> Step:
    """Whether the one who made the seal was trusted to: named himself, or issued by a CA of seal makers only.

    Nothing in a certificate says that its holder makes seals. A CA that issues signers' certificates too would let each
    of its signers make them.
    """
    entries = context.trust.entries
    if any(one.role is Role.SEAL_MAKER and one.certificate.raw == maker.raw for one in entries):
        return passed("certificate", "制章者证书本身受信任")
    issuers = [one.certificate.key.raw for one in entries if one.role is Role.CA]
    if len(way.certificates) > 1 and way.certificates[1].key.raw in issuers:
        words = f"{name_of(maker)} 的 CA 也签发签名证书，它签发的不都是制章者"
        return weigh(context.policy.chain_missing, "chain", "maker-not-named", words)
    return passed("certificate")


def _purposes(certificate: Certificate, policy: Policy) -> Step:
    """A time stamping authority, an OCSP responder, a web server: such certificates seal nothing."""
    purposes = certificate.facts.extended_usage
    if purposes and _SERVICES.issuperset(purposes):
        words = f"证书只供{'、'.join(map(oids.words, purposes))}之用，不能盖章或制章"
        return weigh(policy.key_usage, "key-usage", "key-usage", words)
    return passed("key-usage")


def certificate_rows(
    certificate: Certificate,
    context: SealContext,
    roles: frozenset[Role],
    moment: datetime,
    proof: datetime,
    pool: Sequence[Certificate] = (),
) -> tuple[list[Step], Path]:
    """Usage, chain, validity and revocation at `moment`; where nothing proves that moment, also what happened
    between it and `proof`.
    """
    setting = Setting(context.trust, context.policy, roles, moment, pool)
    steps, way = certificate_steps(certificate, setting)
    found = [key_usage(certificate, context.policy), _purposes(certificate, context.policy), *steps]
    if proof > moment and all(step.indication is Indication.PASSED for step in found):
        found += _since(way, context, moment, proof)
    return found, way


def _since(way: Path, context: SealContext, moment: datetime, proof: datetime) -> list[Step]:
    """Revoked or expired after a moment that is only stated: the holder of the key could state any."""
    policy, found = context.policy, list[Step]()
    for certificate, answer in revocations(way, context.trust, proof):
        if answer.state is State.REVOKED and (answer.date is None or moment < answer.date <= proof):
            words = f"{name_of(certificate)} {answer.words}，没有可信时间戳证明签名在此之前"
            found.append(weigh(policy.unproven_revoked, "revocation", "revoked-no-proof", words))
        elif answer.state is State.UNKNOWN and not (certificate.is_ca and context.trust.given(certificate)):
            words = f"无法确认 {name_of(certificate)} 至今是否被吊销：{answer.words}"
            found.append(weigh(policy.revocation_missing, "revocation", "crl-stale", words))
    own = way.certificates[0]
    if own.not_after < proof:
        words = f"{name_of(own)} 已于 {beijing(own.not_after)} 过期，签名时间 {beijing(moment)} 没有可信时间戳证明"
        found.append(weigh(policy.unproven_expired, "validity", "expired-no-proof", words))
    return found
