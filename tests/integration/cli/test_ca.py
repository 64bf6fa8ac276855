"""`yingqiao ca` of more than one CA; `yingqiao verify` from standard input."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from yingqiao.cli import main
from yingqiao.gm import certificates, crl, sm2
from yingqiao.gm.issuing import Authority
from yingqiao.gm.signatures import sm2_key, sm2_signer
from yingqiao.signing.certificates.authority import root_certificate


def test_an_earlier_ca_is_shown_published_and_distrusted(tmp_path: Path):
    """四(二)4: the operator sees every CA with its list; what an outside verifier asks for can be written to a file."""
    data, out = tmp_path / "data", tmp_path / "list.crl"

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, [*words, "--data", str(data)])
        assert done.exit_code == code, (words, done.output)
        return done.output

    run("ca", "init")
    assert "已有 CA" in run("ca", "init", code=1)
    assert "影桥 CA 2" in run("ca", "init", "--renew")
    (earlier,) = json.loads(run("ca", "show", "--json"))["earlier"]
    assert (earlier["id"], earlier["trusted"], earlier["lists"]) == (1, True, "不再需要")
    assert "已发布 CA 1" in run("ca", "publish", "--ca", "1", "--out", str(out))
    assert crl.parse(out.read_bytes()).issuer.common_name == "影桥 CA"
    assert "已发布 CA 2" in run("ca", "publish", "--out", str(out))
    assert crl.parse(out.read_bytes()).issuer.common_name == "影桥 CA 2"
    assert "正在签发" in run("ca", "distrust", "2", code=1)
    run("ca", "distrust", "1")
    assert "不再信任" in run("ca", "show")
    acts = [json.loads(line)["act"] for line in (data / "office.log").read_text().splitlines()]
    assert acts == ["ca.init", "ca.init", "ca.publish", "ca.publish", "ca.distrust"]


def test_a_list_of_a_ca_elsewhere_is_imported(tmp_path: Path):
    """Annex 7, 离线场景: and the CA before, which is here, still publishes."""
    data, file, now = tmp_path / "data", tmp_path / "given", datetime.now(UTC)
    key = sm2.generate()
    root = root_certificate("外部 CA", sm2_key(key.public().point), sm2_signer(key), now)
    by = Authority.of(certificates.parse(root), sm2_signer(key))

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, [*words, "--data", str(data)])
        assert done.exit_code == code, (words, done.output)
        return done.output

    run("ca", "init")
    file.write_bytes(root)
    run("ca", "init", "--renew", "--offline", str(file))
    file.write_bytes(crl.issue(by, (), 1, now, now + timedelta(days=7)))
    assert "已导入 CA 2 的吊销列表" in run("ca", "import", str(file))
    file.write_bytes(crl.issue(by, (), 1, now - timedelta(days=1), now + timedelta(days=7)))
    assert "比已有的旧" in run("ca", "import", str(file), code=1)
    assert "离线方式" in run("ca", "publish", code=1)
    assert "--ca" in run("ca", "publish", "--out", str(file), code=2)
    run("ca", "publish", "--ca", "1", "--out", str(file))
    assert crl.parse(file.read_bytes()).issuer.common_name == "影桥 CA"


def test_more_than_the_limit_on_standard_input_is_refused(tmp_path: Path):
    """Of a part, the verdict would be "damaged" (1001); too much is told as that, and is no verdict."""
    limit = 64 * 1024 * 1024
    words = ["verify", "seal", "-"]
    done = CliRunner().invoke(main, words, input=b"%PDF-1.7\n" + b" " * limit)
    assert (done.exit_code, "标准输入超过 64 MiB，没有验证" in done.output) == (2, True)
    twice = ["verify", "signature", "--content", "-", "--signature", "-"]
    done = CliRunner().invoke(main, twice, input=b"content")
    assert (done.exit_code, "标准输入只能给一个文件用" in done.output) == (2, True)
    large = tmp_path / "large.pdf"
    with large.open("wb") as file:
        file.truncate(limit + 1)
    words[2] = str(large)
    assert "large.pdf 超过 64 MiB" in CliRunner().invoke(main, words).output
