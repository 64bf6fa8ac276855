"""What must hold before a gateway begins."""

from __future__ import annotations

import pytest

from yingqiao.app.folder import StartError
from yingqiao.app.gateway import check_cryptography
from yingqiao.gm import libcrypto, sm2


def test_sm2_and_sm3_give_the_standards_results() -> None:
    """GM/T 0003.5 annex A."""
    check_cryptography(sm2.self_test)


def test_without_sm2_it_does_not_start() -> None:
    """A libcrypto that is none: the reason says what was tried."""
    with pytest.raises(StartError, match=r"国密自检没有通过，网关不启动：.*libc\.so\.6"):
        check_cryptography(lambda: libcrypto.load(iter(["libc.so.6"])).version)
