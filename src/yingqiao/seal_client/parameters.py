"""What the page's address asks for (电子签章接口, interface 四(二)4(6)): six URL parameters. Pure.

The printed sample writes the viewer's address twice and encodes nothing (T140), so that what PACS vendors copied from it
comes in many shapes. What can only mean one thing is taken to mean it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from yingqiao.seal_client.errors import Refused

MAX_QUERY = 16 * 1024
_NAMES = {
    name.lower(): name
    for name in ("fileUrl", "savePath", "saveType", "token", "showPagingSealBtn", "bParallelSign")
}
_ADDRESSES = ("fileUrl", "savePath")
_TWICE = "viewer.html?fileUrl="
_MAX_TOKEN = 256


class SaveType(StrEnum):
    NET = "net"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of one visit. Addresses are as sent, unescaped once: URLs (net) or absolute paths (local)."""

    file_url: str
    save_path: str
    save_type: SaveType
    token: str = ""
    """业务 id: handed back with every message and upload, never a credential."""
    paging_button: bool = True
    parallel: bool = False


NOTHING = Parameters("", "", SaveType.NET)
"""Of an address that cannot be used."""


def read_parameters(query: str) -> Parameters:
    """Of a raw query string. A name given several times counts as last given. Raises Refused, 400.

    Where addresses are encoded, `+` is a blank, as forms and URLSearchParams write it; else it is itself.
    """
    if len(query) > MAX_QUERY:
        raise _bad(f"地址参数超过 {MAX_QUERY} 字符")
    pieces = _pieces(query)
    encoded = not any("/" in value for name, value in pieces if name in _ADDRESSES)
    given = {name: _plain(name, value.replace("+", " ") if encoded else value) for name, value in pieces}
    try:
        save_type = SaveType(given.get("saveType", "").lower() or SaveType.NET)
    except ValueError:
        raise _bad("saveType 应为 net 或 local") from None
    if not given.get("fileUrl"):
        raise _bad("缺少 fileUrl（源文件地址）")
    parallel = _flag(given, "bParallelSign", default=False)
    if not given.get("savePath") and not parallel:
        raise _bad("缺少 savePath（签章保存地址）")
    token = given.get("token", "")
    if len(token) > _MAX_TOKEN or not token.isprintable():
        raise _bad(f"token 应为 {_MAX_TOKEN} 字符以内的文字")
    return Parameters(
        file_url=given["fileUrl"],
        save_path=given.get("savePath", ""),
        save_type=save_type,
        token=token,
        paging_button=_flag(given, "showPagingSealBtn", default=True),
        parallel=parallel,
    )


def _pieces(query: str) -> list[tuple[str, str]]:
    """Name and raw value; an `&…` that is none of the six names belongs to the address before it, which was not
    encoded.
    """
    found: list[tuple[str, str]] = []
    for piece in query.split("&"):
        name, _, value = piece.partition("=")
        known = _NAMES.get(name.strip().lower())
        if known:
            found.append((known, value))
        elif found and found[-1][0] in _ADDRESSES:
            found[-1] = found[-1][0], f"{found[-1][1]}&{piece}"
    return found


def _plain(name: str, raw: str) -> str:
    """Bytes that are no UTF-8 stay as lone surrogates: which encoding they are is the address's matter."""
    text = unquote(raw, "utf-8", "surrogateescape").strip()
    if name in _ADDRESSES and _TWICE in text:
        text = unquote(text.rpartition(_TWICE)[2], "utf-8", "surrogateescape").strip()
    return text


def _flag(given: dict[str, str], name: str, *, default: bool) -> bool:
    said = given.get(name, "")
    if said not in ("", "0", "1"):
        raise _bad(f"{name} 应为 0 或 1")
    return said == "1" if said else default


def _bad(reason: str) -> Refused:
    return Refused(400, "bad-parameters", reason)
