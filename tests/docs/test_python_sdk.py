"""The page about the Python library, its code run block by block against a real gateway."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import yingqiao.client
from tests.acceptance.senders import exam
from tests.docs.pages import page
from tests.helpers.hospital_server import paged, serve_hospital
from tests.helpers.receiver_server import serve_receiver
from tests.peers.gateway import RunningGateway
from yingqiao.client import Gateway, HospitalSystem, Limits

HOWTO, REFERENCE = page("docs/howto/python-sdk.md"), page("docs/reference/python-client.md")


def test_the_page_does_what_it_says(
    shared_gateway: RunningGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "exam.json").write_text(json.dumps(exam("CT20261123001"), ensure_ascii=False), "utf-8")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    shown = []
    with serve_receiver("x", "00" * 16) as platform, serve_hospital() as hospital:
        platform.fixed = (200, {}, b'{"status":"0","message":"SUCCESS","data":["CT20261122002"]}')
        hospital.rows = paged([{"risStudyId": f"H{number}"} for number in range(60)])
        places = {
            "http://127.0.0.1:8080": shared_gateway.url,
            "http://10.0.0.9:8090": platform.url,
            "http://10.1.2.3:9000": hospital.url,
        }
        for block in HOWTO.blocks:
            if block.language != "python":
                continue
            text = block.text
            for printed, real in places.items():
                text = text.replace(f'"{printed}"', f'"{real}"')
            exec(compile(text, HOWTO.name, "exec"), scope)
            shown.append(capsys.readouterr().out)
    pushed, failed, checked, listed, reconciled, together, asked = shown
    assert pushed.startswith("上传成功")
    assert "patName 姓名：该字段必填" in failed
    assert "请联系平台核对密钥与登记：data 解密失败" in failed
    assert checked.startswith("False ['idCard'")
    assert "没有发送： 数据校验未通过" in checked
    assert "都不能下载：该机构还没有登记允许下载的主机" in listed
    assert "0 / 1" in listed
    assert reconciled == "平台缺少 ('CT20261122002',)\n"
    assert together == "5 条已接受\n"
    assert asked.splitlines()[-2:] == ["H59", "2 页 []"]


def test_the_reference_has_every_name():
    code = REFERENCE.text
    for name in yingqiao.client.__all__:
        assert re.search(rf"\b{name}\b", code), name
    for owner in (Gateway, HospitalSystem):
        for name in dir(owner):
            if not name.startswith("_") and name not in ("speak", "hospital_code", "page_size", "max_pages"):
                assert re.search(rf"\b{name}\b", code), f"{owner.__name__}.{name}"


def test_the_reference_has_every_limit():
    limits = Limits()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+)", REFERENCE.section("Limits"), re.MULTILINE))
    named = {name: getattr(limits, name) for name in Limits.__dataclass_fields__}
    named["answer_bytes"] >>= 20
    assert {name: float(value) for name, value in rows.items()} == named
