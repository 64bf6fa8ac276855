"""Distinguished names as they are met: decoded attribute by attribute, compared by their bytes.

RFC 5280 4.1.2.4; certificates in use carry UTF-8 in IA5String and GB18030 in PrintableString, and the same
attribute twice. Reading one never fails for its text: `Attribute.oddity` says what was wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from yingqiao.gm import der, oids

_DECLARED = {
    der.UTF8: "utf-8",
    der.PRINTABLE: "ascii",
    der.IA5: "ascii",
    0x12: "ascii",
    0x1A: "ascii",
    der.BMP: "utf-16-be",
    der.UNIVERSAL_STRING: "utf-32-be",
}
_REMEMBERED = 2 * 1024
_FALLBACKS = ("utf-8", "gb18030", "latin-1")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a name; `oddity` is Chinese, empty when it is as declared."""

    oid: str
    text: str
    oddity: str = ""

    @property
    def name(self) -> str:
        return oids.name(self.oid)


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name: the bytes received, which are what is compared, and what they say."""

    raw: bytes
    attributes: tuple[Attribute, ...]
    broken: str = ""
    """Chinese, why reading stopped after `attributes`; nothing when the whole name was read."""

    def __str__(self) -> str:
        return ", ".join(f"{attribute.name}={attribute.text}" for attribute in self.attributes)

    def get(self, oid: str) -> str:
        """The text of the last attribute `oid` (the most specific), or nothing."""
        return next((a.text for a in reversed(self.attributes) if a.oid == oid), "")

    @property
    def common_name(self) -> str:
        return self.get(oids.COMMON_NAME)

    @property
    def oddities(self) -> tuple[str, ...]:
        odd = tuple(f"{a.name}：{a.oddity}" for a in self.attributes if a.oddity)
        return (*odd, self.broken) if self.broken else odd


def decode_text(tag: int, content: bytes) -> tuple[str, str]:
    """The text of a string element and what is odd about it (Chinese, or nothing).

    Tries what the tag declares, then UTF-8, GB18030 and Latin-1, which never fails.
    """
    declared = _DECLARED.get(tag)
    if declared is not None:
        try:
            return content.decode(declared), ""
        except UnicodeDecodeError:
            pass
    for encoding in _FALLBACKS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text, "" if tag == der.TELETEX else f"内容不合字符串类型 {tag:02X}，按 {encoding} 读"
    raise AssertionError  # Latin-1 reads everything


def read(node: der.Node) -> Name:
    """The name that `node` is; one broken inside is kept, its bytes are what is compared.

    Raises DerError when it is no SEQUENCE. (A letter of the certificate in the standard's PKCS#7 sample is
    misprinted within the issuer's name; the signature beside it is right.)
    """
    node.expect(der.SEQUENCE, "名称")
    return _read(node.raw) if node.stop - node.start <= _REMEMBERED else _read.__wrapped__(node.raw)


@lru_cache(maxsize=4096)
def _read(raw: bytes) -> Name:
    attributes: list[Attribute] = []
    try:
        for group in der.parse(raw, max_size=64 * 1024).walk(200):
            for pair in group.expect(der.SET, "名称").walk(200):
                fields = der.Fields(pair, "名称")
                oid, value = der.oid(fields.take()), fields.take()
                attributes.append(Attribute(oid, *decode_text(value.tag, value.content)))
    except der.DerError as error:
        return Name(raw, tuple(attributes), f"名称损坏：{error.reason}")
    return Name(raw, tuple(attributes))


def build(attributes: Iterable[tuple[str, str]]) -> Name:
    """A name of (object identifier, text) in this order: country and serial numbers as PrintableString,
    e-mail as IA5String, all else UTF8String (GB/T 20518-2018 5.2.4.4).

    Raises DerError on an empty text or a country that is not two letters.
    """
    return _read(der.sequence(*(_group(oid, text) for oid, text in attributes)))


def _group(oid: str, text: str) -> bytes:
    if not text or len(text) > 256:
        raise der.DerError(f"名称的{oids.words(oid)}为空或过长")
    if oid == oids.COUNTRY and not (len(text) == 2 and text.isascii() and text.isalpha()):
        raise der.DerError("国家应为两个字母")
    tag = der.UTF8
    if oid in (oids.COUNTRY, oids.SERIAL_NUMBER) and text.isascii() and text.isalnum():
        tag = der.PRINTABLE
    elif oid == oids.EMAIL and text.isascii():
        tag = der.IA5
    return der.set_of([der.sequence(der.write_oid(oid), der.element(tag, text.encode()))])


def general_name(node: der.Node) -> str:
    """A GeneralName in words: an address as it is, a directory name in the form of `str(Name)`, else its kind.

    Raises DerError on a broken directory name.
    """
    if node.tag in (0x81, 0x82, 0x86):
        return decode_text(der.IA5, node.content)[0]
    if node.tag == der.context(4):
        return f"dir:{read(node.only('目录名'))}"
    if node.tag == der.context(7, constructed=False) and len(node.content) == 4:
        return ".".join(map(str, node.content))
    return f"[{node.tag & 0x1F}]"
