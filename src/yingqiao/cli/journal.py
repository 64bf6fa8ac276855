"""DATA/office.log: what commands of signing changed, and whose hand it was."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import orjson

from yingqiao.app.folder import open_folder
from yingqiao.settings import Settings
from yingqiao.signing.errors import SigningRefused


def who() -> str:
    """Who acts at a command line: the account of the operating system."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:{os.getuid()}"


def record(
    settings: Settings, act: str, subject: object = "", *, by: str | None = None, hospital: str = ""
) -> None:
    """Who did what to which number, never whom it concerns: the line that the page's acts leave in the gateway's log, in
    DATA/office.log. `by` is what was claimed, `account` the operating system's.
    """
    line = {
        "time": datetime.now(UTC).isoformat(),
        "event": "office.done",
        "act": act,
        "who": by or who(),
        "account": who(),
        "subject": str(subject),
        "hospital": hospital,
    }
    try:
        path = open_folder(settings).office_log
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as stream:
            stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        click.echo(f"已完成，但没有记入 office.log（{error.strerror}）", err=True)


@contextmanager
def recorded(
    settings: Settings, act: str, subject: object, *, by: str | None = None, hospital: str = ""
) -> Iterator[None]:
    """`record` when the act is done, also when a refusal says that it stands."""
    try:
        yield
    except SigningRefused as refused:
        if refused.stands:
            record(settings, act, subject, by=by, hospital=hospital)
        raise
    record(settings, act, subject, by=by, hospital=hospital)
