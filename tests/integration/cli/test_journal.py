"""DATA/office.log: every command that changes who may sign, or what is trusted, leaves who, what and which number."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from tests.helpers import pki
from tests.helpers.seal_office import made
from yingqiao.cli import main
from yingqiao.cli.office import office
from yingqiao.settings import read_settings

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


def test_the_seal_maker_is_revoked_at_the_command_line(tmp_path: Path):
    """2.7 row 5: listed, revoked once, written down; what is verified at this data folder knows it at once."""
    data = tmp_path / "data"

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, [*words, "--data", str(data)])
        assert done.exit_code == code, (words, done.output)
        return done.output

    run("ca", "init")
    run("hospitals", "add", "H1", "--name", "太原市第一医院", "--sm4-key", "00" * 16)
    with office(read_settings(config=None, environ={}, flags={"data": str(data)})) as opened:
        seal = made(opened)
    (tmp_path / "seal.esl").write_bytes(seal.esl)
    assert "验证通过" in run("verify", "seal", str(tmp_path / "seal.esl"))
    (maker,) = json.loads(run("seals", "makers", "--json"))
    told = run("seals", "revoke-maker", str(maker["id"]), "--reason", "key-compromise", "--by", "甲")
    assert "制作过 1 枚印章" in told
    assert "已经吊销" in run("seals", "revoke-maker", str(maker["id"]), "--reason", "superseded", code=1)
    assert "已吊销（密钥泄露）" in run("seals", "makers")
    judged = json.loads(run("verify", "seal", str(tmp_path / "seal.esl"), "--json", code=2))
    assert (judged[0]["code"], judged[0]["indication"]) == (1006, "unknown")
    assert "没有可信时间戳" in judged[0]["words"]
    last = json.loads((data / "office.log").read_text().splitlines()[-1])
    assert (last["act"], last["subject"], last["who"]) == ("seal-maker.revoke", str(maker["id"]), "甲")
