"""Seals whose keys stay in a device on the desk (GM/T 0016), through a program of its own (ADR 16): the reference one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.helpers import pki, report_pdf, seal_desk, seals
from tests.helpers.in_process import InProcess
from tests.helpers.seal_desk import Pacs, SealDesk
from yingqiao.cli import main
from yingqiao.client.key_device import CommandDevice
from yingqiao.gm import certificates, issuing, signatures
from yingqiao.gm.issuing import Profile
from yingqiao.signing.private_keys import DeviceError
from yingqiao.signing.seals.documents import judge_pdf
from yingqiao.signing.seals.intact import problem_of, trusting_nobody

PDF = report_pdf.report(2)
NAME, DEVICE_PIN = "hospital-seal", "88314159"
SOURCE = str(Path(__file__).parents[3])


def command(keys: Path) -> str:
    return f"{sys.executable} -m yingqiao.client.reference_device {keys}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, Path]:
    """Seal and certificate for a key made in the device; the device's folder."""
    keys = tmp_path_factory.mktemp("device")
    device = CommandDevice(command(keys), seconds=60, start_seconds=60)
    point = device.make(NAME)
    device.close()
    (keys / ".pin").write_text(DEVICE_PIN)
    now = datetime.now(UTC)
    times = {"not_before": now - timedelta(days=9), "not_after": now + timedelta(days=300)}
    order = pki.order(Profile.SIGNING, pki.name("影桥测试医院"), signatures.sm2_key(point), **times)
    certificate = issuing.issue(order, pki.world().ca.authority)
    said = seals.info(
        created=now - timedelta(days=5),
        valid_from=now - timedelta(days=6),
        valid_to=now + timedelta(days=200),
        certificates=(certificates.parse(certificate).raw,),
    )
    return seals.make_seal(said), certificate, keys


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    with seal_desk.pacs() as running:
        running.put("/a.pdf", PDF, "application/pdf")
        yield running


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[bytes, bytes, Path], pacs: Pacs
) -> Iterator[SealDesk]:
    tmp_path = tmp_path_factory.mktemp("desk")
    (tmp_path / "seals").mkdir()
    (tmp_path / "seals" / f"{NAME}.esl").write_bytes(made[0])
    (tmp_path / "seals" / f"{NAME}.cer").write_bytes(made[1])
    (tmp_path / "seals" / "Bad Name.esl").write_bytes(made[0])
    told = {"command": command(made[2]), "seconds": 20}
    with seal_desk.seal_desk(tmp_path, [], open={"hosts": [pacs.url()]}, device=told) as running:
        yield running


def seal_by(page: seal_desk.DeskPage, base: str, seal: str, pin: str) -> Any:
    wishes = {"points": [{"page": 1, "x": 60, "y": 60}, {"page": 2, "x": 10, "y": 10}]}
    return page.ask("seal", {"seal": seal, "base": base, "pin": pin, "wishes": wishes})


def test_sealed_by_a_device(desk: SealDesk, pacs: Pacs, made: tuple[bytes, bytes, Path]):
    """Its seal stands beside those of wallets; its PIN, with what it says is left; two seals by one PIN; locked after."""
    page = desk.page(fileUrl=f"{pacs.url()}/a.pdf", savePath=f"{pacs.url()}/upload")
    base = page.open()["sm3"]
    own, wallet = page.ask("seals").json()
    assert (own["unusable"], wallet["unusable"]) == ("", "")
    wrong = seal_by(page, base, own["id"], "00000000")
    assert (wrong.status_code, wrong.json()) == (
        403,
        {"code": "wrong-pin", "message": "PIN 不正确，还可以试 4 次"},
    )
    (made[2] / ".tries").write_text("4")
    assert "还可以试 1 次" in seal_by(page, base, own["id"], "00000000").json()["message"]
    done = seal_by(page, base, own["id"], DEVICE_PIN)
    assert done.status_code == 200, done.text
    assert [one["whole"] for one in done.json()["signatures"]] == [True, True]
    sealed = page.ask("pdf").content
    found = judge_pdf(sealed, trusting_nobody(datetime.now(UTC)), InProcess())
    assert [problem_of(one.verdict) for one in found] == [None, None]
    assert {one.verdict.signature.certificate for one in found} == {made[1]}
    other = CommandDevice(command(made[2]), seconds=60, start_seconds=60)
    try:
        with pytest.raises(DeviceError):
            other.sign(NAME, bytes(32))
    finally:
        other.close()
    written = b"".join(one.read_bytes() for one in desk.folder.rglob("*") if one.is_file())
    assert DEVICE_PIN.encode() not in written


def test_a_locked_device_and_one_that_is_away_count_no_tries(
    desk: SealDesk, pacs: Pacs, made: tuple[bytes, bytes, Path]
):
    """No PIN was tried then: the desk's own count of wrong ones stays as it was."""
    page = desk.page(fileUrl=f"{pacs.url()}/a.pdf", savePath=f"{pacs.url()}/upload")
    base = page.open()["sm3"]
    own = page.ask("seals").json()[0]["id"]
    (made[2] / ".tries").write_text("6")
    for _ in range(6):
        locked = seal_by(page, base, own, DEVICE_PIN)
        assert (locked.status_code, locked.json()["code"]) == (423, "device-locked")
    (made[2] / ".tries").unlink()
    key = made[2] / NAME
    key.rename(made[2] / "elsewhere")
    try:
        gone = seal_by(page, base, own, DEVICE_PIN)
    finally:
        (made[2] / "elsewhere").rename(key)
    assert (gone.status_code, gone.json()["code"]) == (502, "device-no-key")
    assert seal_by(page, base, own, DEVICE_PIN).status_code == 200


def test_the_check_greets_the_device(tmp_path: Path, made: tuple[bytes, bytes, Path]):
    """`--check`: an administrator sees a device's program that does not run."""
    (tmp_path / "seals").mkdir()
    for suffix, raw in ((".esl", made[0]), (".cer", made[1])):
        (tmp_path / "seals" / f"{NAME}{suffix}").write_bytes(raw)
    for program, words in (
        (command(made[2]), "通过  密码设备：1 reference"),
        ("/no/such/program", "不通过  密码设备"),
    ):
        config = tmp_path / "seal-client.toml"
        config.write_text(
            f'[client]\norigins = ["https://pacs.cn"]\n[open]\nhosts = ["https://pacs.cn"]\n[device]\ncommand = "{program}"\n'
        )
        done = CliRunner().invoke(main, ["seal-client", "--config", str(config), "--check"])
        assert words in done.output, done.output
        assert done.exit_code == (0 if "不" not in words else 1)
