"""`yingqiao seal sign` from files to a file, through the bounded process (issue: the headless way)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.helpers import pdfs, seals
from tests.helpers.pdfs import Sheet
from yingqiao.cli import main
from yingqiao.gm import pkcs8
from yingqiao.signing.seals import parallel
from yingqiao.signing.seals.pdf.placing import AtPoint
from yingqiao.signing.seals.pdf.reading import read
from yingqiao.signing.seals.pdf.writing import seal_once


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    signer = seals.seal_world().signer
    now = seals.info(valid_to=seals.VALID_TO.replace(year=2099))
    (tmp_path / "a.esl").write_bytes(seals.make_seal(now))
    (tmp_path / "a.cer").write_bytes(signer.certificate.raw)
    (tmp_path / "a.key").write_bytes(pkcs8.encrypt(signer.private.to_pkcs8(), b"123456", iterations=1000))
    (tmp_path / "in.pdf").write_bytes(pdfs.make([Sheet()] * 3))
    return tmp_path


def sign(folder: Path, *more: str, pin: str = "123456", source: str = "in.pdf") -> Result:
    files = [str(folder / name) for name in (source, "out.pdf")]
    options = ["--esl", "a.esl", "--certificate", "a.cer", "--key", "a.key"]
    given = [str(folder / one) if one.startswith("a.") else one for one in options]
    environment = {"YINGQIAO_PIN": pin} if pin else {}
    return CliRunner().invoke(main, ["seal", "sign", *files, *given, *more], env=environment)


def test_three_placements_three_seals(folder: Path):
    done = sign(
        folder,
        "--at",
        "1-2,120,160",
        "--keyword",
        "Report",
        "--offset",
        "20,30",
        "--paging",
        "--side",
        "left",
    )
    assert done.exit_code == 0, done.output
    made = (folder / "out.pdf").read_bytes()
    pdfs.well_formed(made)
    found = read(made).signatures
    assert [one.page_index for one in found] == [1, 1, 1]
    assert all(not (one.envelope_problem or one.changed_after) for one in found)
    assert found[0].name == "影桥测试医院"


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ((), 2, "盖在哪里"),
        (("--at", "1,20"), 2, "--at"),
        (("--at", "x,20,20"), 2, "--at"),
        (("--at", "1-999,20,20"), 2, "200"),
        (("--at", "7,60,60"), 1, "没有第 7 页：文件共 3 页"),
        (("--at", "1,2,2"), 1, "超出第 1 页"),
        (("--keyword", "审核医师"), 1, "没有关键字"),
        (("--keyword", "Report", "--nth", "0"), 2, "--nth"),
        (("--at", "1,60,60", "--stamp", "http://127.0.0.1:1"), 2, "YINGQIAO_STAMP_APP"),
        (("--at", "1,60,60", "--stamp", "own", "--no-stamp"), 2, "--no-stamp"),
    ],
)
def test_what_is_refused(folder: Path, more: tuple[str, ...], code: int, words: str):
    done = sign(folder, *more)
    assert (done.exit_code, words in done.output) == (code, True), done.output
    assert not (folder / "out.pdf").exists()


def test_the_wrong_pin(folder: Path):
    assert "口令不对" in sign(folder, "--at", "1,60,60", pin="000000").output


def test_a_file_that_is_none(folder: Path):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    done = sign(folder, "--at", "1,60,60", source="bad.pdf")
    assert done.exit_code == 1
    assert "损坏" in done.output


def test_parallel_signing_is_merged(folder: Path):
    """bParallelSign (§3.4): the message a PACS's page heard, as it was heard; a base that changed is refused."""
    by = pdfs.sealer(now=lambda: datetime.now(UTC), esl=(folder / "a.esl").read_bytes())
    base = (folder / "in.pdf").read_bytes()
    done = seal_once(base, AtPoint((1,), 60, 60), by.picture, by, reserve=by.reserve, at=datetime.now(UTC))
    part = parallel.part(base, done.data, done.prepared.byte_range, done.signature, [])
    contents = parallel.contents(base, [part], token="7", seal={}, at=datetime.now(UTC))
    said, merged, again = (folder / name for name in ("said.json", "merged.pdf", "again.pdf"))
    said.write_text(json.dumps({"type": "parallelSignData", "contents": contents}))
    runner = CliRunner()
    ran = runner.invoke(main, ["seal", "merge", str(folder / "in.pdf"), str(said), str(merged)])
    assert ran.exit_code == 0, ran.output
    assert merged.read_bytes() == done.data
    pdfs.well_formed(done.data)
    refused = runner.invoke(main, ["seal", "merge", str(merged), str(said), str(again)])
    assert (refused.exit_code, "底稿已变化" in refused.output, again.exists()) == (1, True, False)
