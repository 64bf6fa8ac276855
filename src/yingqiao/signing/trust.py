"""Whom signatures are trusted by: certificates an operator gave, with a role each, and revocation lists. Pure.

A CA that joins hands over its chain and the address of its list (接入申请材料清单, 四(二)4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yingqiao.gm import armor, certificates, cms, crl, der
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.crl import Revocation, RevocationList, State
from yingqiao.gm.errors import GmError

MAX_BUNDLE = 1024 * 1024
MAX_LIST = 32 * 1024 * 1024


class TrustError(GmError):
    """What was given is nothing that can be trusted."""

    code = "trust"


class Role(StrEnum):
    """What a certificate is trusted for."""

    CA = "ca"
    """It issues signers' certificates, and those of time stamping authorities."""
    TSA = "tsa"
    """It is a time stamping authority, or issues such only."""
    SEAL_MAKER = "seal-maker"
    """It makes seals (制章者), or issues those who do and nobody else."""

    @property
    def words(self) -> str:
        return {"ca": "CA", "tsa": "时间戳", "seal-maker": "制章者"}[self]


SIGNERS = frozenset({Role.CA})
TIME_STAMPERS = frozenset({Role.CA, Role.TSA})


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate that was given."""

    certificate: Certificate
    role: Role = Role.CA
    withdrawn: Revocation | None = None
    """Revoked by ourselves, who issued it: counts before, and without, any list that says so."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a file held."""

    certificates: tuple[Certificate, ...]
    lists: tuple[RevocationList, ...] = ()


class Trust:
    """Everything trusted at one moment. Immutable but for what it remembers; safe from any thread."""

    def __init__(self, entries: Iterable[Entry] = (), lists: Iterable[RevocationList] = ()) -> None:
        self.entries = tuple(entries)
        self._lists: dict[bytes, list[RevocationList]] = {}
        for one in lists:
            self._lists.setdefault(one.issuer.raw, []).append(one)
        for found in self._lists.values():
            found.sort(key=lambda one: one.this_update, reverse=True)
        self._signed: dict[tuple[int, bytes], bool] = {}
        self._given = frozenset(entry.certificate.raw for entry in self.entries)
        self._withdrawn = {one.certificate.raw: one.withdrawn for one in self.entries if one.withdrawn}
        self._anchors: dict[frozenset[Role], tuple[Certificate, ...]] = {}

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        return tuple(entry.certificate for entry in self.entries)

    def given(self, certificate: Certificate) -> bool:
        """Whether an operator gave this very certificate."""
        return certificate.raw in self._given

    def anchors(self, roles: frozenset[Role]) -> tuple[Certificate, ...]:
        """Where ways may end: what was given for one of `roles`, but for those whose issuer was given as well."""
        if roles not in self._anchors:
            own = [entry.certificate for entry in self.entries if entry.role in roles]
            self._anchors[roles] = tuple(one for one in own if not _issued_within(one, own))
        return self._anchors[roles]

    def lists_of(self, issuer: bytes) -> Sequence[RevocationList]:
        """Lists of the issuer with this name (DER), newest first."""
        return self._lists.get(issuer, ())

    def revocation(
        self, certificate: Certificate, issuer: Certificate, moment: datetime, more: Sequence[RevocationList]
    ) -> Revocation:
        """What the lists of `issuer` say about `certificate` at `moment`; `more` came with the signature."""
        if (withdrawn := self._withdrawn.get(certificate.raw)) is not None:
            return withdrawn
        own = [one for one in more if one.issuer.raw == certificate.issuer.raw]
        found = crl.NO_LIST
        for one in (*self.lists_of(certificate.issuer.raw), *own):
            if not self._is_signed(one, issuer):
                if found is crl.NO_LIST:
                    found = Revocation(State.UNKNOWN, "吊销列表的签名不是该颁发者的")
                continue
            answer = one.check(certificate, moment)
            if answer.state is not State.UNKNOWN:
                return answer
            found = answer
        return found

    def own_revocation(self, certificate: Certificate, moment: datetime) -> Revocation | None:
        """The same of a certificate trusted by itself, whose issuer need not be: None where nothing could say anything.

        A list of its issuer's that cannot be checked, or is stale, leaves it unknown. A CA was trusted by hand.
        """
        if (withdrawn := self._withdrawn.get(certificate.raw)) is not None:
            return withdrawn
        if certificate.is_ca or certificate.self_issued or not self.lists_of(certificate.issuer.raw):
            return None
        found = Revocation(State.UNKNOWN, "其颁发者的证书不在信任的证书中，吊销列表无从核对")
        for issuer in self._issuers(certificate):
            found = self.revocation(certificate, issuer, moment, ())
            if found.state is not State.UNKNOWN:
                break
        return found

    def _issuers(self, certificate: Certificate) -> list[Certificate]:
        named = [one for one in self.certificates if one.subject.raw == certificate.issuer.raw and one.is_ca]
        return [one for one in named if certificate.signed_by(one.key).valid]

    def _is_signed(self, one: RevocationList, issuer: Certificate) -> bool:
        """A list may be megabytes: its signature is looked at once an issuer."""
        key = (id(one), issuer.key.raw)
        if key not in self._signed:
            known = any(kept is one for kept in self.lists_of(one.issuer.raw))
            usage = issuer.facts.key_usage
            signed = (usage is None or "cRLSign" in usage) and one.signed_by(issuer.key).valid
            if not known:
                return signed
            self._signed[key] = signed
        return self._signed[key]

    def with_more(self, entries: Iterable[Entry], lists: Iterable[RevocationList] = ()) -> Trust:
        """The same and these."""
        kept = [one for found in self._lists.values() for one in found]
        return Trust((*self.entries, *entries), (*kept, *lists))


NOTHING = Trust()


def _issued_within(certificate: Certificate, given: Sequence[Certificate]) -> bool:
    if certificate.self_issued:
        return False
    return any(
        other is not certificate
        and other.is_ca
        and other.subject.raw == certificate.issuer.raw
        and certificate.signed_by(other.key).valid
        for other in given
    )


def read_bundle(raw: bytes) -> Bundle:
    """Certificates and lists in a file: DER, PEM of one or many, base64, or p7b (PKCS#7 without signers).

    Raises TrustError, ArmorError, DerError and those of what is inside.
    """
    if len(raw) > MAX_LIST:
        raise TrustError(f"文件超过 {MAX_LIST // 1024 // 1024} MiB")
    found: list[Certificate] = []
    lists: list[RevocationList] = []
    for block in armor.unwrap(raw):
        inside = _read_one(block)
        found += inside.certificates
        lists += inside.lists
    unique = {one.raw: one for one in found}
    if not unique and not lists:
        raise TrustError("文件中没有证书")
    return Bundle(tuple(unique.values()), tuple(lists))


def _read_one(block: bytes) -> Bundle:
    """One structure, told apart by how it begins."""
    children = list(_opening(block))
    if children and children[0].tag == der.OID:
        message = cms.parse(block)
        return Bundle(message.certificates, tuple(crl.parse(one) for one in message.crls))
    if _is_list(children):
        return Bundle((), (crl.parse(block),))
    return Bundle((certificates.parse(block),))


def _opening(block: bytes) -> Iterable[der.Node]:
    return der.parse(block, ber=True, max_size=MAX_LIST).expect(der.SEQUENCE, "证书").walk(4)


def _is_list(children: Sequence[der.Node]) -> bool:
    """A TBSCertList has a time where a certificate has its validity."""
    if len(children) != 3 or children[0].tag != der.SEQUENCE:
        return False
    tags = [child.tag for child in children[0].walk(16)]
    return bool({der.UTC_TIME, der.GENERALIZED_TIME} & set(tags[:5]))


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as its operator sees it when it is added."""

    certificates: tuple[Certificate, ...]
    oddities: tuple[str, ...] = field(default=())


def look_at(bundle: Bundle, role: Role, now: datetime) -> Chain:
    """What should be known before trusting it; Chinese. Adding is the operator's decision."""
    odd: list[str] = []
    for one in bundle.certificates:
        name = one.subject.common_name or str(one.subject)
        if role is Role.CA and not one.is_ca:
            odd.append(f"{name} 不是 CA 证书")
        if role is Role.SEAL_MAKER and one.is_ca:
            odd.append(f"{name} 是 CA 证书，它签发的都能制章：若不只给制章者发证，请改为信任制章者证书本身")
        if not one.valid_at(now):
            odd.append(f"{name} 不在有效期内（{one.not_before:%Y-%m-%d} 至 {one.not_after:%Y-%m-%d}）")
        if one.self_issued and not one.signed_by(one.key).valid:
            odd.append(f"{name} 的自签名不符")
        odd += [f"{name}：{text}" for text in one.oddities]
    return Chain(bundle.certificates, tuple(odd))
