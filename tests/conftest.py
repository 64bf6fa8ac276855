"""Fixtures of all tests. Each real peer has a module in tests/peers with its fixtures."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import httpx
import httpx._transports.default as _httpx_default
import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from yingqiao.signing import passwords

# In order: others use what dcmtk has, and pytest wants to be the first to import each.
pytest_plugins = [
    f"tests.peers.{name}" for name in sorted(m.stem for m in Path(__file__).parent.glob("peers/[a-z]*.py"))
]

# A busy machine is slow, not wrong. In CI hypothesis's own profile says the same, and makes every run alike.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if "CI" not in os.environ:
    settings.load_profile("patient")

# Every `httpx.post` of a test makes a client, and each would read the authorities of the web anew: 40 ms of processor.
_httpx_default.create_ssl_context = functools.cache(httpx.create_ssl_context)

# Five seconds are not enough where a process that serves may stand still for as long.
for _which in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, _which, 120.0)

# Staff by the hundred: what a password's hash costs outside is held by tests/unit/signing/test_passwords.py.
passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

_STARTED_ONCE = ("shared_gateway", "orthanc")
"""Fixtures that start a program for many tests: those tests run in one process, so that it starts once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups for `--dist loadgroup`: what belongs together runs in one process, and what it needs is started once.

    That is a file; but acceptance tests are long, so those that share no gateway go to whichever process is free.
    """
    for item in items:
        used = [name for name in _STARTED_ONCE if name in getattr(item, "fixturenames", ())]
        place = item.path.relative_to(Path(__file__).parent)
        if "orthanc" in used:
            item.add_marker(pytest.mark.xdist_group("orthanc"))
        elif used or place.parts[0] != "acceptance":
            item.add_marker(pytest.mark.xdist_group(str(place.with_suffix(""))))


@pytest.fixture(autouse=True)
def _log_as_at_start() -> None:
    """A command run within an earlier test set where log events go; that test's stream is gone."""
    structlog.reset_defaults()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Says at once what failed: a run of many processes tells at its end, which it may not live to see."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\n{report.nodeid}: {report.when} failed\n{report.longreprtext[-600:]}", flush=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing is left out in silence: a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and "CI" in os.environ and session.exitstatus == pytest.ExitCode.OK:
        for report in skipped:
            reporter.write_line(f"SKIPPED {report.nodeid}: {report.longrepr}", red=True)
        reporter.write_line("CI skips nothing: each of these must run, or not be a test", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
