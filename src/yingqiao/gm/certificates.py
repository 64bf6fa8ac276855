"""X.509 certificates as they are met in China: every form of the profile is read, each departure is a fact.

GB/T 20518-2018 / GM/T 0015, RFC 5280. Judging is not done here: unknown critical extensions, weak keys and
odd encodings are listed for a policy. The signed bytes are those received (`Certificate.tbs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from yingqiao.gm import der, extensions, names, oids, signatures
from yingqiao.gm.errors import GmError
from yingqiao.gm.extensions import Extension, Facts
from yingqiao.gm.names import Name
from yingqiao.gm.signatures import ONLY_RULE, Examined, PreImage, SubjectKey

MAX_CERTIFICATE = 64 * 1024
_REMEMBERED = 8 * 1024
"""Larger certificates are read each time: what is kept stays bounded whatever arrives."""
_LONGEST_SERIAL = 64
SIGNING_USAGES = frozenset({"digitalSignature", "nonRepudiation"})


class CertificateError(GmError):
    """Not a certificate."""

    code = "certificate"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate; the names are the standard's. Times are aware, in UTC."""

    raw: bytes
    tbs: bytes
    version: int
    serial: int
    serial_raw: bytes
    algorithm: str
    issuer: Name
    subject: Name
    not_before: datetime
    not_after: datetime
    key: SubjectKey
    extensions: tuple[Extension, ...]
    facts: Facts
    signature: bytes
    oddities: tuple[str, ...]

    @property
    def serial_hex(self) -> str:
        """The serial number's octets as written, which is how people quote it."""
        return self.serial_raw.hex().upper()

    @property
    def self_issued(self) -> bool:
        return self.issuer.raw == self.subject.raw

    @property
    def is_ca(self) -> bool:
        """A CA by basicConstraints, or a self-issued certificate of version 1."""
        return self.facts.ca is True or (self.version == 1 and self.self_issued)

    @property
    def may_sign(self) -> bool:
        """keyUsage allows signatures (digitalSignature or nonRepudiation), or is not there."""
        return self.facts.key_usage is None or bool(self.facts.key_usage & SIGNING_USAGES)

    def valid_at(self, moment: datetime) -> bool:
        """Whether `moment` is inside the validity, both ends included."""
        return self.not_before <= moment <= self.not_after

    def signed_by(self, key: SubjectKey, *, accepted: frozenset[PreImage] = ONLY_RULE) -> Examined:
        """Whether `key` signed it, by which pre-image."""
        examine = _signed_by if len(self.raw) <= _REMEMBERED else _signed_by.__wrapped__
        return examine(self.tbs, self.algorithm, self.signature, key, accepted)


@lru_cache(maxsize=2048)
def _signed_by(
    tbs: bytes, algorithm: str, signature: bytes, key: SubjectKey, accepted: frozenset[PreImage]
) -> Examined:
    """Remembered, as the same few certificates of a hospital are asked about all day."""
    return signatures.examine(key, algorithm, tbs, signature, accepted=accepted)


def parse(raw: bytes) -> Certificate:
    """A certificate in DER. Raises CertificateError, DerError."""
    return _parse(raw) if len(raw) <= _REMEMBERED else _parse.__wrapped__(raw)


@lru_cache(maxsize=1024)
def _parse(raw: bytes) -> Certificate:
    return _read(der.parse(raw, max_size=MAX_CERTIFICATE))


def read(node: der.Node) -> Certificate:
    """The certificate inside a larger structure, which may be BER around it. Raises CertificateError, DerError."""
    return parse(node.raw)


def _read(root: der.Node) -> Certificate:
    outer = der.Fields(root, "证书")
    tbs = outer.take(der.SEQUENCE)
    algorithm, outer_parameters = signatures.algorithm(outer.take(), "证书签名算法")
    signature, _ = der.bits(outer.take(der.BIT_STRING), "证书签名值")
    outer.end()
    inner = der.Fields(tbs, "证书内容")
    version = _version(inner.optional(der.context(0)))
    serial = inner.take(der.INTEGER)
    inner_algorithm, inner_parameters = signatures.algorithm(inner.take(), "证书签名算法")
    issuer = names.read(inner.take())
    not_before, not_after = _validity(inner.take())
    subject, key = names.read(inner.take()), signatures.read_key(inner.take())
    listed = _extensions(inner)
    found = extensions.facts(listed)
    oddities = [*issuer.oddities, *subject.oddities, *found.oddities, *_serial_oddities(serial.content)]
    if (inner_algorithm, inner_parameters) != (algorithm, outer_parameters):
        oddities.append("内外两处签名算法不一致")
    if outer_parameters == der.write_null() and algorithm == oids.SM2_SM3:
        oddities.append("签名算法带有 NULL 参数")
    if key.oddity:
        oddities.append(key.oddity)
    if not_after < not_before:
        oddities.append("有效期的终止早于起始")
    return Certificate(
        root.raw,
        tbs.raw,
        version,
        der.integer(serial, "证书序列号"),
        serial.content,
        algorithm,
        issuer,
        subject,
        not_before,
        not_after,
        key,
        listed,
        found,
        signature,
        tuple(oddities),
    )


def _version(node: der.Node | None) -> int:
    version = 1 if node is None else der.integer(node.only("证书版本"), "证书版本") + 1
    if version not in (1, 2, 3):
        raise CertificateError(f"未知的证书版本 {version}")
    return version


def _validity(node: der.Node) -> tuple[datetime, datetime]:
    fields = der.Fields(node, "有效期")
    start, end = der.time(fields.take(), "有效期起始"), der.time(fields.take(), "有效期终止")
    fields.end()
    return start, end


def _extensions(inner: der.Fields) -> tuple[Extension, ...]:
    inner.optional(0x81, 0xA1), inner.optional(0x82, 0xA2)
    holder = inner.optional(der.context(3))
    inner.end()
    return () if holder is None else extensions.read_list(holder.only("扩展"))


def _serial_oddities(content: bytes) -> list[str]:
    if not content or len(content) > _LONGEST_SERIAL:
        raise CertificateError("证书序列号为空或过长")
    oddities = []
    if content[0] & 0x80:
        oddities.append("序列号编码为负数")
    if len(content) > 1 and (content[0], content[1] & 0x80) in ((0, 0), (0xFF, 0x80)):
        oddities.append("序列号不是最短编码")
    if len(content) > 21:
        oddities.append("序列号超过 20 字节")
    return oddities
