"""A hospital's Q/R node as it is registered: values, and what may be in them. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum

from yingqiao.exchange.work import LineLimits


class PacsError(Exception):
    """A node's value is wrong; the message is Chinese, for whoever registers it."""


class RetrieveBy(StrEnum):
    """How images are brought."""

    AUTO = "auto"
    """C-MOVE; C-GET when the PACS refuses or does not offer it, remembered."""
    MOVE = "move"
    GET = "get"


CHARSETS = ("", "GB18030", "GBK", "ISO_IR 192", "ISO 2022 IR 58")
"""(0008,0005) of queries. '': GB18030 when a key needs it, else empty."""
_NAME = re.compile(r"[\w][\w.-]{0,31}")
_ADDRESS = re.compile(r"(?P<aet>[^@]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\s\[\]/]+):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class PacsOptions:
    """What is kept of a node as JSON: TLS, and what was learned of it."""

    tls: bool = False
    tls_ca: str = ""
    """PEM file of the CAs that may have signed the PACS's certificate; '' = the system's."""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_any_name: bool = False
    """The certificate need not name the host: hospitals' certificates often name none."""
    learned: str = ""
    """`get` once the PACS refused or did not offer C-MOVE; '' = nothing learned."""

    def to_json(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, text: str) -> PacsOptions:
        """Members of a later edition of the program are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text or "{}").items() if name in known})


@dataclass(frozen=True, slots=True)
class PacsAddress:
    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class NewPacsNode:
    """A node to be registered, checked by `checked`."""

    hospital_code: str
    name: str
    address: PacsAddress
    calling_aet: str = ""
    """As whom the gateway calls, and asks images to be sent to; '' = its own AE title."""
    retrieve_by: RetrieveBy = RetrieveBy.AUTO
    charset: str = ""
    options: PacsOptions = field(default_factory=PacsOptions)
    limits: LineLimits = field(default_factory=LineLimits)


def destination_of(hospital_code: str, name: str) -> str:
    """The node's line of fairness in the ledger of work."""
    return f"{hospital_code}/pacs/{name}"


def parse_address(text: str) -> PacsAddress:
    """`AET@HOST:PORT`, IPv6 in brackets. Raises PacsError."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or not 1 <= int(found["port"]) <= 65535:
        raise PacsError(f"PACS 地址 {text!r} 应写作 AET@HOST:PORT，如 PACS1@10.1.2.3:104")
    return PacsAddress(ae_title(found["aet"]), found["host"].strip("[]"), int(found["port"]))


def ae_title(text: str) -> str:
    """An AE title (PS3.5 6.2): 1-16 printable ASCII characters, no backslash. Raises PacsError."""
    title = text.strip()
    if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise PacsError(f"AE 标题 {text!r} 应为 1–16 个 ASCII 字符，不含反斜线")
    return title


def checked(node: NewPacsNode) -> NewPacsNode:
    """The node, when every value of it can be. Raises PacsError."""
    if not _NAME.fullmatch(node.name):
        raise PacsError("节点名称应为 1–32 个字母、数字、汉字、下划线、点或连字符")
    if node.charset not in CHARSETS:
        raise PacsError(f"字符集 {node.charset!r} 应为 {'、'.join(filter(None, CHARSETS))} 之一，或不写")
    if node.calling_aet:
        ae_title(node.calling_aet)
    if not 1 <= node.limits.parallel <= 32:
        raise PacsError("并行关联数应在 1 到 32 之间")
    if bool(node.options.tls_certificate) != bool(node.options.tls_key):
        raise PacsError("客户端证书与私钥应同时给出")
    return node
