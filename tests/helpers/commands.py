"""`yingqiao` commands as a test gives them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import structlog
from click.testing import CliRunner

from yingqiao.cli import main

YINGQIAO = str(Path(sys.executable).with_name("yingqiao"))


def run(
    words: Sequence[str], environ: Mapping[str, str] | None = None, stdin: str | None = None
) -> CompletedProcess[str]:
    """A command run in this process: a program of its own takes most of a second to start.

    Those that serve until they are stopped are programs; so is what another thread runs, for the output here is one.
    """
    if words[0] == "serve" or words[:2] == ["hospital", "run"] or not _in_front():
        return run_apart(words, environ, stdin)
    done = CliRunner().invoke(main, list(words), input=stdin, env=dict(environ or {}))
    structlog.reset_defaults()  # the command told where log events go, and that is closed now
    stderr = done.stderr
    if done.exc_info and not isinstance(done.exception, SystemExit | None):
        stderr += "".join(traceback.format_exception(*done.exc_info))
    return CompletedProcess(["yingqiao", *words], done.exit_code, done.stdout, stderr)


def run_apart(
    words: Sequence[str], environ: Mapping[str, str] | None = None, stdin: str | None = None
) -> CompletedProcess[str]:
    """A command as people run it: a program."""
    return subprocess.run(
        [YINGQIAO, *words],
        capture_output=True,
        text=True,
        timeout=280,
        input=stdin,
        env=os.environ | dict(environ or {}),
        check=False,
    )


def _in_front() -> bool:
    return threading.current_thread() is threading.main_thread()
