"""Seals on a 5 MB report beside their floor, in one run: `python -m benchmarks.seals [--rounds 15]`.

Verifying one seal, the whole verdict with the PDF read in a bounded process as the services do, against reading the file,
its SM3 digest and two SM2 verifications done directly: at most 2 times. Sealing against the digest and one signature: at
most 3 times. Rounds alternate; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.helpers import pdfs, pki, seals
from tests.helpers.pdfs import Sheet
from yingqiao.gm import ses, sm2, sm3
from yingqiao.gm.sm2 import PublicKey
from yingqiao.sandbox import Sandbox
from yingqiao.sandbox.pdf_reader import SandboxedPdfReader
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import judge_pdf
from yingqiao.signing.seals.pdf import reading, writing
from yingqiao.signing.seals.pdf.placing import AtPoint

SIZE = 5 * 1000 * 1000
VERIFY, SEAL = 2.0, 3.0
PRELOAD = ("yingqiao.signing.seals.pdf.reading", "yingqiao.signing.seals.pdf.writing")


def main() -> int:
    """Run, print, judge. Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    report = pdfs.make([Sheet()] * 3, bulk=SIZE)
    sealed = pdfs.sealed(report)
    (one,) = reading.read(sealed).signatures
    signature = ses.parse_signature(one.contents)
    keys = [pki.world().doctor, seals.seal_world().signer, seals.seal_world().maker]
    missed = False
    with tempfile.TemporaryDirectory() as name, Sandbox(preload=PRELOAD) as sandbox:
        file = Path(name) / "report.pdf"
        file.write_bytes(sealed)
        sealer = pdfs.sealer()
        context, reader = SealContext(seals.seal_trust(), pki.NOW), SandboxedPdfReader(sandbox)

        def verify() -> None:
            data = file.read_bytes()
            (found,) = judge_pdf(data, context, reader)
            assert found.verdict.code == 0, found.report.words

        def verify_floor() -> None:
            data = file.read_bytes()
            sm3.digest(data)
            _verify(signature, [keys[1].private.public(), keys[2].private.public()])

        def seal() -> None:
            writing.seal_pdf(
                report,
                [AtPoint((1,), 100, 100)],
                sealer.picture,
                sealer,
                reserve=sealer.reserve,
                at=seals.SIGNED_AT,
                preparing=writing.prepared_by(sandbox.call),
            )

        def seal_floor() -> None:
            sm3.digest(report)
            sm2.sign(keys[1].private, b"x" * 4000)

        for title, work, floor, most in (
            ("verifying", verify, verify_floor, VERIFY),
            ("sealing", seal, seal_floor, SEAL),
        ):
            mine, least = _alternating(work, floor, rounds)
            missed |= mine / least > most
            print(
                f"{title} a {len(sealed) / 1e6:.1f} MB report: {mine * 1e3:.1f} ms, floor {least * 1e3:.1f} ms: "
                f"{mine / least:.2f} times (at most {most:g})"
            )
    return int(missed)


def _verify(signature: ses.SealSignature, publics: list[PublicKey]) -> None:
    assert sm2.verify(publics[0], signature.signed, signature.signature)
    assert sm2.verify(publics[1], signature.seal.signed, signature.seal.signature)


def _alternating(work: Callable[[], None], floor: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Medians of both, in seconds, after a warm round."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for number in range(rounds + 1):
        for which, each in enumerate((work, floor)):
            begun = time.perf_counter()
            each()
            if number:
                times[which].append(time.perf_counter() - begun)
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    raise SystemExit(main())
