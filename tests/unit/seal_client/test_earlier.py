"""What the person is told of earlier seals where the gateway did not judge them."""

from __future__ import annotations

import pytest

from yingqiao.client.sef import MAX_FILE, SealVerifier
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.seal_client.earlier import NOT_ASKED, Earlier
from yingqiao.signing.seals.pdf.limits import DEFAULT

SEALS = [{"kind": "seal"}, {"kind": "timestamp"}]


@pytest.mark.parametrize(
    ("verifier", "size", "words", "missing"),
    [
        (SealVerifier("http://127.0.0.1:1"), MAX_FILE + 1, "文件超过网关验证的上限 32 MiB，没有送验", True),
        (SealVerifier("http://127.0.0.1:1", seconds=2), 100, "网关 http://127.0.0.1:1", True),
        (None, MAX_FILE + 1, NOT_ASKED, False),
    ],
)
def test_what_was_not_judged_is_said(
    verifier: SealVerifier | None, size: int, words: str, missing: bool
) -> None:
    """四(二)4: the gateway takes 32 MiB; a larger file is not passed over in silence, nor is a gateway that is away."""
    with Sandbox(SandboxLimits(workers=1)) as sandbox:
        said = Earlier(sandbox, DEFAULT, verifier).trust(bytes(size), SEALS)
    assert words in said["words"]
    assert "没有判断" in said["words"]
    assert (said["missing"], said["verdicts"]) == (missing, [])
