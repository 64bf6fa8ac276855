"""dsvs PKCS#1 over HTTP beside `openssl speed` in one run: `python -m benchmarks.dsvs [--seconds 5]`.

A whole gateway with two HTTP processes on PostgreSQL, wrk on the same machine; 200 doctors, contents of 1 KiB, by
public key and by certificate. Target: at least half of OpenSSL's SM2 verifications a second. Needs wrk, PostgreSQL.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import sys
import tempfile
from pathlib import Path

import orjson

from benchmarks.gm import OPENSSL_VERIFY, openssl_speed
from benchmarks.http import servers
from benchmarks.http.load import run_load
from tests.helpers import pki
from yingqiao.gm import sm2
from yingqiao.gm.issuing import Profile

TARGET = 0.50
ROUTE = "/dsvs/v1/pkcs1/verifyDataSign"
DOCTORS, REQUESTS = 200, 2000


def main() -> int:
    """Run, print, judge. Exit code 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--workers", type=int, default=2)
    said = parser.parse_args()
    os.environ["MARK"] = '"result":"true"'
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        bodies = {form: _write(folder / form, form) for form in ("pubKey", "base64Cert")}
        before = openssl_speed(2)[OPENSSL_VERIFY]
        with servers.postgres(folder / "pg") as (server, _):
            where = server.url(server.new_database())
            flags = ("--database", where, "--workers", str(said.workers), "--dicom", "off")
            with servers.gateway(folder / "data", *flags) as (url, pid):
                rows = {
                    form: run_load(url, ROUTE, file, 32, said.seconds, [pid]) for form, file in bodies.items()
                }
        speed = (before + openssl_speed(2)[OPENSSL_VERIFY]) / 2
    print(f"openssl speed sm2, one process: {speed:,.0f} verifications a second")
    missed = False
    for form, row in rows.items():
        share = row.per_second / speed
        missed |= share < TARGET or bool(row.refused or row.errors)
        print(
            f"dsvs PKCS#1 by {form}, {said.workers} processes: {row.per_second:,.0f}/s = {share:.0%} of it; "
            f"p50 {row.p50_ms:.1f} ms, p99 {row.p99_ms:.1f} ms, {row.cpu_us:.0f} µs CPU a request; "
            f"{row.refused} refused, {row.errors} errors"
        )
    return int(missed)


def _write(path: Path, form: str) -> Path:
    """Requests, one a line, that all verify."""
    rng, ca = random.Random(5), pki.world().ca
    doctors = [pki.make(Profile.SIGNING, f"医师{number}", ca) for number in range(DOCTORS)]
    with path.open("wb") as stream:
        for number in range(REQUESTS):
            doctor = doctors[number % DOCTORS]
            content = rng.randbytes(512).hex()
            key = doctor.private.public().point if form == "pubKey" else doctor.certificate.raw
            request = {
                "transId": f"{number:032d}",
                "signAlgIdentifier": "SM3WithSM2",
                "oriData": content,
                "signValue": base64.b64encode(sm2.sign(doctor.private, content.encode())).decode(),
                form: base64.b64encode(key).decode(),
                "verifyCert": False,
            }
            stream.write(orjson.dumps(request) + b"\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
