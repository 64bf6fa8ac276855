"""The pages for people: what `ui/` was built into, each page at its own path, with strict headers."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final[Mapping[str, str]] = {
    ".bcmap": "application/octet-stream",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".icc": "application/vnd.iccprofile",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".pfb": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""What may be served, and as what."""
_SMALL = 1024
"""Bytes below which compressing is not worth a header."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: where it is served, which folder of `ui/pages` it is, and what it may do beyond the usual."""

    path: str
    folder: str
    connects_to: str = "'self'"
    """Whom its scripts may talk to (CSP connect-src)."""
    camera: bool = False
    beside: tuple[str, ...] = ()
    """Files of its folder that are served beside it under their own names: a service worker reaches no further than its path."""


_INSTALLABLE = ("sw.js", "manifest.webmanifest", "icon-192.png", "icon-512.png")
PAGES: Final = (
    Page("/", "front"),
    Page("/verify/", "verify"),
    Page("/phone/", "phone", connects_to="'self' https: http:", camera=True, beside=_INSTALLABLE),
    Page("/web/Selfcertification/", "self"),
    Page("/admin/", "admin"),
)


def page_routes(pages: Sequence[Page] = PAGES, static: Path = STATIC) -> list[BaseRoute]:
    """Routes of all pages and of what they load (/ui/…)."""
    beside = (_file_route(page, name, static) for page in pages for name in page.beside)
    return [*(_page_route(page, static) for page in pages), *beside, *asset_routes(static)]


def asset_routes(static: Path = STATIC) -> list[BaseRoute]:
    """Routes of what pages load: scripts and styles (/ui/assets/…), what pdf.js reads PDFs with (/ui/pdfjs/…)."""
    return [_kept_route(static, "assets", "{name}"), _kept_route(static, "pdfjs", "{name:path}")]


def page_html(folder: str, static: Path = STATIC) -> bytes:
    """The page of a folder of `ui/pages` as built, for who serves it elsewhere. Raises HTTPException 503."""
    return _content(_built(static, f"{folder}/index.html"))[0]


def _page_route(page: Page, static: Path) -> Route:
    headers = _headers(page)

    def answer(request: Request) -> Response:
        return _answer(request, static, f"{page.folder}/index.html", headers)

    return Route(page.path, answer)


def _file_route(page: Page, name: str, static: Path) -> Route:
    headers = _headers(page)

    def answer(request: Request) -> Response:
        return _answer(request, static, f"{page.folder}/{name}", headers)

    return Route(page.path + name, answer)


def _headers(page: Page) -> Mapping[str, str]:
    """A page runs only what we serve; nobody frames it. Styles are the exception: the component library
    writes them into the page.
    """
    policy = (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob:; font-src 'self' data:; connect-src {page.connects_to}; worker-src 'self'; "
        "manifest-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "permissions-policy": f"camera=({'self' if page.camera else ''}), microphone=(), geolocation=()",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-cache",
    }


_KEPT: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    # A worker has this policy, not its page's: the one that reads PDFs talks to nobody but us.
    "content-security-policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'",
}


def _kept_route(static: Path, folder: str, name: str) -> Route:
    """Files whose path carries a digest of their content or a version may be kept for ever."""

    def answer(request: Request) -> Response:
        return _answer(request, static, f"{folder}/{request.path_params['name']}", _KEPT)

    return Route(f"/ui/{folder}/{name}", answer)


def _answer(request: Request, static: Path, name: str, headers: Mapping[str, str]) -> Response:
    """Raises HTTPException 404 for what was not built, 503 when nothing was."""
    file = _built(static, name)
    plain, packed = _content(file)
    said = {
        **headers,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "vary": "accept-encoding",
    }
    kind = _TYPES[file.suffix]
    if packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, headers={**said, "content-encoding": "gzip"}, media_type=kind)
    return Response(plain, headers=said, media_type=kind)


def _built(static: Path, name: str) -> Path:
    """Raises HTTPException 404, 503."""
    files = _files(static)
    if not files:
        raise HTTPException(503, "网页没有构建：在源码目录运行 scripts/ui.sh，或安装发布的软件包")
    if name not in files:
        raise HTTPException(404)
    return files[name]


@cache
def _files(static: Path) -> Mapping[str, Path]:
    """Everything that was built and may be served; a path of a request is only ever looked up here."""
    found = (path for path in static.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(static).as_posix(): path for path in found}


@cache
def _content(path: Path) -> tuple[bytes, bytes]:
    """A file as it is and compressed (empty when that does not help)."""
    plain = path.read_bytes()
    packed = gzip.compress(plain, 9, mtime=0) if len(plain) > _SMALL else b""
    return plain, packed if len(packed) < len(plain) else b""
