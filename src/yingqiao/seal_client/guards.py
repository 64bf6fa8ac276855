"""Who may talk to a service on the loopback interface: every page that runs in this machine's browsers can reach it.

Host is checked against DNS rebinding, Origin and Sec-Fetch-Site against other sites' requests, frame-ancestors and
Referer against being framed or opened by a site that is no PACS of ours. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from yingqiao.seal_client.errors import Refused

_WEB = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)(:\d{1,5})?")
_APP = re.compile(r"(file|[a-z][a-z0-9+-]*\.[a-z0-9+.-]*|app|electron):(//[a-z0-9_.-]*)?")
_NAMES = ("localhost", "127.0.0.1", "[::1]")
_PAGES = frozenset({"document", "iframe", "frame", ""})
_PORTS = {"http": 80, "https": 443}


def read_origin(text: str) -> str:
    """An origin as browsers write it, default port left out; or a desktop program's scheme (`file:`, `app://name`).

    Raises ValueError with Chinese words: nothing with a path, and no `*`: whoever frames this page may ask a
    doctor for a seal.
    """
    origin = text.strip().lower().rstrip("/") if not text.strip().lower().startswith("file:") else "file:"
    if _APP.fullmatch(origin):
        return origin
    if not _WEB.fullmatch(origin):
        raise ValueError(
            f"{text!r} 应为 http(s)://主机[:端口]，不带路径与通配符；桌面程序写 file: 或 app://名称"
        )
    scheme, _, place = origin.partition("://")
    return f"{scheme}://{place.removesuffix(f':{_PORTS[scheme]}')}"


@dataclass(frozen=True, slots=True)
class Guards:
    """Of one running service."""

    port: int
    origins: Sequence[str]
    """Who may embed or open the page, as `read_origin` gives them."""

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(f"{name}:{self.port}" for name in _NAMES)

    @property
    def frame_ancestors(self) -> str:
        return " ".join(self.origins) or "'none'"

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Of every request, `headers` by lower-case names. Raises Refused, 403: another name for this machine, or
        another site's request.
        """
        host = headers.get("host", "").lower()
        if host not in self.hosts:
            raise Refused(403, "foreign-host", "只能以 localhost 访问签章客户端")
        origin = headers.get("origin")
        if origin is None and method not in ("GET", "HEAD"):
            raise Refused(403, "foreign-origin", "请求没有说明来自哪个网页")
        if origin is not None and origin.lower() != f"http://{host}":
            raise Refused(403, "foreign-origin", "不接受其他网页的请求")

    def check_page(self, headers: Mapping[str, str]) -> None:
        """Of the page itself: loaded into a frame or a window, by us or by a PACS. Raises Refused, 403.

        A browser that says nothing of the sort (an old one, a desktop program) is let in: frame-ancestors still holds.
        """
        if headers.get("sec-fetch-dest", "") not in _PAGES:
            raise Refused(403, "not-a-page", "请在 PACS 中以 iframe 或窗口打开签章页面")
        opener = self.opener(headers)
        if opener and opener not in self.origins and opener not in self._own:
            raise Refused(403, "foreign-page", f"{opener} 没有登记，不能打开签章页面（origins）")
        window = headers.get("sec-fetch-dest") == "document"
        if window and not opener and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise Refused(403, "foreign-page", "打开签章页面的网站没有说明自己是谁（Referer）")

    def check_call(self, headers: Mapping[str, str]) -> None:
        """Of a call of the page's API, after `check`. Raises Refused, 403, 415."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refused(403, "foreign-origin", "不接受其他网页的请求")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "not-json", "请求体应为 JSON")

    @property
    def _own(self) -> frozenset[str]:
        return frozenset(f"http://{host}" for host in self.hosts)

    @staticmethod
    def opener(headers: Mapping[str, str]) -> str:
        """Origin of the page that leads here; '' when it is not said."""
        parts = urlsplit(headers.get("referer", ""))
        if parts.scheme not in _PORTS or not parts.netloc:
            return ""
        return f"{parts.scheme}://{parts.netloc.removesuffix(f':{_PORTS[parts.scheme]}')}".lower()


def page_policy(frame_ancestors: str) -> str:
    """Content-Security-Policy of the page: our own scripts and worker, no form, framed by the PACS only.

    Styles are inline where the component library writes them into the page; fonts of a PDF are data.
    """
    return (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {frame_ancestors}"
    )
