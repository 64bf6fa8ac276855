"""The built-in CA: what it certifies of whom (GB/T 20518), and by whose key.

Every doctor gets two certificates: for signing, over the key phone and server share, and for encryption, over a key that
the server makes and keeps. The CA's own key stays behind a `Signer`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from yingqiao.gm import issuing, names, oids
from yingqiao.gm.issuing import Authority, Order, Profile
from yingqiao.gm.signatures import Signer, SubjectKey
from yingqiao.signing.certificates.states import add_months

ROOT_YEARS = 20
AUTHORITY_PLACE = "{authority}"
"""In an address: where the number of the CA goes."""
_BACKDATED = timedelta(minutes=5)
"""A certificate is valid a little before it is made: clocks of those who check it differ."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate names. `person` is empty for a unit."""

    hospital: str
    person: str = ""
    department: str = ""
    id_number: str = ""
    credit_code: str = ""
    """统一社会信用代码 of the hospital."""


@dataclass(frozen=True, slots=True)
class IssuingRule:
    """What the operator decides for all certificates of this CA."""

    months: int = 12
    crl_urls: tuple[str, ...] = ()
    province: str = "山西省"

    def of(self, authority_id: int) -> IssuingRule:
        """The rule of one CA: its number put into the addresses."""
        urls = tuple(url.replace(AUTHORITY_PLACE, str(authority_id)) for url in self.crl_urls)
        return replace(self, crl_urls=urls)


def root_certificate(common_name: str, key: SubjectKey, signer: Signer, now: datetime) -> bytes:
    """A self-signed CA certificate in DER, for `ROOT_YEARS`. Raises CertificateError."""
    subject = names.build(
        [(oids.COUNTRY, "CN"), (oids.ORGANIZATION, "影桥"), (oids.COMMON_NAME, common_name)]
    )
    order = Order(
        Profile.CA,
        subject,
        key,
        issuing.new_serial(),
        now - _BACKDATED,
        add_months(now, 12 * ROOT_YEARS),
        path_length=0,
    )
    return issuing.issue(order, Authority(subject, key, signer))


def doctor_certificate(
    profile: Profile,
    subject: Subject,
    key: SubjectKey,
    authority: Authority,
    rule: IssuingRule,
    now: datetime,
) -> bytes:
    """A doctor's signing or encryption certificate in DER. Raises CertificateError."""
    named = [
        (oids.COUNTRY, "CN"),
        (oids.STATE, rule.province),
        (oids.ORGANIZATION, subject.hospital),
        (oids.UNIT, subject.department),
        (oids.COMMON_NAME, subject.person),
    ]
    identities = ((oids.IDENTIFY_CODE, subject.id_number),) if subject.id_number else ()
    order = Order(
        profile,
        names.build([(oid, text) for oid, text in named if text]),
        key,
        issuing.new_serial(),
        now - _BACKDATED,
        add_months(now, rule.months),
        crl_urls=rule.crl_urls,
        identities=identities,
    )
    return issuing.issue(order, authority)


def unit_certificate(
    subject: Subject, key: SubjectKey, authority: Authority, rule: IssuingRule, months: int, now: datetime
) -> bytes:
    """A hospital's signing certificate in DER, with its 统一社会信用代码. Raises CertificateError."""
    named = [
        (oids.COUNTRY, "CN"),
        (oids.STATE, rule.province),
        (oids.ORGANIZATION, subject.hospital),
        (oids.UNIT, subject.department),
        (oids.COMMON_NAME, subject.hospital),
    ]
    identities = ((oids.ORGANIZATION_CODE, subject.credit_code),) if subject.credit_code else ()
    order = Order(
        Profile.SIGNING,
        names.build([(oid, text) for oid, text in named if text]),
        key,
        issuing.new_serial(),
        now - _BACKDATED,
        add_months(now, months),
        crl_urls=rule.crl_urls,
        identities=identities,
    )
    return issuing.issue(order, authority)


def service_certificate(
    profile: Profile,
    common_name: str,
    key: SubjectKey,
    authority: Authority,
    rule: IssuingRule,
    now: datetime,
) -> bytes:
    """The certificate of a service of ours: time stamping or seal making. Raises CertificateError."""
    subject = names.build(
        [(oids.COUNTRY, "CN"), (oids.ORGANIZATION, "影桥"), (oids.COMMON_NAME, common_name)]
    )
    order = Order(
        profile,
        subject,
        key,
        issuing.new_serial(),
        now - _BACKDATED,
        add_months(now, 60),
        crl_urls=rule.crl_urls,
    )
    return issuing.issue(order, authority)
