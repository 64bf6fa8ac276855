"""What the commands of the signing office share."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from yingqiao.app.signing_office import open_office
from yingqiao.cli.options import stores
from yingqiao.cli.output import fail
from yingqiao.gm.errors import GmError
from yingqiao.settings import Settings
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.signing.office import Office


@contextmanager
def office(settings: Settings, *, create: bool = False) -> Iterator[Office]:
    """The office of the settings; refusals become Chinese lines and exit code 1."""
    try:
        with stores(settings, create=create) as opened:
            yield open_office(settings, opened)
    except (SigningRefused, GmError) as error:
        fail(error.reason)


def ask_password(what: str = "口令") -> str:
    """The password, typed twice or a line of a pipe; never an argument, which others would see."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"{what}：")
    if getpass.getpass("再输一次：") != first:
        fail(f"两次输入的{what}不同")
    return first


def ask_pin() -> str:
    """A PIN, as a password is asked."""
    return ask_password("PIN")
