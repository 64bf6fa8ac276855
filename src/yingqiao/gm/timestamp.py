"""Time stamps read: requests, responses and tokens (GM/T 0033, RFC 3161), and the facts of a token.

A token of the standard's samples is CMS with SHA-256 and RSA; ours is SM3 with SM2. Where a verification
takes a stamp, a bare token and a TimeStampResp are both understood (四(二)4(4)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from yingqiao.gm import cms, cms_facts, der, extensions, names, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.cms import SignedMessage
from yingqiao.gm.cms_facts import SignerFacts
from yingqiao.gm.errors import GmError

MAX_REQUEST = 64 * 1024
MAX_TOKEN = 1024 * 1024


class TimestampError(GmError):
    """Not a time stamp, request or response."""

    code = "timestamp"


class Status(IntEnum):
    """PKIStatus (RFC 3161 2.4.2)."""

    GRANTED = 0
    GRANTED_WITH_MODS = 1
    REJECTION = 2
    WAITING = 3
    REVOCATION_WARNING = 4
    REVOCATION_NOTIFICATION = 5


class Failure(IntEnum):
    """PKIFailureInfo bits (RFC 3161 2.4.2)."""

    BAD_ALGORITHM = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADDITIONAL_INFORMATION = 17
    SYSTEM_FAILURE = 25


@dataclass(frozen=True, slots=True)
class Imprint:
    """What is stamped: a digest and the algorithm that made it."""

    algorithm: str
    digest: bytes

    def of(self, original: bytes) -> bool:
        """Whether it is the imprint of `original`; false under an unknown algorithm."""
        return self.algorithm in oids.DIGESTS and signatures.digest(self.algorithm, original) == self.digest


@dataclass(frozen=True, slots=True)
class Request:
    """A TimeStampReq."""

    imprint: Imprint
    policy: str | None = None
    nonce: int | None = None
    wants_certificate: bool = False
    extensions: tuple[extensions.Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """A TimeStampResp; `token` is raw, None when refused."""

    status: int
    words: str
    failures: tuple[int, ...]
    token: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class TstInfo:
    """What a token says. `gen_time` is aware, in UTC; `tsa` is the name it gives itself."""

    policy: str
    imprint: Imprint
    serial: int
    gen_time: datetime
    accuracy: timedelta | None
    ordering: bool
    nonce: int | None
    tsa: str
    unknown_critical: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A token as received, and the response it came in, if any."""

    message: SignedMessage
    info: TstInfo
    response: Response | None


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What is known of a token. None: nothing to compare with."""

    token: Token
    signer: SignerFacts
    imprint_ok: bool | None
    nonce_ok: bool | None
    purpose_ok: bool | None
    """The certificate has timeStamping as its one extended purpose, critical (RFC 3161 2.3)."""
    certificate_in_time: bool | None
    """genTime is inside the certificate's validity."""
    oddities: tuple[str, ...]

    @property
    def certificate(self) -> Certificate | None:
        return self.signer.certificate

    @property
    def signed(self) -> bool:
        """Whether the signature is right over this content, whoever the signer is."""
        return self.signer.valid and self.signer.digest_ok is True

    @property
    def bound(self) -> bool:
        """Whether the signed attributes name this certificate, as RFC 3161 2.4.2 requires."""
        return self.signer.certificate_named_ok is True


def parse_request(raw: bytes) -> Request:
    """A TimeStampReq in DER. Raises TimestampError, DerError."""
    fields = der.Fields(der.parse(raw, max_size=MAX_REQUEST), "时间戳请求")
    if der.integer(fields.take(der.INTEGER), "时间戳请求版本") != 1:
        raise TimestampError("时间戳请求的版本应为 1")
    imprint = _imprint(fields.take())
    policy, nonce = fields.optional(der.OID), fields.optional(der.INTEGER)
    wanted, more = fields.optional(der.BOOLEAN), fields.optional(der.context(0))
    fields.end()
    return Request(
        imprint,
        None if policy is None else der.oid(policy),
        None if nonce is None else der.integer(nonce),
        wanted is not None and der.boolean(wanted),
        () if more is None else tuple(_extensions(more)),
    )


def _extensions(node: der.Node) -> tuple[extensions.Extension, ...]:
    """Extensions under an implicit tag."""
    return extensions.read_list(der.parse(der.element(der.SEQUENCE, node.content)))


def _imprint(node: der.Node) -> Imprint:
    fields = der.Fields(node, "时间戳的消息摘要")
    algorithm, _ = signatures.algorithm(fields.take(), "时间戳的杂凑算法")
    digest = der.octets(fields.take(), "时间戳的消息摘要")
    fields.end()
    if algorithm in oids.DIGESTS and len(digest) != len(signatures.digest(algorithm, b"")):
        raise TimestampError(f"消息摘要的长度 {len(digest)} 与 {oids.words(algorithm)} 不符")
    return Imprint(algorithm, digest)


def parse_response(raw: bytes) -> Response:
    """A TimeStampResp. Raises DerError."""
    fields = der.Fields(der.parse(raw, ber=True, max_size=MAX_TOKEN), "时间戳响应")
    info, token = der.Fields(fields.take(), "时间戳响应状态"), fields.optional(der.SEQUENCE)
    fields.end()
    status = der.integer(info.take(der.INTEGER), "时间戳响应状态")
    texts, failures = info.optional(der.SEQUENCE), info.optional(der.BIT_STRING)
    info.end()
    words = [] if texts is None else [names.decode_text(n.tag, n.content)[0] for n in texts.walk(20)]
    return Response(
        status,
        "；".join(words),
        () if failures is None else _set_bits(failures),
        None if token is None else token.raw,
    )


def _set_bits(node: der.Node) -> tuple[int, ...]:
    octets, _ = der.bits(node)
    return tuple(i for i in range(8 * min(len(octets), 8)) if octets[i // 8] & 0x80 >> i % 8)


def parse_token(raw: bytes) -> Token:
    """A TimeStampToken, or the one inside a TimeStampResp. Raises TimestampError, CmsError, DerError."""
    if len(raw) > MAX_TOKEN:
        raise TimestampError(f"时间戳超过 {MAX_TOKEN} 字节")
    response = parse_response(raw) if _is_response(raw) else None
    if response is not None:
        if response.token is None:
            raise TimestampError(f"时间戳响应没有时间戳，状态 {response.status}")
        raw = response.token
    message = cms.parse(raw)
    if message.content is None:
        raise TimestampError("时间戳不含时间戳信息")
    if message.content_type != oids.TST_INFO:
        raise TimestampError(f"签名内容不是时间戳信息，而是 {oids.words(message.content_type)}")
    return Token(message, _info(message.content), response)


def _is_response(raw: bytes) -> bool:
    """A response begins with the SEQUENCE of its status, a token with an object identifier."""
    first = next(der.parse(raw, ber=True, max_size=MAX_TOKEN).expect(der.SEQUENCE, "时间戳").walk(), None)
    return first is not None and first.tag == der.SEQUENCE


def _info(content: bytes) -> TstInfo:
    fields = der.Fields(der.parse(content), "时间戳信息")
    if der.integer(fields.take(der.INTEGER), "时间戳信息版本") != 1:
        raise TimestampError("时间戳信息的版本应为 1")
    policy, imprint = der.oid(fields.take(), "时间戳策略"), _imprint(fields.take())
    serial = der.integer(fields.take(der.INTEGER), "时间戳序列号")
    gen_time = der.time(fields.take(der.GENERALIZED_TIME), "时间戳时间")
    accuracy, ordering = fields.optional(der.SEQUENCE), fields.optional(der.BOOLEAN)
    nonce, tsa = fields.optional(der.INTEGER), fields.optional(der.context(0))
    more = fields.optional(der.context(1))
    fields.end()
    listed = () if more is None else _extensions(more)
    return TstInfo(
        policy,
        imprint,
        serial,
        gen_time,
        None if accuracy is None else _accuracy(accuracy),
        ordering is not None and der.boolean(ordering),
        None if nonce is None else der.integer(nonce),
        "" if tsa is None else names.general_name(tsa.only("时间戳机构名")).removeprefix("dir:"),
        tuple(extension.oid for extension in listed if extension.critical),
    )


def _accuracy(node: der.Node) -> timedelta:
    """Accuracy ::= SEQUENCE { seconds, millis [0], micros [1] }, each optional."""
    parts = {0x02: 0, 0x80: 0, 0x81: 0}
    for child in node.walk(3):
        if child.tag not in parts or child.end - child.body > 5 or child.end == child.body:
            raise TimestampError("时间戳精度不是有效的值")
        parts[child.tag] = int.from_bytes(child.content, "big", signed=True)
    if min(parts.values()) < 0:
        raise TimestampError("时间戳精度为负")
    return timedelta(seconds=parts[0x02], milliseconds=parts[0x80], microseconds=parts[0x81])


def examine(
    token: Token,
    *,
    original: bytes | None = None,
    imprint: Imprint | None = None,
    nonce: int | None = None,
    known: Sequence[Certificate] = (),
) -> TokenFacts:
    """The facts of a token, against `original` (or its `imprint`) and the `nonce` of the request when given.

    `known` are certificates of time stamping authorities for tokens without one. Raises TimestampError when
    the token has not exactly one signer (RFC 3161 2.4.2).
    """
    facts = cms_facts.examine(token.message, known=known)
    if len(facts.signers) != 1:
        raise TimestampError(f"时间戳应有且只有一个签名者，实有 {len(facts.signers)} 个")
    signer = facts.signers[0]
    certificate, info = signer.certificate, token.info
    imprint_ok = None
    if original is not None or imprint is not None:
        imprint_ok = (original is None or info.imprint.of(original)) and imprint in (None, info.imprint)
    return TokenFacts(
        token,
        signer,
        imprint_ok,
        None if nonce is None else info.nonce == nonce,
        None if certificate is None else _purpose_ok(certificate),
        None if certificate is None else certificate.valid_at(info.gen_time),
        (*facts.oddities, *signer.oddities, *signer.signature.oddities, *_info_oddities(info)),
    )


def _purpose_ok(certificate: Certificate) -> bool:
    facts = certificate.facts
    return facts.extended_usage == (oids.TIME_STAMPING,) and facts.extended_usage_critical


def _info_oddities(info: TstInfo) -> list[str]:
    oddities = [f"未知的关键扩展 {oids.words(oid)}" for oid in info.unknown_critical]
    if info.imprint.algorithm == oids.SHA1:
        oddities.append("消息摘要使用 SHA-1")
    if info.imprint.algorithm not in oids.DIGESTS:
        oddities.append(f"不支持的杂凑算法 {oids.words(info.imprint.algorithm)}")
    return oddities
