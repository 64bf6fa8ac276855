"""The pages' files: only what was built, with headers that leave a page nothing it does not need."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

from yingqiao.web.pages import Page, page_routes

SCRIPT = "console.log('影桥');\n" * 100


class Client:
    """Asks the routes without a network."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def get(self, path: str, headers: dict[str, str] | None = None) -> Response:
        async def ask() -> Response:
            async with AsyncClient(transport=ASGITransport(self._app), base_url="http://gateway") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def client(tmp_path: Path) -> Client:
    (tmp_path / "front").mkdir()
    (tmp_path / "assets").mkdir()
    (tmp_path / "front" / "index.html").write_text("<!doctype html><title>影桥</title>")
    (tmp_path / "assets" / "front-1a2b.js").write_text(SCRIPT)
    (tmp_path / "assets" / "notes.txt").write_text("not of a kind that is served")
    (tmp_path / "secret.js").write_text("outside")
    pages = (Page("/", "front"), Page("/phone/", "front", connects_to="'self' https:", camera=True))
    return Client(Starlette(routes=page_routes(pages, tmp_path)))


def test_a_page_runs_only_what_the_gateway_serves(client: Client) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["permissions-policy"].startswith("camera=(),")
    assert answer.headers["cache-control"] == "no-cache"


def test_a_page_gets_more_only_where_it_needs_it(client: Client) -> None:
    """The phone talks to several services and scans (annex 7)."""
    answer = client.get("/phone/")
    assert "connect-src 'self' https:;" in answer.headers["content-security-policy"]
    assert answer.headers["permissions-policy"].startswith("camera=(self),")


def test_assets_are_kept_for_ever_and_compressed(client: Client) -> None:
    packed = client.get("/ui/assets/front-1a2b.js", headers={"accept-encoding": "gzip"})
    plain = client.get("/ui/assets/front-1a2b.js", headers={"accept-encoding": "identity"})
    assert "immutable" in packed.headers["cache-control"]
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(gzip.compress(SCRIPT.encode(), 9, mtime=0))
    assert plain.text == packed.text == SCRIPT
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    "path",
    [
        "/ui/assets/gone.js",
        "/ui/assets/notes.txt",
        "/ui/secret.js",
        "/ui/assets/..%2fsecret.js",
        "/ui/assets/%2e%2e/secret.js",
        "/ui/..%2f..%2fetc%2fpasswd",
        "/ui/assets//secret.js",
        "/ui/front/index.html",
        "/ui/assets/%00.js",
    ],
)
def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
