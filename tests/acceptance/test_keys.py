"""The master key is replaced while a gateway runs: it receives, stamps and verifies without a gap, and starts again."""

from __future__ import annotations

import os
import threading

from tests.acceptance.senders import exam
from tests.helpers.connector import until
from tests.helpers.coss import APP, SECRET, call
from tests.helpers.odd_device import OddDevice
from tests.peers.gateway import GatewayMaker, RunningGateway
from yingqiao.app.keyring import KeyRing

STAMP = {"oriData": "影像报告", "attachCert": "true"}


def ring(gateway: RunningGateway) -> KeyRing:
    return KeyRing.parse((gateway.data / "master.key").read_text())


def test_a_rotation_is_not_noticed_by_who_sends(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway(start=False)
    assert gateway.cli("apps", "add", APP, "--secret", SECRET).returncode == 0
    gateway.start()
    answers: list[object] = []
    done = threading.Event()

    def send() -> None:
        number = 0
        while not done.is_set():
            number += 1
            answers.append(gateway.push("/exam-sync", exam(f"R{number}"))["code"])
            answers.append(call(gateway.url, "createAndGetTssInfo", STAMP)["status"])

    sending = threading.Thread(target=send)
    sending.start()
    try:
        until(lambda: len(answers) > 2)
        before = ring(gateway).keys[0].id
        assert gateway.cli("keys", "rotate", "--dry-run").returncode == 0
        turned = gateway.cli("keys", "rotate")
        assert turned.returncode == 0, turned.stderr
        gateway.add_hospital("OTHER", "11" * 16, "另一家")  # sealed by a command, opened by the gateway
        os.utime(gateway.data / "master.key", (0, 0))
        retired = gateway.cli("keys", "retire")
        assert (retired.returncode, before in retired.stdout) == (0, True), retired.stderr
        sent = len(answers)
        until(lambda: len(answers) > sent + 2)
    finally:
        done.set()
        sending.join()
    assert set(answers) == {1, 200}
    assert len(answers) > sent + 2
    (only,) = ring(gateway).keys
    assert only.id != before
    shown = gateway.json("keys", "show")
    assert [(one["id"], one["use"]) for one in shown["keys"]] == [(only.id, "封存")]
    assert only.raw.hex() not in str(shown) + gateway.log
    gateway.stop()
    gateway.start()
    assert gateway.push("/exam-sync", exam("after"))["code"] == 1
    assert call(gateway.url, "createAndGetTssInfo", STAMP)["status"] == 200
    assert gateway.log.count("key_unreadable") == 0


def test_a_gateway_stamps_by_a_device_and_says_when_it_is_away(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway(start=False)
    odd = OddDevice(gateway.data.parent / "device")
    gateway.environ |= {"YINGQIAO_DEVICE_COMMAND": odd.command, "YINGQIAO_DEVICE_SECONDS": "60"}
    assert gateway.cli("apps", "add", APP, "--secret", SECRET).returncode == 0
    gateway.start()
    assert call(gateway.url, "createAndGetTssInfo", STAMP)["status"] == 200
    odd.behave("away")
    refused = call(gateway.url, "createAndGetTssInfo", STAMP)
    assert refused["status"] == 503
    assert "密码设备" in refused["message"]
    assert gateway.push("/exam-sync", exam("R1"))["code"] == 1
    made = gateway.cli("ca", "init")
    assert (made.returncode, "密码设备" in made.stderr) == (3, True), made.stderr
    odd.behave("")
    assert call(gateway.url, "createAndGetTssInfo", STAMP)["status"] == 200
    assert gateway.cli("ca", "init").returncode == 0
