"""DATA/office.log: every command that changes who may sign, or what is trusted, leaves who, what and which number."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from tests.helpers import pki
from yingqiao.cli import main

SECRET = "0123456789abcdef"


def test_commands_of_signing_are_written_down(tmp_path: Path):
    """Applications, time stamps, the CA, trust and the master key; what only looks writes nothing."""
    data, trusted = tmp_path / "data", tmp_path / "root.cer"
    trusted.write_bytes(pki.world().ca.certificate.raw)

    def run(*words: str) -> None:
        done = CliRunner().invoke(main, [*words, "--data", str(data)])
        assert done.exit_code == 0, (words, done.output)

    run("apps", "add", "APP_1", "--secret", SECRET)
    run("apps", "set", "APP_1", "--max-data", "1000")
    run("apps", "rotate", "APP_1", "--secret", SECRET + "0")
    run("apps", "disable", "APP_1")
    run("apps", "enable", "APP_1")
    run("apps", "list")
    run("tsa", "init")
    run("ca", "init")
    run("ca", "publish")
    run("ca", "show")
    run("trust", "add", str(trusted))
    run("trust", "remove", "1")
    run("keys", "rotate")
    lines = [json.loads(line) for line in (data / "office.log").read_text().splitlines()]
    acts = [one["act"] for one in lines]
    app = [f"app.{act}" for act in ("add", "set", "rotate", "disable", "enable")]
    assert acts == [*app, "tsa.init", "ca.init", "ca.publish", "trust.add", "trust.remove", "keys.rotate"]
    assert {one["subject"] for one in lines[:5]} == {"APP_1"}
    assert all(one["account"].startswith("cli:") and SECRET not in json.dumps(one) for one in lines)
