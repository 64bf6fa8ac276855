"""Certificate revocation lists: read, asked about a certificate, issued.

RFC 5280 5, X.509 v2 with SM2/SM3 as GB/T 20518-2018 5.3 wants it. A list answers good, revoked (when, why)
or unknown (why); unknown is never good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from yingqiao.gm import der, extensions, issuing, names, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.extensions import Extension
from yingqiao.gm.issuing import Authority
from yingqiao.gm.names import Name
from yingqiao.gm.signatures import ONLY_RULE, Examined, PreImage, SubjectKey

MAX_ENTRIES = 1_000_000


class CrlError(GmError):
    """Not a revocation list, or one that cannot be issued."""

    code = "crl"


class Reason(IntEnum):
    """CRLReason (RFC 5280 5.3.1)."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    REMOVE_FROM_CRL = 8
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10

    @property
    def words(self) -> str:
        return _REASON_WORDS[self]


_REASON_WORDS = {
    Reason.UNSPECIFIED: "未说明",
    Reason.KEY_COMPROMISE: "密钥泄露",
    Reason.CA_COMPROMISE: "CA 密钥泄露",
    Reason.AFFILIATION_CHANGED: "隶属关系变更",
    Reason.SUPERSEDED: "被新证书取代",
    Reason.CESSATION_OF_OPERATION: "停止使用",
    Reason.CERTIFICATE_HOLD: "暂停使用",
    Reason.REMOVE_FROM_CRL: "从列表移除",
    Reason.PRIVILEGE_WITHDRAWN: "权限收回",
    Reason.AA_COMPROMISE: "属性机构密钥泄露",
}


class State(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate's state by a list. `words` is Chinese; dates and reason only when revoked."""

    state: State
    words: str
    date: datetime | None = None
    reason: Reason | None = None
    invalid_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list as received. `entries` is serial number to where its entry begins; times are aware, in UTC."""

    raw: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    algorithm: str
    issuer: Name
    this_update: datetime
    next_update: datetime | None
    number: int | None
    authority_key_id: bytes | None
    unusable: tuple[str, ...]
    """Why it cannot answer: delta, indirect or partial lists, unknown critical extensions."""
    only_ca: bool
    only_users: bool
    entries: Mapping[int, int] = field(repr=False)
    signature: bytes = field(repr=False)

    def signed_by(self, key: SubjectKey, *, accepted: frozenset[PreImage] = ONLY_RULE) -> Examined:
        """Whether `key` signed it."""
        return signatures.examine(key, self.algorithm, self.tbs, self.signature, accepted=accepted)

    def check(self, certificate: Certificate, at: datetime) -> Revocation:
        """What it says about `certificate` for a judgement made at `at`; a stale list still revokes."""
        if certificate.issuer.raw != self.issuer.raw:
            return Revocation(State.UNKNOWN, "吊销列表不是该证书颁发者的")
        if (self.only_ca and not certificate.is_ca) or (self.only_users and certificate.is_ca):
            return Revocation(State.UNKNOWN, "吊销列表不涵盖这类证书")
        return self.check_serial(certificate.serial, at)

    def check_serial(self, serial: int, at: datetime) -> Revocation:
        """As `check`, of a serial number of this issuer."""
        if self.unusable:
            return Revocation(State.UNKNOWN, f"吊销列表无法使用：{'；'.join(self.unusable)}")
        begins = self.entries.get(serial)
        if begins is not None:
            return _revoked(der.Node(self.raw, begins, len(self.raw)))
        if self.next_update is None:
            return Revocation(State.UNKNOWN, "吊销列表没有下次更新时间")
        if at > self.next_update:
            return Revocation(State.UNKNOWN, f"吊销列表已于 {self.next_update:%Y-%m-%d %H:%M:%S}Z 过期")
        return Revocation(State.GOOD, "未被吊销")


NO_LIST = Revocation(State.UNKNOWN, "没有吊销列表")


def parse(raw: bytes) -> RevocationList:
    """A CertificateList in DER. Raises CrlError, DerError."""
    root = der.parse(raw)
    outer = der.Fields(root, "吊销列表")
    tbs = outer.take(der.SEQUENCE)
    algorithm, _ = signatures.algorithm(outer.take(), "吊销列表签名算法")
    signature, _ = der.bits(outer.take(der.BIT_STRING), "吊销列表签名值")
    outer.end()
    inner = der.Fields(tbs, "吊销列表内容")
    version = inner.optional(der.INTEGER)
    if version is not None and der.integer(version) != 1:
        raise CrlError("未知的吊销列表版本")
    inner_algorithm, _ = signatures.algorithm(inner.take(), "吊销列表签名算法")
    issuer, this_update = names.read(inner.take()), der.time(inner.take(), "本次更新时间")
    next_update = inner.optional(der.UTC_TIME, der.GENERALIZED_TIME)
    entries = inner.optional(der.SEQUENCE)
    holder = inner.optional(der.context(0))
    inner.end()
    listed = () if holder is None else extensions.read_list(holder.only("吊销列表扩展"))
    unusable, scope = _scope(listed)
    if inner_algorithm != algorithm:
        unusable = [*unusable, "内外两处签名算法不一致"]
    number = _value(listed, oids.CRL_NUMBER)
    return RevocationList(
        root.raw,
        tbs.raw,
        algorithm,
        issuer,
        this_update,
        None if next_update is None else der.time(next_update, "下次更新时间"),
        None if number is None else der.integer(der.parse(number), "吊销列表编号"),
        extensions.facts(e for e in listed if e.oid == oids.AUTHORITY_KEY_ID).authority_key_id,
        tuple(unusable),
        0x82 in scope,
        0x81 in scope,
        {} if entries is None else _entries(entries),
        signature,
    )


def _entries(node: der.Node) -> dict[int, int]:
    found: dict[int, int] = {}
    for entry in node.walk(MAX_ENTRIES):
        serial = der.Node(entry.data, entry.expect(der.SEQUENCE, "吊销条目").body, entry.end, entry.depth + 1)
        found[der.integer(serial, "吊销条目序列号")] = entry.start
    return found


def _value(listed: Iterable[Extension], oid: str) -> bytes | None:
    return next((extension.value for extension in listed if extension.oid == oid), None)


def _scope(listed: Iterable[Extension]) -> tuple[list[str], set[int]]:
    """Why the list cannot be used, and the tags set in its issuingDistributionPoint."""
    unusable: list[str] = []
    scope: set[int] = set()
    for extension in listed:
        if extension.oid == oids.ISSUING_POINT:
            scope = {part.tag for part in der.parse(extension.value).walk(10)}
            unusable += [_PARTIAL[tag] for tag in sorted(scope & set(_PARTIAL))]
        elif extension.oid == oids.DELTA_CRL:
            unusable.append("是增量列表")
        elif extension.critical and extension.oid not in (oids.AUTHORITY_KEY_ID, oids.CRL_NUMBER):
            unusable.append(f"未知的关键扩展 {oids.words(extension.oid)}")
    return unusable, scope


_PARTIAL = {0x83: "只含部分吊销原因", 0x84: "是间接列表", 0x85: "只含属性证书"}


def _revoked(entry: der.Node) -> Revocation:
    """Whoever is listed is revoked; what of the entry cannot be read is not known."""
    try:
        return _read_entry(entry)
    except der.DerError as error:
        return Revocation(State.REVOKED, f"已吊销，吊销条目损坏：{error.reason}")


def _read_entry(entry: der.Node) -> Revocation:
    fields = der.Fields(entry, "吊销条目")
    fields.take(der.INTEGER)
    date, more = der.time(fields.take(), "吊销时间"), fields.optional(der.SEQUENCE)
    listed = () if more is None else extensions.read_list(more)
    reason = _reason(_value(listed, oids.CRL_REASON))
    since = _value(listed, oids.INVALIDITY_DATE)
    invalid_since = None if since is None else der.time(der.parse(since), "失效日期")
    return revoked(date, reason, invalid_since)


def revoked(date: datetime, reason: Reason | None, invalid_since: datetime | None = None) -> Revocation:
    """In words."""
    words = f"已于 {date:%Y-%m-%d %H:%M:%S}Z 吊销" + (f"，原因：{reason.words}" if reason else "")
    return Revocation(State.REVOKED, words, date, reason, invalid_since)


def _reason(value: bytes | None) -> Reason | None:
    """Unknown numbers are unspecified."""
    if value is None:
        return None
    number = der.integer(der.parse(value), "吊销原因")
    return Reason(number) if number in set(Reason) else Reason.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Entry:
    """A revoked certificate in a list to be issued."""

    serial: int
    date: datetime
    reason: Reason | None = None


def issue(
    authority: Authority, entries: Iterable[Entry], number: int, this_update: datetime, next_update: datetime
) -> bytes:
    """A version 2 list in DER, entries in the order given. Raises CrlError when it would be stale at once."""
    if next_update <= this_update:
        raise CrlError("下次更新时间应晚于本次更新时间")
    revoked = b"".join(_entry(entry) for entry in entries)
    extension = issuing.extension(oids.CRL_NUMBER, der.write_integer(number))
    tbs = der.sequence(
        der.write_integer(1),
        authority.signer.algorithm,
        authority.name.raw,
        der.write_time(this_update),
        der.write_time(next_update),
        der.sequence(revoked) if revoked else b"",
        der.explicit(0, der.sequence(issuing.authority_key_id(authority), extension)),
    )
    return issuing.signed(tbs, authority.signer)


def _entry(entry: Entry) -> bytes:
    """`unspecified` is left out, as RFC 5280 5.3.1 asks."""
    more = b""
    if entry.reason:
        value = der.element(der.ENUMERATED, bytes((entry.reason,)))
        more = der.sequence(issuing.extension(oids.CRL_REASON, value))
    return der.sequence(der.write_integer(entry.serial), der.write_time(entry.date), more)
