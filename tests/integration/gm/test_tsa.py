"""Tokens of the gateway's own authority, judged by BouncyCastle."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.peers.bouncycastle import BouncyCastle
from yingqiao.gm import oids
from yingqiao.signing import tsa

pytestmark = pytest.mark.peer


def test_a_token_of_the_built_in_authority(bouncycastle: BouncyCastle):
    """GM/T 0033, gm-signing 2.5: signature, certificate binding, purpose, time, serial, policy."""
    now = datetime.now(UTC).replace(microsecond=123000)
    key = tsa.make("影桥", now)
    made = tsa.Tsa(key, tsa.DEFAULT_POLICY, timedelta(seconds=1))
    token, _ = made.stamp("报告".encode(), 4097, now, attach=False)
    answer = bouncycastle.ask("token", token, key.certificate.raw)
    assert answer.startswith(f"OK 4097 {int(now.timestamp() * 1000)} "), answer
    assert answer.endswith(f"{oids.SM3} {tsa.DEFAULT_POLICY}") or oids.SM3 in answer
    root = key.chain[0]
    assert bouncycastle.ask("certificate", key.certificate.raw, root.raw).startswith("OK")
    assert bouncycastle.ask("certificate", root.raw, root.raw).startswith("OK")
