"""SM2 through gm/ beside `openssl speed` in one run: `python -m benchmarks.gm [--seconds 2]`.

They take turns; figures are medians of CPU time, as `openssl speed` counts. Targets: verification at least 80 % of
OpenSSL's rate; the server's share of a cooperative signature under 1 ms.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from tests.helpers.sm2_reference import Phone
from yingqiao.gm import cooperative, key_share, sm2
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.gm.libcrypto import libcrypto

TURNS = 3
TARGET = 0.80
SHARE_TARGET_MS = 1.0
MESSAGE = b"r" * 1024
OPENSSL_SIGN, OPENSSL_VERIFY = "openssl speed: sign", "openssl speed: verify"
_VERIFY, _SIGN, _ANSWER = "gm.sm2.verify", "gm.sm2.sign", "gm.cooperative.answer"


def main() -> int:
    """Run, print, judge. Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement, in each of the turns")
    seconds = parser.parse_args().seconds
    command_line = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    print(f"{platform.machine()} · Python {platform.python_version()} · libcrypto: {libcrypto().version}")
    print(f"command line: {command_line.strip()}")
    rates: dict[str, list[float]] = {}
    steps = _steps()
    for _ in range(TURNS):
        for name, rate in openssl_speed(seconds).items():
            rates.setdefault(name, []).append(rate)
        for name, step in steps.items():
            rates.setdefault(name, []).append(_rate(step, seconds / 2))
    return _judge({name: statistics.median(measured) for name, measured in rates.items()})


def openssl_speed(seconds: int) -> dict[str, float]:
    command = ["openssl", "speed", "-seconds", str(seconds), "sm2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    words = next(line for line in done.stdout.splitlines() if "CurveSM2" in line).split()
    return {OPENSSL_SIGN: float(words[-2]), OPENSSL_VERIFY: float(words[-1])}


def _rate(step: Callable[[], object], seconds: float) -> float:
    """Calls in a second of CPU time."""
    started, count = time.process_time(), 0
    while (spent := time.process_time() - started) < seconds:
        for _ in range(50):
            step()
        count += 50
    return count / spent


def _steps() -> dict[str, Callable[[], object]]:
    private = sm2.generate()
    public = private.public()
    signature, spki = sm2.sign(private, MESSAGE), public.spki
    assert sm2.verify(public, MESSAGE, signature)
    return {
        _SIGN: lambda: sm2.sign(private, MESSAGE),
        _VERIFY: lambda: sm2.verify(public, MESSAGE, signature),
        "gm.sm2.verify, key read anew": lambda: sm2.verify(sm2.PublicKey.from_spki(spki), MESSAGE, signature),
        **_cooperative(),
    }


def _cooperative() -> dict[str, Callable[[], object]]:
    phone, master = Phone(11), MasterKey(new_master_key())
    offered = key_share.KeyOffer.from_bytes(phone.offer_key("s"))
    share, made = key_share.accept_key(offered, session="s", user="user-1")
    phone.take_key(made.to_bytes(), "s")
    public, e = share.public, sm2.digest_for(share.public, MESSAGE)
    offer = cooperative.SignOffer.from_bytes(phone.offer_signature("job", 1, e))
    sealed = key_share.wrap_share(master, share, key_id="k", user="u")
    state = cooperative.KeyState()

    def answer() -> cooperative.Outcome:
        """With the share unsealed from the key store, as for a real request."""
        opened = key_share.unwrap_share(master, sealed, key_id="k", user="u", public=public)
        return cooperative.answer(opened, state, offer, job="job", used=0, e=e, now=0, lifetime=60)

    first = answer()
    assert first.answer is not None
    final = cooperative.SignFinish.from_bytes(phone.finish(first.answer.to_bytes(), 1, e))
    waiting = replace(first.state)
    assert cooperative.finish(public, waiting, final, job="job", now=1).signature is not None
    return {
        _ANSWER: answer,
        "gm.cooperative.finish": lambda: cooperative.finish(public, waiting, final, job="job", now=1),
        "gm.key_share.accept_key": lambda: key_share.accept_key(offered, session="s", user="user-1"),
    }


def computing(seconds: float) -> dict[str, float]:
    """Steps of the server's half a second of CPU time, nothing stored or sent."""
    return {name: _rate(step, seconds) for name, step in _cooperative().items()}


def _judge(rates: dict[str, float]) -> int:
    for name, rate in rates.items():
        beside = {_SIGN: OPENSSL_SIGN, _VERIFY: OPENSSL_VERIFY}.get(name)
        ratio = f"{rate / rates[beside]:>8.0%}" if beside else ""
        print(f"{name:<32}{rate:>10,.0f}/s{1e6 / rate:>10.0f} µs{ratio}")
    reached, share = rates[_VERIFY] / rates[OPENSSL_VERIFY], 1000 / rates[_ANSWER]
    print(f"verify: {reached:.0%} of openssl speed (target {TARGET:.0%})")
    print(f"cooperative share: {share:.2f} ms (target below {SHARE_TARGET_MS:.0f} ms)")
    return int(reached < TARGET or share >= SHARE_TARGET_MS)


if __name__ == "__main__":
    sys.exit(main())
