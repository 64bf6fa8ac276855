"""verifyTS: one result code of a time stamp over an original, in the documented order (四(二)4(4), T137).

structure -1, no certificate -5, signature or binding or purpose -1, original -2, root or revoked -3,
before validity -4, after it -6, else 1. A certificate that expired since is no matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from yingqiao.gm import armor, chain, timestamp
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.timestamp import TokenFacts

MAX_TEXT = 2 << 20


class VerifyRes(StrEnum):
    """verifyRes as on the wire."""

    VALID = "1"
    TOKEN_FAILED = "-1"  # noqa: S105 a result code
    ORIGINAL_FAILED = "-2"
    ROOT_NOT_TRUSTED = "-3"
    NOT_YET_VALID = "-4"
    NO_CERTIFICATE = "-5"
    EXPIRED_THEN = "-6"


class TrustStore(Protocol):
    """Whom time stamps are believed from."""

    def roots(self) -> Sequence[Certificate]:
        """Trust anchors; a time stamping certificate may be one itself."""

    def known(self) -> Sequence[Certificate]:
        """Further certificates: of authorities between, and time stamping ones for tokens without."""

    def revoked(self, certificate: Certificate, issuer: Certificate, at: datetime) -> bool:
        """Whether it is known to have been revoked at that time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is Chinese, for the detailed report and the log."""

    code: VerifyRes
    reason: str
    facts: TokenFacts | None = None


def verify_text(original: bytes, token: str, trust: TrustStore) -> Verdict:
    """As verifyTS is asked: the original's bytes exactly as sent (UTF-8, never decoded first), the token in base64."""
    if len(token) > MAX_TEXT:
        return Verdict(VerifyRes.TOKEN_FAILED, "时间戳过长")
    try:
        raw = armor.unwrap_one(token.encode())
    except GmError as error:
        return Verdict(VerifyRes.TOKEN_FAILED, error.reason)
    return verify(original, raw, trust)


def verify(original: bytes, raw: bytes, trust: TrustStore) -> Verdict:
    """A TimeStampToken or a TimeStampResp in DER or BER."""
    roots, known = tuple(trust.roots()), tuple(trust.known())
    try:
        facts = timestamp.examine(timestamp.parse_token(raw), original=original, known=(*roots, *known))
    except GmError as error:
        return Verdict(VerifyRes.TOKEN_FAILED, error.reason)
    code, reason = _judge(facts, roots, known, trust)
    return Verdict(code, reason, facts)


def _judge(
    facts: TokenFacts, roots: Sequence[Certificate], known: Sequence[Certificate], trust: TrustStore
) -> tuple[VerifyRes, str]:
    certificate, info = facts.certificate, facts.token.info
    if certificate is None:
        return VerifyRes.NO_CERTIFICATE, "时间戳不带证书，信任库中也没有签发它的时间戳证书"
    if wrong := _token_wrong(facts, certificate, roots):
        return VerifyRes.TOKEN_FAILED, wrong
    if not facts.imprint_ok:
        return VerifyRes.ORIGINAL_FAILED, "原文的杂凑值与时间戳中的不一致"
    if wrong := _chain_wrong(facts, certificate, roots, known, trust):
        return VerifyRes.ROOT_NOT_TRUSTED, wrong
    if info.gen_time < certificate.not_before:
        return (
            VerifyRes.NOT_YET_VALID,
            f"签发时间早于证书生效时间 {certificate.not_before:%Y-%m-%d %H:%M:%S}Z",
        )
    if info.gen_time > certificate.not_after:
        return VerifyRes.EXPIRED_THEN, f"签发时间晚于证书失效时间 {certificate.not_after:%Y-%m-%d %H:%M:%S}Z"
    return VerifyRes.VALID, "时间戳有效"


def _token_wrong(facts: TokenFacts, certificate: Certificate, roots: Sequence[Certificate]) -> str:
    if not facts.signed:
        return "时间戳的签名不正确"
    # Binding keeps another certificate of the same key from taking its place; one trusted itself cannot be replaced.
    if not facts.bound and all(certificate.raw != root.raw for root in roots):
        return "时间戳的签名属性没有指明这张证书"
    if not facts.purpose_ok:
        return "证书的用途不是时间戳"
    if facts.token.info.unknown_critical:
        return "时间戳含有未知的关键扩展"
    return ""


def _chain_wrong(
    facts: TokenFacts,
    certificate: Certificate,
    roots: Sequence[Certificate],
    known: Sequence[Certificate],
    trust: TrustStore,
) -> str:
    inside = facts.token.message.certificates
    best = chain.build(certificate, (*inside, *known), roots)[0]
    if not best.anchored:
        return f"证书不是由所信任的根签发；签发者 {best.certificates[-1].issuer}"
    if not best.sound:
        return "证书链不成立"
    at = facts.token.info.gen_time
    if any(trust.revoked(step.certificate, step.issuer, at) for step in best.steps):
        return "证书在签发时间戳之前已吊销"
    return ""
