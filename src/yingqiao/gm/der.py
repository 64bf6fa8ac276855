"""ASN.1 in DER, and as much BER as signed messages need: a bounded reader that keeps the original bytes.

ITU-T X.690. Certificates, CRLs and seals are read by DER rules; CMS producers in Java write indefinite
lengths and cut strings (BER, reference of 四(二)4), so those are readable under `ber=True`.
Nothing is re-encoded: `Node.raw` is what was received, and what is hashed.
Reading is lazy: a level costs its own elements only; depth and the number of elements are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from yingqiao.gm.errors import GmError

MAX_SIZE = 32 * 1024 * 1024
"""Bytes of one structure; the largest in practice are the CRLs of a province."""
MAX_DEPTH = 32
MAX_CHILDREN = 10_000
MAX_SCANNED = 50_000
"""Elements within one indefinite length, and pieces of one cut string."""

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A
UTF8, PRINTABLE, TELETEX, IA5, UTC_TIME, GENERALIZED_TIME = 0x0C, 0x13, 0x14, 0x16, 0x17, 0x18
UNIVERSAL_STRING, BMP = 0x1C, 0x1E
SEQUENCE, SET = 0x30, 0x31
_CONSTRUCTED = 0x20
_LONGEST_LENGTH = 4
_INDEFINITE = -1


class DerError(GmError):
    """Not the ASN.1 it should be."""

    code = "der"


def context(number: int, *, constructed: bool = True) -> int:
    """The identifier octet of [number]."""
    return 0x80 | number | (_CONSTRUCTED if constructed else 0)


class Node:
    """One element: `tag` (its identifier octet), and where its bytes are in `data`.

    `start` is where its identifier octet is, `body` to `end` its content, `stop` after its last octet.
    """

    __slots__ = ("ber", "body", "data", "depth", "end", "start", "stop", "tag")

    def __init__(self, data: bytes, start: int, limit: int, depth: int = 0, *, ber: bool = False) -> None:
        """The element at `start`, which ends at `limit` at the latest. Raises DerError."""
        if depth > MAX_DEPTH:
            raise DerError(f"嵌套超过 {MAX_DEPTH} 层")
        self.data, self.start, self.depth, self.ber = data, start, depth, ber
        self.tag, self.body, length = _header(data, start, limit, ber=ber)
        if length == _INDEFINITE:
            self.end = _end_of_contents(data, self.body, limit)
            self.stop = self.end + 2
        else:
            self.stop = self.end = self.body + length

    @property
    def content(self) -> bytes:
        """The content octets as received."""
        return self.data[self.body : self.end]

    @property
    def raw(self) -> bytes:
        """Header and content as received."""
        return self.data[self.start : self.stop]

    @property
    def constructed(self) -> bool:
        return bool(self.tag & _CONSTRUCTED)

    @property
    def indefinite(self) -> bool:
        """Whether it was written with an indefinite length (BER)."""
        return self.stop != self.end

    def children(self, most: int = MAX_CHILDREN) -> list[Node]:
        """The elements inside. Raises DerError when it is primitive, broken, or has more than `most`."""
        return list(self.walk(most))

    def walk(self, most: int = MAX_CHILDREN) -> Iterator[Node]:
        """As `children`, one by one."""
        if not self.tag & _CONSTRUCTED:
            raise DerError(f"第 {self.start} 字节处应为构造类型")
        at, end, data, depth, ber = self.body, self.end, self.data, self.depth + 1, self.ber
        while at < end:
            most -= 1
            if most < 0:
                raise DerError("元素过多")
            node = Node(data, at, end, depth, ber=ber)
            at = node.stop
            yield node

    def expect(self, tag: int, what: str) -> Node:
        """Itself when its tag is `tag`. Raises DerError naming `what`."""
        if self.tag != tag:
            raise DerError(f"{what}：标签 {self.tag:02X} 应为 {tag:02X}")
        return self

    def only(self, what: str) -> Node:
        """The one element inside, as of an explicit tag. Raises DerError."""
        inside = self.children(2)
        if len(inside) != 1:
            raise DerError(f"{what}：应只含一个元素")
        return inside[0]

    def __repr__(self) -> str:
        return f"Node({self.tag:02X} at {self.start}, {self.end - self.body} bytes)"


def parse(data: bytes, *, ber: bool = False, max_size: int = MAX_SIZE) -> Node:
    """The one element that `data` is. Raises DerError, also on bytes after it."""
    if len(data) > max_size:
        raise DerError(f"长度超过 {max_size} 字节")
    node = Node(data, 0, len(data), ber=ber)
    if node.stop != len(data):
        raise DerError(f"结构之后还有 {len(data) - node.stop} 字节")
    return node


def _header(data: bytes, at: int, limit: int, *, ber: bool) -> tuple[int, int, int]:
    if at + 2 > limit:
        raise DerError(f"第 {at} 字节处结构不完整")
    tag, first = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise DerError(f"第 {at} 字节处的多字节标签不受支持")
    if first < 0x80:
        body, length = at + 2, first
    elif first == 0x80:
        if not ber or not tag & _CONSTRUCTED:
            raise DerError(f"第 {at} 字节处为不定长编码，不是 DER")
        return tag, at + 2, _INDEFINITE
    else:
        body, length = _long_length(data, at, limit, ber=ber)
    if body + length > limit:
        raise DerError(f"第 {at} 字节处声明的长度 {length} 超出范围")
    return tag, body, length


def _long_length(data: bytes, at: int, limit: int, *, ber: bool) -> tuple[int, int]:
    count = data[at + 1] & 0x7F
    body = at + 2 + count
    if count > _LONGEST_LENGTH or body > limit:
        raise DerError(f"第 {at} 字节处的长度编码不可能")
    length = int.from_bytes(data[at + 2 : body], "big")
    if not ber and (length < 0x80 or length >> 8 * (count - 1) == 0):
        raise DerError(f"第 {at} 字节处的长度不是最短编码，不是 DER")
    return body, length


def _end_of_contents(data: bytes, at: int, limit: int) -> int:
    """Where the two zero octets are that close an indefinite length begun before `at`."""
    depth = 0
    for _ in range(MAX_SCANNED):
        if data[at : at + 2] == b"\0\0" and at + 2 <= limit:
            if depth == 0:
                return at
            depth -= 1
            at += 2
            continue
        _, body, length = _header(data, at, limit, ber=True)
        if length == _INDEFINITE:
            depth += 1
            if depth > MAX_DEPTH:
                raise DerError(f"嵌套超过 {MAX_DEPTH} 层")
            length = 0
        at = body + length
    raise DerError("元素过多")


class Fields:
    """The members of a SEQUENCE or SET in their order, taken one after the other."""

    __slots__ = ("_at", "_nodes", "_what")

    def __init__(self, node: Node, what: str, tag: int = SEQUENCE) -> None:
        """`what` names the structure in errors. Raises DerError."""
        self._nodes = node.expect(tag, what).children()
        self._at, self._what = 0, what

    def take(self, tag: int | None = None) -> Node:
        """The next member; `tag` None takes any. Raises DerError when it is missing or another."""
        if self._at >= len(self._nodes):
            raise DerError(f"{self._what}：缺少成员")
        node = self._nodes[self._at]
        if tag is not None:
            node.expect(tag, self._what)
        self._at += 1
        return node

    def optional(self, *tags: int) -> Node | None:
        """The next member if its tag is one of `tags`."""
        if self._at < len(self._nodes) and self._nodes[self._at].tag in tags:
            self._at += 1
            return self._nodes[self._at - 1]
        return None

    def rest(self) -> list[Node]:
        """What was not taken."""
        return self._nodes[self._at :]

    def end(self) -> None:
        """Raises DerError when something was not taken."""
        if self._at != len(self._nodes):
            raise DerError(f"{self._what}：有多余成员")


def integer(node: Node, what: str = "整数") -> int:
    """Its value, signed; not minimal forms are read too (odd serial numbers are common). Raises DerError."""
    if node.tag not in (INTEGER, ENUMERATED) or node.end == node.body:
        raise DerError(f"{what}：不是整数")
    return int.from_bytes(node.content, "big", signed=True)


def boolean(node: Node, what: str = "布尔值") -> bool:
    """Raises DerError."""
    if node.end - node.body != 1:
        raise DerError(f"{what}：不是布尔值")
    return node.data[node.body] != 0


def octets(node: Node, what: str = "字节串") -> bytes:
    """The value of an OCTET STRING, put together when BER cut it. Raises DerError."""
    if node.tag == OCTET_STRING:
        return node.content
    if node.ber and node.tag == OCTET_STRING | _CONSTRUCTED:
        return b"".join(octets(part, what) for part in node.walk(MAX_SCANNED))
    raise DerError(f"{what}：不是 OCTET STRING")


def bits(node: Node, what: str = "比特串") -> tuple[bytes, int]:
    """The octets of a BIT STRING and how many bits of the last are unused. Raises DerError."""
    content = node.content
    if node.tag & 0x1F != BIT_STRING & 0x1F and node.tag < 0x80:
        raise DerError(f"{what}：不是 BIT STRING")
    if not content or content[0] > 7 or (len(content) == 1 and content[0]):
        raise DerError(f"{what}：BIT STRING 不完整")
    return content[1:], content[0]


def oid(node: Node, what: str = "对象标识符") -> str:
    """Dotted. Raises DerError."""
    if node.tag != OID:
        raise DerError(f"{what}：不是对象标识符")
    return oid_of(node.content)


@lru_cache(maxsize=1024)
def oid_of(content: bytes) -> str:
    """The dotted form of an object identifier's content octets. Raises DerError."""
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise DerError("对象标识符不完整")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


_REST = rb"(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d{4})?"
_TIMES = {UTC_TIME: re.compile(rb"(\d\d)" + _REST), GENERALIZED_TIME: re.compile(rb"(\d{4})" + _REST)}


def time(node: Node, what: str = "时间") -> datetime:
    """UTCTime or GeneralizedTime in UTC; seconds may be missing, a zone offset is applied, no zone is UTC.

    Raises DerError. Years 50 to 99 of a UTCTime are of the 20th century (RFC 5280, 4.1.2.5.1).
    """
    pattern = _TIMES.get(node.tag)
    match = pattern.fullmatch(node.content) if pattern else None
    if match is None:
        raise DerError(f"{what}：不是有效的时间")
    year = int(match[1])
    if node.tag == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    second, micro = int(match[6] or 0), int((match[7] or b"0").ljust(6, b"0")[:6])
    try:
        month, day, hour, minute = (int(match[i]) for i in (2, 3, 4, 5))
        moment = datetime(year, month, day, hour, minute, second, micro, _zone(match[8]))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise DerError(f"{what}：不是有效的时间") from error


def _zone(written: bytes | None) -> timezone:
    if written is None or written == b"Z":
        return UTC
    offset = timedelta(hours=int(written[1:3]), minutes=int(written[3:5]))
    return timezone(-offset if written[:1] == b"-" else offset)


# Writing


def element(tag: int, content: bytes) -> bytes:
    """`content` under `tag`, in DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    return element(SEQUENCE, b"".join(parts))


def set_of(parts: Iterable[bytes], tag: int = SET) -> bytes:
    """A SET OF in DER order (X.690, 11.6)."""
    return element(tag, b"".join(sorted(parts)))


def explicit(number: int, inside: bytes) -> bytes:
    return element(context(number), inside)


def write_integer(value: int) -> bytes:
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def write_boolean(value: bool) -> bytes:
    return element(BOOLEAN, b"\xff" if value else b"\0")


def write_octets(value: bytes) -> bytes:
    return element(OCTET_STRING, value)


def write_bits(value: bytes, unused: int = 0) -> bytes:
    return element(BIT_STRING, bytes((unused,)) + value)


def write_null() -> bytes:
    return b"\x05\0"


def write_utf8(value: str) -> bytes:
    return element(UTF8, value.encode())


def write_printable(value: str) -> bytes:
    return element(PRINTABLE, value.encode("ascii"))


@lru_cache(maxsize=1024)
def write_oid(dotted: str) -> bytes:
    """Raises ValueError on what is no dotted object identifier."""
    arcs = [int(arc) for arc in dotted.split(".")]
    return element(OID, b"".join(map(_base128, (arcs[0] * 40 + arcs[1], *arcs[2:]))))


def _base128(arc: int) -> bytes:
    septets = [arc & 0x7F]
    while arc := arc >> 7:
        septets.append(arc & 0x7F | 0x80)
    return bytes(reversed(septets))


def write_time(moment: datetime) -> bytes:
    """A `Time` of a certificate: UTCTime through 2049, GeneralizedTime after (RFC 5280, 4.1.2.5)."""
    moment = moment.astimezone(UTC)
    if 1950 <= moment.year < 2050:
        return element(UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    return write_generalized_time(moment)


def write_generalized_time(moment: datetime) -> bytes:
    """To the second when it is whole, else with a fraction without trailing zeros (RFC 3161, 2.4.2)."""
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    text = f"{moment.year:04d}{moment.strftime('%m%d%H%M%S')}{fraction}Z"
    return element(GENERALIZED_TIME, text.encode())


def write_algorithm(dotted: str, parameters: Sequence[bytes] = ()) -> bytes:
    """AlgorithmIdentifier; no `parameters` means they are absent."""
    return sequence(write_oid(dotted), *parameters)
