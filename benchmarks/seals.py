"""Verifying a sealed report beside its floor in one run: `python -m benchmarks.seals [--rounds 20] [--mib 5]`.

The floor: reading the file, SM3 of it, two SM2 verifications. Ours: the whole verdict, the PDF read in a worker process.
Target: at most twice the floor.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.helpers import pki, seals
from tests.helpers.sealed_files import large_report, sealed_pdf
from yingqiao.gm import certificates, ses, sm2, sm3
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.sandbox.pdf_reader import PRELOAD, SandboxedPdfReader
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import judge_pdf

TARGET = 2.0


def main() -> int:
    """Run, print, judge. Exit code 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--mib", type=int, default=5)
    said = parser.parse_args()
    context = SealContext(seals.seal_trust(), pki.NOW)
    with tempfile.TemporaryDirectory() as name, Sandbox(SandboxLimits(workers=1), preload=PRELOAD) as sandbox:
        file = Path(name) / "report.pdf"
        file.write_bytes(sealed_pdf(large_report(said.mib)))
        reader, floor = SandboxedPdfReader(sandbox), _floor(file, SandboxedPdfReader(sandbox))

        def ours() -> None:
            (found,) = judge_pdf(file.read_bytes(), context, reader)
            assert found.verdict.code == 0, found.report.words

        pairs = [(_timed(floor), _timed(ours)) for _ in range(said.rounds + 2)][2:]
    low, high = (statistics.median(one) * 1000 for one in zip(*pairs, strict=True))
    share = statistics.median(ours / floor for floor, ours in pairs)
    print(
        f"{file.name} of {said.mib} MiB: floor {low:.1f} ms, verdict {high:.1f} ms = {share:.2f} of it (target {TARGET})"
    )
    return int(share > TARGET)


def _floor(file: Path, reader: SandboxedPdfReader) -> Callable[[], None]:
    """What nobody can spare: the file, its digest, the signer's and the maker's signature."""
    (one,) = reader.read(file.read_bytes()).signatures
    signature = ses.parse_signature(one.contents)
    checks = [
        (sm2.PublicKey.from_point(certificates.parse(raw).key.point), signed, value)
        for raw, signed, value in (
            (signature.certificate, signature.signed, signature.signature),
            (signature.seal.maker, signature.seal.signed, signature.seal.signature),
        )
    ]
    _, first, second, length = one.byte_range

    def run() -> None:
        raw = memoryview(file.read_bytes())
        digest = sm3.new(raw[:first])
        digest.update(raw[second : second + length])
        assert digest.digest() == signature.data_hash
        assert all(sm2.verify(key, signed, value) for key, signed, value in checks)

    return run


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
