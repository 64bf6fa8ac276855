"""The clients in the vendors' languages (docs/howto/clients): known answers, our own envelope, a running gateway."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, exam
from tests.docs.pages import ROOT
from tests.helpers.ports import free_port
from tests.peers.gateway import RunningGateway
from yingqiao.exchange.envelope import seal

CLIENTS = ROOT / "docs/howto/clients"
NOW = 1_767_225_600


@dataclass(frozen=True)
class Sample:
    words: Sequence[str]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = os.environ | {"LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [*self.words, *arguments],
            env=environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def _java(folder: Path) -> Sample:
    _run(
        "javac",
        "--release",
        "8",
        "-Xlint:-options",
        "-d",
        str(folder),
        str(CLIENTS / "java/EnvelopeClient.java"),
    )
    return Sample(["java", "-XX:TieredStopAtLevel=1", "-cp", str(folder), "EnvelopeClient"])


def _csharp(folder: Path) -> Sample:
    program = str(folder / "EnvelopeClient.exe")
    _run("mcs", "-warnaserror", f"-out:{program}", str(CLIENTS / "csharp/EnvelopeClient.cs"))
    return Sample(["mono", program])


def _go(folder: Path) -> Sample:
    program = str(folder / "envelope-client")
    _run("go", "build", "-o", program, str(CLIENTS / "go/envelope_client.go"))
    return Sample([program])


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Go's tools are large and build its library for half a minute: tried with the long tests.
LANGUAGES = [
    pytest.param(_java, id="java"),
    pytest.param(_csharp, id="csharp"),
    pytest.param(_go, id="go", marks=pytest.mark.long),
]


@pytest.fixture(scope="module", params=LANGUAGES)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    made: Sample = request.param(tmp_path_factory.mktemp("sample"))
    return made


def test_the_known_answers(sample: Sample):
    """三(八), T06: the cipher text as printed; T04: the signature."""
    done = sample("vector")
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr


@pytest.mark.parametrize("size", [0, 1, 15, 16, 100_003])
def test_the_envelope_is_ours(sample: Sample, tmp_path: Path, size: int):
    """Byte for byte, whatever the length leaves for padding."""
    plain = bytes(range(256)) * (size // 256 + 1)
    record, key = tmp_path / "record.json", os.urandom(16)
    record.write_bytes(plain[:size])
    done = sample("seal", HOSPITAL, key.hex(), str(NOW), str(record))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == seal(plain[:size], HOSPITAL, key, NOW)


def test_pushing_to_a_running_gateway(sample: Sample, shared_gateway: RunningGateway, tmp_path: Path):
    """Accepted, refused with the findings, refused for the key, not reached: each has its exit code."""
    record = tmp_path / "exam.json"
    url = f"{shared_gateway.url}/exam-sync"
    record.write_text(json.dumps(exam("SAMPLE1"), ensure_ascii=False), "utf-8")
    done = sample("push", url, HOSPITAL, KEY_HEX, str(record))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "上传成功" in done.stdout
    assert shared_gateway.json("exams", "show", HOSPITAL, "SAMPLE1")
    done = sample("push", url, HOSPITAL, "00" * 16, str(record))
    assert (done.returncode, "解密失败" in done.stdout) == (1, True)
    record.write_text(json.dumps(exam("SAMPLE2", patName="")), "utf-8")
    done = sample("push", url, HOSPITAL, KEY_HEX, str(record))
    assert (done.returncode, "patName" in done.stdout) == (1, True)
    done = sample("push", f"{shared_gateway.url}/elsewhere", HOSPITAL, KEY_HEX, str(record))
    assert done.returncode != 0
    done = sample("push", f"http://127.0.0.1:{free_port()}/exam-sync", HOSPITAL, KEY_HEX, str(record))
    assert (done.returncode, "无法与网关通信" in done.stderr) == (3, True)


def test_wrong_use(sample: Sample):
    assert sample("push").returncode == 2
