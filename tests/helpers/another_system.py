"""`python -m tests.helpers.another_system FOLDER`: the seal client begun where nothing of POSIX is, as on Windows.

Says what it answered for its page. What Windows lacks is taken away; that it is Windows is not pretended.
"""

from __future__ import annotations

import asyncio
import os
import sys
import urllib.request
from pathlib import Path

MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "uvloop")
NAMES = ("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "fchmod", "getuid", "nice", "set_blocking")


def main() -> None:
    """Needs `seal-client.toml` in FOLDER."""
    assert asyncio.sslproto  # loaded while everything is here: it is not ours
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in NAMES:
        delattr(os, name)
    from yingqiao.cli.seal_client import BuiltPages
    from yingqiao.seal_client.check import check
    from yingqiao.seal_client.config import read_config
    from yingqiao.seal_client.running import build

    loaded = read_config(Path(sys.argv[1]) / "seal-client.toml")
    for one in check(loaded):
        print(one.what, one.good, one.detail)
    service = build(loaded, BuiltPages())
    port = service.start()
    with urllib.request.urlopen(f"http://localhost:{port}/PDFClient/viewer.html?fileUrl=a") as answer:
        print(answer.status, "yingqiao-session" in answer.read().decode())
    service.close()


if __name__ == "__main__":
    main()
