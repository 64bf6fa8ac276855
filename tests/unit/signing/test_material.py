"""The checklist of material (接入申请材料清单, 四(二)4): complete, and with one thing wrong."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.helpers import pki, seals
from tests.helpers.sealed_files import report_pdf, sealed_pdf
from tests.helpers.trust import crl_of, pem
from yingqiao.gm import sm2
from yingqiao.gm.timestamp_writing import Stamp, Stamper, imprint_of
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.sandbox.pdf_reader import PRELOAD, SandboxedPdfReader
from yingqiao.signing.material import Check, Situation, check_material
from yingqiao.signing.verification.report import Indication

W = pki.world()
STAMPER = Stamper(W.tsa.certificate, W.tsa.signer, pki.POLICY)


def folder() -> dict[str, bytes]:
    files = {
        "附件2 电子签名接入申请表.pdf": b"%PDF-1.7",
        "附件5 单位电子签章申请表.pdf": b"%PDF-1.7",
        "附件6 采样表.pdf": b"%PDF-1.7",
        "电子认证服务许可证.pdf": b"%PDF-1.7",
        "电子认证服务使用密码许可证.pdf": b"%PDF-1.7",
        "CA证书链.pem": pem(*W.chain),
        "吊销列表地址.txt": b"http://ca.example/crl/1.crl",
    }
    for number in (1, 2, 3):
        content = f"报告 {number}".encode()
        value = sm2.sign(W.doctor.private, content)
        files |= {
            f"第{number}组/签名原文.txt": content,
            f"第{number}组/签名者证书.cer": W.doctor.certificate.raw,
            f"第{number}组/签名值.txt": base64.b64encode(value),
            f"第{number}组/时间戳.tsr": STAMPER.stamp(Stamp(imprint_of(content), number, pki.NOW)),
            f"第{number}组/盖章报告.pdf": sealed_pdf(),
        }
    return files


BOX = Sandbox(SandboxLimits(workers=1), preload=PRELOAD)


@pytest.fixture(scope="module", autouse=True)
def _process() -> Iterator[None]:
    """No process until a PDF is read."""
    yield
    BOX.close()


def checked(files: dict[str, bytes], situation: Situation = Situation.SIGNATURE) -> list[Check]:
    return check_material(files, situation, pki.NOW, SandboxedPdfReader(BOX))


def failed(files: dict[str, bytes], situation: Situation = Situation.SIGNATURE) -> list[str]:
    return [check.item for check in checked(files, situation) if check.indication is Indication.FAILED]


@pytest.mark.parametrize("situation", [Situation.SIGNATURE, Situation.SIGNATURE_AND_SEAL])
def test_complete(situation: Situation):
    checks = checked(folder(), situation)
    assert not failed(folder(), situation), checks
    assert sum("签名与时间戳" in check.item and check.ok for check in checks) == 3


def test_without_anything_only_forms_are_asked_of_who_has_neither():
    items = failed({}, Situation.NEITHER)
    assert any("附件3" in item for item in items)
    assert not any("测试数据" in item for item in items)
    assert "CA 证书链" in failed({})


@pytest.mark.parametrize(
    ("name", "content", "item"),
    [
        ("第2组/签名原文.txt", b"changed", "测试数据第 2 组：签名与时间戳"),
        ("第2组/签名值.txt", b"", "测试数据第 2 组：签名与时间戳"),
        ("第3组/时间戳.tsr", None, "测试数据第 3 组"),
        ("CA证书链.pem", b"no chain", "CA 证书链"),
        ("CA证书链.pem", W.doctor.certificate.raw, "CA 证书链"),
        ("吊销列表地址.txt", b"none", "吊销列表发布地址"),
        ("吊销列表地址.txt", b"ldap://ca.example/cn=crl", "吊销列表发布地址"),
        ("电子认证服务许可证.pdf", None, "《电子认证服务许可证》"),
    ],
)
def test_one_thing_wrong(name: str, content: bytes | None, item: str):
    files = folder()
    if content is None:
        del files[name]
    else:
        files[name] = content
    if item == "CA 证书链" and content == W.doctor.certificate.raw:
        found = {c.item: c.indication for c in checked(files)}
        assert found[item] is Indication.UNKNOWN
        return
    assert item in failed(files)


def test_a_list_itself_serves_too():
    files = folder() | {"吊销列表地址.txt": crl_of(W.ca).raw}
    assert not failed(files)


SEALED = "测试数据第 2 组：盖章的 PDF"
MAKERS = {"制章者证书链.pem": pem(seals.seal_world().maker_root.certificate)}


@pytest.mark.parametrize(
    ("pdf", "more", "indication", "words"),
    [
        (sealed_pdf(), MAKERS, Indication.PASSED, "验证通过"),
        (sealed_pdf(), {}, Indication.UNKNOWN, "代码 1006"),
        (sealed_pdf().replace(b"/Helvetica", b"/Helvetic1", 1), MAKERS, Indication.FAILED, "代码 1010"),
        (report_pdf(), MAKERS, Indication.FAILED, "没有电子签章"),
        (b"%PDF-1.7", MAKERS, Indication.FAILED, "代码 1001"),
        (b"no PDF", MAKERS, Indication.FAILED, "不是 PDF"),
    ],
)
def test_sealed_reports_among_the_test_data(
    pdf: bytes, more: dict[str, bytes], indication: Indication, words: str
):
    """测试数据 item 5, the sealed report; who makes the seals is not among the material, so a person looks at that."""
    files = folder() | more | {"第2组/盖章报告.pdf": pdf}
    (check,) = [one for one in checked(files, Situation.SIGNATURE_AND_SEAL) if one.item == SEALED]
    assert check.indication is indication, check
    assert words in check.words
    assert not [one for one in checked(files) if "PDF" in one.item]
