"""Images by /images/list (四(二)2(3), T90, T94, T95): a real gateway, real servers."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, exam, report
from tests.helpers.dicom_files import part10
from tests.helpers.image_lists import (
    SERIES,
    STUDY,
    allow,
    series_list,
    slow_server,
    summary,
    the_list,
    uid_of,
    urls_of,
    wait_done,
    wait_indexed,
    wait_until,
    write_series,
)
from tests.helpers.timelines import told
from tests.peers.ftp import PASSWORD, USER, ftp_server
from tests.peers.gateway import GatewayMaker, RunningGateway
from tests.peers.nginx import nginx
from yingqiao.client import Gateway

QUICK = {
    "WORK_PASSING_FIRST_SECONDS": "0.2",
    "WORK_PASSING_MOST_SECONDS": "1",
    "WORK_OURS_FIRST_SECONDS": "0.2",
}

KILLS = int(os.environ.get("YINGQIAO_KILLS", "3"))


@pytest.fixture
def gateway(make_gateway: GatewayMaker) -> RunningGateway:
    return make_gateway(**QUICK)


def test_a_list_is_fetched_and_its_images_are_indexed_as_pushed_ones(gateway: RunningGateway, tmp_path: Path):
    """T94, T95: FILEPATH by HTTP; linked by STUDYIUID; the hospital is known; status can be asked."""
    names = write_series(tmp_path / "web", 30)
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        allow(gateway, f"http://127.0.0.1:{port}")
        gateway.push("/exam-sync", exam("E1", studyUid=STUDY, accessionNumber="A100"))
        with Gateway(gateway.url, HOSPITAL, KEY_HEX) as hospital:
            answer = hospital.push_images_list(series_list(urls_of(port, names)))
            assert answer.content["SERIESIUID"] == SERIES
            assert (answer.added, answer.already_there, answer.refused) == (30, 0, ())
            wait_done(gateway, 30)
            status = hospital.list_status(series_uid=SERIES).series[0]
        assert (status.complete, status.done, status.instances, status.remaining) == (True, 30, 30, ())
    assert set(wait_indexed(gateway, 30)) == {uid_of(number) for number in range(30)}
    wait_until(lambda: gateway.json("studies", "list")[0]["orphan"] is False)
    study = gateway.json("studies", "list")[0]
    assert (study["hospitalCode"], study["patientName"]) == (HOSPITAL, "张三")
    shown = the_list(gateway)
    assert [one["risStudyId"] for one in shown["exams"]] == ["E1"]
    assert {file["state"] for file in shown["files"]} == {"done"}
    api = httpx.get(f"{gateway.url}/api/lists/1", headers={"authorization": f"Bearer {gateway.token}"}).json()
    assert api["list"]["fileCount"] == 30


def test_a_list_sent_again_with_more_files_brings_only_those(gateway: RunningGateway, tmp_path: Path):
    """T95: upsert by SERIESIUID, union of FILEPATH."""
    names = write_series(tmp_path / "web", 12)
    log = tmp_path / "nginx" / "access.log"
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        allow(gateway, f"http://127.0.0.1:{port}")
        gateway.push("/images/list", series_list(urls_of(port, names[:8])))
        wait_done(gateway, 8)
        for name in names[:8]:
            (tmp_path / "web" / name).unlink()  # whoever asks again gets 404
        answer = gateway.push("/images/list", series_list(urls_of(port, names[4:])))
        assert (answer["content"]["accepted"], answer["content"]["alreadyThere"]) == (4, 4)
        wait_done(gateway, 12)
    assert summary(gateway)["file_count"] == 12
    assert not log.exists()
    wait_indexed(gateway, 12)


def test_a_refused_host_then_registered(gateway: RunningGateway, tmp_path: Path):
    """T94: nothing is fetched from a host nobody registered; registering is enough to make up for it."""
    names = write_series(tmp_path / "web", 5)
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        answer = gateway.push("/images/list", series_list(urls_of(port, names)))
        assert answer["code"] == 0
        assert len(answer["content"]["refused"]) == 5
        assert summary(gateway)["refused"] == 5
        told = allow(gateway, f"http://127.0.0.1:{port}")
        assert "5 个地址将开始下载" in told
        wait_done(gateway, 5)
        wait_indexed(gateway, 5)


def test_addresses_of_other_hosts_are_refused_beside_good_ones(gateway: RunningGateway, tmp_path: Path):
    """T94: code 1 when at least one is accepted, and each refused address with its reason."""
    names = write_series(tmp_path / "web", 3)
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        allow(gateway, f"http://127.0.0.1:{port}")
        strange = ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd"]
        answer = gateway.push("/images/list", series_list(urls_of(port, names) + strange))
        assert answer["code"] == 1
        assert [refused["url"] for refused in answer["content"]["refused"]] == strange
        assert all(refused["reason"] for refused in answer["content"]["refused"])
        assert sum(finding["rule"] == "url-host" for finding in answer["content"]["findings"]) == 2
        wait_done(gateway, 3)
        assert summary(gateway)["refused"] == 2


def test_partial_failure_is_visible_per_file_and_can_be_retried(gateway: RunningGateway, tmp_path: Path):
    """What is no image ends the work as a dead letter with a reason; mended, `lists retry` brings it."""
    names = write_series(tmp_path / "web", 4)
    (tmp_path / "web" / names[2]).write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 100)
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        allow(gateway, f"http://127.0.0.1:{port}")
        gateway.push("/images/list", series_list(urls_of(port, names)))
        wait_done(gateway, 3)
        wait_until(lambda: the_list(gateway)["work"][0]["state"] == "dead")
        shown = the_list(gateway)
        bad = next(file for file in shown["files"] if file["state"] != "done")
        assert (bad["url"].rpartition("/")[2], bad["state"]) == (names[2], "unusable")
        assert "普通图片" in bad["reason"]
        assert "1 个文件没有取到" in shown["work"][0]["reason"]
        (tmp_path / "web" / names[2]).write_bytes(part10(uid_of(2)))
        assert gateway.cli("lists", "retry", "1").returncode == 0
        wait_done(gateway, 4)
        wait_until(lambda: the_list(gateway)["work"][0]["state"] == "done")
        wait_indexed(gateway, 4)


def test_a_dead_host_does_not_keep_a_lists_other_host_waiting(gateway: RunningGateway, tmp_path: Path):
    """One piece of work a host; the dead host's files come once it is back."""
    names = write_series(tmp_path / "web", 10)
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        with nginx(tmp_path / "web", tmp_path / "nginx2") as dead:
            pass
        allow(gateway, f"http://127.0.0.1:{port}")
        allow(gateway, f"http://127.0.0.1:{dead}")
        urls = urls_of(dead, names[5:]) + urls_of(port, names[:5])
        gateway.push("/images/list", series_list(urls))
        wait_done(gateway, 5)
        assert len(the_list(gateway)["work"]) == 2
        assert summary(gateway)["waiting"] == 5


def test_a_host_that_accepts_and_never_answers_leaves_others_alone(gateway: RunningGateway, tmp_path: Path):
    """Its list is asked for first and hangs; another list's files on a healthy host come before the silent
    one is given up (here 600 s, longer than anything is waited for), and so do those of a list on both."""
    names = write_series(tmp_path / "web", 300)
    with socket.create_server(("127.0.0.1", 0)) as dead, nginx(tmp_path / "web", tmp_path / "nginx") as port:
        silent = dead.getsockname()[1]
        allow(gateway, f"http://127.0.0.1:{port}")
        allow(gateway, f"http://127.0.0.1:{silent}")
        with closing(sqlite3.connect(gateway.data / "yingqiao.sqlite", timeout=120)) as database, database:
            told_to_wait = "UPDATE fetch_hosts SET options = ? WHERE port = ?"
            assert database.execute(told_to_wait, ('{"idle_seconds":600}', silent)).rowcount == 1
        for number in range(4):
            gateway.push("/images/list", series_list(urls_of(silent, names), SERIESIUID=f"1.2.3.9.{number}"))
        wait_until(lambda: the_list(gateway)["work"][0]["state"] == "running")
        gateway.push("/images/list", series_list(urls_of(port, names[:200])))
        both = urls_of(silent, names[:50]) + urls_of(port, names[200:])
        gateway.push("/images/list", series_list(both, SERIESIUID="1.2.3.2"))
        wait_done(gateway, 200, 5)
        wait_done(gateway, 100, 6)
        assert summary(gateway, 1)["done"] == 0
        assert summary(gateway, 6)["waiting"] == 50
        wait_indexed(gateway, 300)


def test_gbk_paths_by_ftp(gateway: RunningGateway, tmp_path: Path):
    """T94: FTP with Chinese folders in GBK, user and password from the environment, never the command line."""
    folder = tmp_path / "ftp" / "影像" / "张三"
    names = write_series(folder, 6)
    with ftp_server(tmp_path / "ftp") as port:
        told = allow(
            gateway,
            f"ftp://127.0.0.1:{port}",
            *("--user", USER, "--path-encoding", "gb18030"),
            YINGQIAO_HOST_PASSWORD=PASSWORD,
        )
        assert PASSWORD not in told
        listed = gateway.json("hospitals", "hosts", "list", HOSPITAL)
        assert listed[0]["credentials"] is True
        assert PASSWORD not in str(listed)
        tested = gateway.json(
            "hospitals", "hosts", "test", HOSPITAL, f"ftp://127.0.0.1:{port}/影像/张三/{names[0]}"
        )
        assert (tested["ok"], tested["instances"]) == (True, 1)
        urls = [f"ftp://127.0.0.1:{port}/影像/张三/{name}" for name in names]
        gateway.push("/images/list", series_list(urls))
        wait_done(gateway, 6)
    wait_indexed(gateway, 6)


@pytest.mark.long
def test_ten_thousand_files_in_one_call(gateway: RunningGateway, tmp_path: Path):
    """A call of 10,000 addresses is answered shortly; all come, in several chunks."""
    count = 10_000
    names = write_series(tmp_path / "web", count, pixels=b"\1\2" * 10)
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        allow(gateway, f"http://127.0.0.1:{port}")
        started = time.monotonic()
        answer = gateway.push("/images/list", series_list(urls_of(port, names)))
        took = time.monotonic() - started
        assert answer["content"]["accepted"] == count
        assert took < 10
        wait_done(gateway, count, seconds=180)
    wait_indexed(gateway, count, seconds=300)
    assert gateway.process is not None
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    assert int(status.partition("VmHWM:")[2].split()[0]) < 300 * 1024


def test_what_makes_no_list_is_refused_and_kept(gateway: RunningGateway):
    """T94: no address, too many; the refusal is kept and can be replayed like any other."""
    empty = gateway.push("/images/list", series_list([]))
    assert empty["code"] == 0
    assert "FILEPATH" in empty["message"]
    many = gateway.push("/images/list", series_list([f"http://h/{n}" for n in range(20_001)]))
    assert many["code"] == 0
    assert gateway.push("/images/list", series_list(["http://h/1"], SERIESIUID=""))["code"] == 0
    kept = gateway.json("submissions", "list", "--interface", "images-list", "--outcome", "refused")
    assert len(kept) == 3
    assert gateway.json("lists", "list") == []
    status = gateway.push("/images/list/status", {"SERIESIUID": "9.9"})
    assert status["code"] == 0


def test_a_replayed_refusal_makes_the_list(make_gateway: GatewayMaker, tmp_path: Path):
    """Refused while the hospital was unknown; registered and replayed it is fetched."""
    gateway = make_gateway(hospital=False, **QUICK)
    names = write_series(tmp_path / "web", 3)
    with nginx(tmp_path / "web", tmp_path / "nginx") as port:
        assert gateway.push("/images/list", series_list(urls_of(port, names)))["code"] == 0
        gateway.add_hospital()
        allow(gateway, f"http://127.0.0.1:{port}")
        assert gateway.cli("submissions", "replay", "1").returncode == 0
        wait_done(gateway, 3)
    wait_indexed(gateway, 3)


def test_a_reports_pdf_is_brought_from_its_path(gateway: RunningGateway, tmp_path: Path):
    """T24: pdf_path is fetched, proven to be a PDF, stored and shown with the version that named it."""
    web = tmp_path / "web"
    web.mkdir()
    pdf = b"%PDF-1.7\n" + b"x" * 5000 + b"\n%%EOF\n"
    (web / "1.pdf").write_bytes(pdf)
    (web / "bad.pdf").write_bytes(b"<html>login</html>")
    with nginx(web, tmp_path / "nginx") as port:
        allow(gateway, f"http://127.0.0.1:{port}")
        gateway.push("/exam-sync", exam("E1"))
        for number, name in (("R1", "1.pdf"), ("R2", "bad.pdf")):
            sent = report(number, "E1", pdf_path=f"http://127.0.0.1:{port}/{name}")
            del sent["reportPdfBase64"]
            assert gateway.push("/report/sync", sent)["code"] == 1
        embedded = report("R3", "E1", pdf_path=f"http://127.0.0.1:{port}/1.pdf")
        assert gateway.push("/report/sync", embedded)["code"] == 1

        def shown(number: str) -> dict[str, object]:
            found: dict[str, object] = gateway.json("reports", "show", HOSPITAL, number)
            return found

        wait_until(lambda: bool(shown("R1")["report"]["pdfObject"]))  # type: ignore[index]
        wait_until(lambda: shown("R2")["documents"][0]["state"] == "unusable")  # type: ignore[index]
        out = tmp_path / "out.pdf"
        assert gateway.cli("reports", "show", HOSPITAL, "R1", "--pdf", str(out)).returncode == 0
        assert out.read_bytes() == pdf
        assert shown("R3")["documents"] == []
        told(gateway, "E1", "document-fetched", "document-missing")


def test_a_pdf_at_an_unregistered_host_is_told_and_comes_once_it_is_registered(
    gateway: RunningGateway, tmp_path: Path
):
    """T24, T94: the hospital's answer, the report and the timeline say so, and with which command it is mended."""
    web = tmp_path / "web"
    web.mkdir()
    (web / "1.pdf").write_bytes(b"%PDF-1.7\nx\n%%EOF\n")
    with nginx(web, tmp_path / "nginx") as port:
        place = f"http://127.0.0.1:{port}"
        gateway.push("/exam-sync", exam("E1"))
        sent = report("R1", "E1", pdf_path=f"{place}/1.pdf")
        del sent["reportPdfBase64"]
        answer = gateway.push("/report/sync", sent)
        assert answer["code"] == 1
        assert ("pdf_path", "url-host") in {(f["field"], f["rule"]) for f in answer["content"]["findings"]}

        def paper() -> dict[str, str]:
            found: list[dict[str, str]] = gateway.json("reports", "show", HOSPITAL, "R1")["documents"]
            return found[0]

        wait_until(lambda: paper()["state"] == "refused")
        command = f"yingqiao hospitals hosts add {HOSPITAL} {place} --private"
        assert command in paper()["mend"]
        assert command in told(gateway, "E1", "document-missing")["document-missing"]
        assert gateway.cli(*command.split()[1:]).returncode == 0
        wait_until(lambda: paper()["state"] == "done")
        assert gateway.json("reports", "show", HOSPITAL, "R1")["report"]["pdfObject"]


def test_parts_left_for_a_week_are_swept_at_start(gateway: RunningGateway):
    """What nobody will go on with must not fill the disk; what is younger may still be continued."""
    gateway.stop()
    parts = gateway.data / "parts"
    parts.mkdir(exist_ok=True)
    for name, age in (("old", 8), ("young", 6)):
        for path in (parts / f"{name}.part", parts / f"{name}.json"):
            path.write_bytes(b"{}")
            os.utime(path, (0, time.time() - age * 86400))
    gateway.start()
    assert {path.name for path in parts.iterdir()} == {"young.part", "young.json"}


def test_a_full_disk_then_room_again(gateway: RunningGateway, tmp_path: Path):
    """No file may grow for a while, as on a full disk: what was fetched waits, nobody gives up, all come once."""
    names = write_series(tmp_path / "web", 300)
    with slow_server(tmp_path / "web", hold_after=60) as server:
        allow(gateway, f"http://127.0.0.1:{server.port}")
        gateway.push("/images/list", series_list(urls_of(server.port, names)))
        wait_until(lambda: server.asked > 60)
        assert gateway.process is not None
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (4096, unlimited))
        server.gate.set()
        time.sleep(3)
        assert summary(gateway)["done"] < 300
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        wait_done(gateway, 300, seconds=300)
    wait_indexed(gateway, 300)


def test_killed_mid_fetch_again_and_again(gateway: RunningGateway, tmp_path: Path):
    """SIGKILL at any moment (YINGQIAO_KILLS times, three by default): every image exactly once in the end, and
    what was noted as done is not asked for again."""
    count = max(400, 60 * KILLS)
    names = write_series(tmp_path / "web", count)
    with slow_server(tmp_path / "web", delay=0.01) as server:
        allow(gateway, f"http://127.0.0.1:{server.port}")
        gateway.push("/images/list", series_list(urls_of(server.port, names)))
        for _ in range(KILLS):
            goal = server.asked + random.randint(1, 50)
            wait_until(lambda goal=goal: server.asked >= goal or summary(gateway)["complete"])
            gateway.stop(signal.SIGKILL)
            gateway.start()
        wait_done(gateway, count, seconds=300)
        assert server.asked < count + KILLS * 400
    wait_indexed(gateway, count, seconds=300)
