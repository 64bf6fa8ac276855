"""Requests to SEF_VerifySeal opened by workers (四(二)4 电子签章验签接口, T143–T145)."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.helpers import pdfs, pki, seals
from tests.helpers.pdfs import Sheet
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.sandbox.limits import MIB
from yingqiao.sandbox.pdf_reader import PRELOAD
from yingqiao.sandbox.sef_request import PostedFile
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import judge_read
from yingqiao.signing.seals.sef import SefError

TRANS_ID = "d57abf092e614d91838a74f07cc6e399"
LIMITS = SandboxLimits(memory=600 * MIB)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, preload=PRELOAD) as made:
        yield made


def body(data: bytes | str, pieces: int = 1, **changes: object) -> list[bytes]:
    text = data if isinstance(data, str) else b64encode(data).decode()
    said = {"transId": TRANS_ID, "requestTime": 1, "fileDataType": 0, "fileData": text} | changes
    raw = json.dumps(said).encode()
    step = len(raw) // pieces + 1
    return [raw[at : at + step] for at in range(0, len(raw), step)]


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_body_in_pieces_is_one(box: Sandbox, pieces: int):
    """The file stays with the worker; what is judged of it comes back."""
    sealed = pdfs.sealed(pdfs.make([Sheet()] * 2, bulk=300_000))
    posted = PostedFile(box, body(sealed, pieces, filename="报告.pdf"))
    opened = posted.open()
    assert (opened.asking.trans_id, opened.asking.filename, opened.asking.data) == (TRANS_ID, "报告.pdf", b"")
    assert opened.sealed is not None
    (found,) = judge_read(posted, opened.sealed, SealContext(seals.seal_trust(), pki.NOW))
    assert found.verdict.code == 0


def test_an_rsa_signature_is_judged_as_well(box: Sandbox):
    """What needs the whole file gets it."""
    posted = PostedFile(box, body(pdfs.rsa_signed(pdfs.make([Sheet()])), 3))
    opened = posted.open()
    assert opened.sealed is not None
    (found,) = judge_read(posted, opened.sealed, SealContext(seals.seal_trust(), pki.NOW))
    assert found.verdict.report.facts["algorithm"]
    (signature,) = opened.sealed.signatures
    _, first, second, length = signature.byte_range
    assert len(posted.signed(signature)) == first + length
    assert second > first


def test_an_address_is_left_to_the_fetcher(box: Sandbox):
    opened = PostedFile(box, body("https://a.example/x.pdf", fileDataType=1)).open()
    assert (opened.sealed, opened.asking.address) == (None, "https://a.example/x.pdf")


@pytest.mark.parametrize(
    ("given", "code", "words", "trans_id"),
    [
        ([b"{"], 400, "不是合法的 JSON", ""),
        ([b"[]"], 400, "JSON 对象", ""),
        (body("", fileData=None), 400, "缺少 fileData", TRANS_ID),
        (body(b"no pdf"), 422, "不是 PDF", TRANS_ID),
        (body(b"%PDF-1.7 broken"), 422, "", TRANS_ID),
    ],
)
def test_refusals_name_the_request(box: Sandbox, given: list[bytes], code: int, words: str, trans_id: str):
    with pytest.raises(SefError) as refused:
        PostedFile(box, given).open()
    assert (refused.value.code, refused.value.trans_id) == (code, trans_id)
    assert words in refused.value.words


def test_whoever_waits_in_vain_is_told_so(box: Sandbox):
    """503 with the transId, though no worker read it."""
    impatient, begun, free = box.line(at_once=1, wait_s=0.1), Event(), Event()

    def hold() -> None:
        with impatient._place(time.monotonic() + 60):
            begun.set()
            free.wait(120)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        assert begun.wait(60)
        with pytest.raises(SefError) as refused:
            PostedFile(impatient, body(b"%PDF-1.7")).open()
        free.set()
    assert (refused.value.code, refused.value.trans_id) == (503, TRANS_ID)
