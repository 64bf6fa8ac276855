"""The connector as a process against a real gateway: live records, outages, kills, refusals, backfill, limits."""

from __future__ import annotations

import json
import signal
import socket
import time

import pytest

from tests.acceptance.senders import exam, report
from tests.helpers.connector import Hospital, accepted, beijing, held, submissions, until
from tests.helpers.ports import free_port
from tests.integration.connector.conftest import HospitalMaker
from tests.peers.gateway import GatewayMaker, RunningGateway
from yingqiao.hospital.spool.store import Pressure


def all_there(gateway: RunningGateway, hospital: Hospital, count: int) -> bool:
    exams, reports = held(gateway, hospital.code)
    return len(exams) == len(reports) == count


def test_records_arrive_exam_before_its_report(shared_gateway: RunningGateway, make_hospital: HospitalMaker):
    """四(二)1: what the hospital has arrives; 三(六): sealed. An exam is there before its report."""
    gateway = shared_gateway
    hospital = make_hospital(gateway, own=True)
    hospital.ris.add_exams(*range(30))
    hospital.start()
    assert until(lambda: all_there(gateway, hospital, 30)), hospital.log[-3000:]
    order = [
        exam_key or report_key for _, exam_key, report_key, _ in submissions(gateway, code=hospital.code)
    ]
    assert all(order.index(f"E{n:05}") < order.index(f"R{n:05}") for n in range(30))
    hospital.ris.add_exams(30, 31)
    assert until(lambda: all_there(gateway, hospital, 32))
    assert accepted(gateway, code=hospital.code) == 64
    assert hospital.stop() == 0
    status = json.loads(hospital.cli("status", "--json").stdout)
    assert status["records"] == status["sent"] == {"exam": 32, "report": 32}
    assert status["waiting_live"] == status["waiting_backfill"] == 0


def test_a_gateway_down_for_long_loses_nothing(make_gateway: GatewayMaker, make_hospital: HospitalMaker):
    """The newest version of each record arrives once the gateway is there, in one piece."""
    gateway = make_gateway(start=False)
    hospital = make_hospital(gateway)
    hospital.ris.add_exams(*range(10))
    hospital.start()
    assert until(lambda: (s := hospital.status()) and s.records.get("report") == 10)
    hospital.ris.add_exams(3, reports=False, patName="李四改", at=beijing(minutes=5))
    assert until(lambda: "网关" in hospital.alarms())
    time.sleep(1)
    gateway.start()
    assert until(lambda: all_there(gateway, hospital, 10)), hospital.log[-3000:]
    assert [key for _, key, of_report, _ in submissions(gateway) if key == "E00003" and not of_report] == [
        "E00003"
    ]
    assert until(lambda: not hospital.alarms())


@pytest.mark.long
def test_killed_at_any_moment(make_gateway: GatewayMaker, make_hospital: HospitalMaker):
    """Nothing lost, nothing doubled in the gateway's tables, however often the connector is killed."""
    gateway = make_gateway()
    hospital = make_hospital(gateway)
    for kill in range(6):
        hospital.ris.add_exams(*range(kill * 40, kill * 40 + 40))
        hospital.start()
        time.sleep(0.9 + 0.17 * kill)
        hospital.stop(signal.SIGKILL)
    hospital.start()
    assert until(lambda: all_there(gateway, hospital, 240)), hospital.log[-3000:]
    assert until(lambda: (s := hospital.status()) and s.sent == {"exam": 240, "report": 240})


def test_refused_then_mended(shared_gateway: RunningGateway, make_hospital: HospitalMaker):
    """Refused records wait in the worklist with the gateway's findings, and go by themselves once mended."""
    gateway = shared_gateway
    hospital = make_hospital(gateway, own=True)
    hospital.ris.put("exam", exam("E1", idCard="", patName="", lastChangeTime=beijing(hours=2)), exam("E2"))
    hospital.start()
    assert until(lambda: (s := hospital.status()) and s.refused == 1)
    listed = json.loads(hospital.cli("worklist", "list", "--json").stdout)
    assert [(row["kind"], row["key"]) for row in listed] == [("检查", "E1")]
    shown = json.loads(hospital.cli("worklist", "show", "exam", "E1", "--json").stdout)
    assert {finding["field"] for finding in shown["findings"] if finding["level"] == "refuse"} >= {"patName"}
    assert "E1" in hospital.cli("worklist", "list", "--csv").stdout
    assert hospital.cli("worklist", "resend", "exam", "E1").returncode == 0
    assert until(lambda: len(submissions(gateway, "", "refused", hospital.code)) == 2)
    hospital.ris.put("exam", exam("E1", lastChangeTime=beijing(minutes=1)))
    assert until(lambda: held(gateway, hospital.code)[0] == {"E1", "E2"}), hospital.log[-3000:]
    assert until(lambda: (s := hospital.status()) and s.refused == 0)


def test_our_key_not_known_blames_no_record(shared_gateway: RunningGateway, make_hospital: HospitalMaker):
    """三(六): with a wrong key nothing lands in the worklist; all waits, and goes when the key is right."""
    gateway = shared_gateway
    hospital = make_hospital(gateway, own=True)
    key = hospital.folder / "sm4.key"
    right = key.read_text()
    key.write_text(right[::-1])
    hospital.ris.add_exams(1, 2)
    hospital.start()
    assert until(lambda: "身份" in hospital.alarms())
    assert (s := hospital.status())
    assert s.refused == 0
    checked = hospital.cli("check")
    assert checked.returncode == 1
    assert "密钥" in checked.stdout
    hospital.stop()
    key.write_text(right)
    good = hospital.cli("check")
    assert good.returncode == 0, good.stdout
    hospital.start()
    assert until(lambda: all_there(gateway, hospital, 2)), hospital.log[-3000:]


def test_backfill_interrupted_again_and_again(shared_gateway: RunningGateway, make_hospital: HospitalMaker):
    """四(一): history by day, resumed after kills, none missing, none doubled, live traffic meanwhile."""
    gateway = shared_gateway
    hospital = make_hospital(gateway, own=True, reading={"first_days": 1})
    for day in range(3, 13):
        hospital.ris.add_exams(*range(day * 10, day * 10 + 10), at=beijing(days=day))
    hospital.start()
    assert until(lambda: (s := hospital.status()) and s.positions)
    first = beijing(days=13)[:10]
    assert hospital.cli("backfill", "--from", first).returncode == 0
    for kill in range(4):
        time.sleep(0.8)
        hospital.stop(signal.SIGKILL)
        hospital.ris.add_exams(1 + kill)
        hospital.start()
    assert until(lambda: all_there(gateway, hospital, 104)), hospital.log[-3000:]
    assert until(lambda: (s := hospital.status()) and s.backfill and s.backfill.done == s.backfill.planned)
    assert accepted(gateway, code=hospital.code) < 3 * 104  # what was under way at each kill goes again


@pytest.mark.long
def test_a_full_spool_stops_reading_and_goes_on(make_gateway: GatewayMaker, make_hospital: HospitalMaker):
    gateway = make_gateway(start=False)
    limit = {"folder": "spool", "max_bytes": 1 << 20, "reserve_bytes": 0}
    hospital = make_hospital(gateway, spool=limit, reading={"poll_seconds": 0.2, "batch": 20})
    hospital.ris.add_exams(*range(600))
    hospital.start()
    assert until(lambda: (s := hospital.status()) and s.pressure is Pressure.FULL)
    time.sleep(2)
    assert (s := hospital.status())
    assert sum(s.records.values()) < 1200
    assert until(lambda: "已满" in hospital.alarms())
    hospital.stop()
    hospital.write(spool=limit | {"max_bytes": 64 << 20})
    gateway.start()
    hospital.start()
    assert until(lambda: all_there(gateway, hospital, 600)), hospital.log[-3000:]


def test_check_says_what_is_wrong(make_hospital: HospitalMaker):
    hospital = make_hospital(f"http://127.0.0.1:{free_port()}")
    done = hospital.cli("check")
    assert done.returncode == 1
    assert "连不上" in done.stdout
    hospital.write(gateway={"kye": "env:NOTHING"})
    done = hospital.cli("check")
    assert done.returncode == 2
    assert "gateway.kye" in done.stderr
    assert "gateway.key" in done.stderr
    hospital.write(gateway={"key": "0123456789abcdeffedcba9876543210"})
    done = hospital.cli("check")
    assert done.returncode == 2
    assert "0123456789abcdef" not in done.stderr + done.stdout


def test_two_connectors_do_not_share_a_spool(make_gateway: GatewayMaker, make_hospital: HospitalMaker):
    gateway = make_gateway(start=False)
    hospital: Hospital = make_hospital(gateway)
    hospital.start()
    assert until(lambda: "connector.started" in hospital.log)
    done = hospital.cli("run")
    assert done.returncode == 3
    assert "另一个连接器" in done.stderr


@pytest.mark.parametrize("section", ["serve", "images"])
def test_a_port_that_is_taken_is_said(section: str, make_hospital: HospitalMaker):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = {"host": "127.0.0.1", "port": taken.getsockname()[1]}
        mode = {"mode": "forward"} if section == "images" else {}
        hospital = make_hospital("http://127.0.0.1:9", **{section: address | mode})
        done = hospital.cli("run")
    assert done.returncode == 3, done.stderr
    assert f"不能监听 127.0.0.1:{address['port']}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_report_alone_is_sent(shared_gateway: RunningGateway, make_hospital: HospitalMaker):
    """Its exam may be in another system: the gateway keeps it waiting for it."""
    gateway = shared_gateway
    hospital = make_hospital(gateway, own=True)
    hospital.ris.put("report", report("R9", "NOWHERE"))
    hospital.start()
    assert until(lambda: held(gateway, hospital.code)[1] == {"R9"}), hospital.log[-3000:]
