"""A certificate judged by itself: way to a trusted one, validity, revocation at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from yingqiao.gm import oids
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.crl import RevocationList
from yingqiao.signing.trust import Role, Trust
from yingqiao.signing.verification.certificate_steps import Setting, certificate_facts, certificate_steps
from yingqiao.signing.verification.policy import DEFAULT, Policy, weigh
from yingqiao.signing.verification.report import Report, passed

_ALL = frozenset(Role)


def verify_certificate(
    certificate: Certificate,
    trust: Trust,
    at: datetime,
    *,
    pool: Sequence[Certificate] = (),
    lists: Sequence[RevocationList] = (),
    policy: Policy = DEFAULT,
) -> Report:
    """The verdict on `certificate` at `at`; `pool` and `lists` came with it. Never raises."""
    setting = Setting(trust, policy, _ALL, at, pool, lists)
    steps, way = certificate_steps(certificate, setting)
    critical = certificate.facts.unknown_critical
    form = passed("format", "", certificate.oddities)
    if critical:
        names = "、".join(map(oids.words, critical))
        form = weigh(
            policy.unknown_critical, "format", "unknown-critical-extension", f"证书有未知的关键扩展 {names}"
        )
    facts = {
        "kind": "证书",
        "certificate": certificate_facts(certificate),
        "chain": [str(one.subject) for one in way.certificates[1:]],
    }
    return Report("证书", (form, *steps), at, at, "at", facts)


def leaves(given: Sequence[Certificate]) -> list[Certificate]:
    """Those of `given` that issued none of the others: what a person who hands over a chain asks about."""
    issuers = {one.issuer.raw for one in given if not one.self_issued}
    found = [one for one in given if one.subject.raw not in issuers or not one.is_ca]
    return found or list(given[:1])
