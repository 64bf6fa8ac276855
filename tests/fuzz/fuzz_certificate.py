"""Coverage-guided fuzzing of certificates, lists and requests: read as facts, or refused with an error of ours.

`python -m tests.fuzz.fuzz_certificate -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.fuzz import instrumented

with instrumented.imports():
    from tests.helpers.pki import NOW, rsa_entity, world
    from yingqiao.gm import certificates, chain, crl, csr, extensions
    from yingqiao.gm.errors import GmError

_W = world()
_ISSUED = {one.certificate.tbs for one in (_W.doctor, _W.nurse, _W.tsa)} | {rsa_entity()[0].tbs}


def one_input(data: bytes) -> None:
    """The bytes as each of the structures, and as the value of each extension."""
    for read in (_certificate, _list, _request, _extension):
        try:
            read(data)
        except GmError as error:
            refused = (error.code, error.reason)
        else:
            continue
        assert all(refused)


def _certificate(data: bytes) -> None:
    found = certificates.parse(data)
    assert found.raw == data
    assert found.tbs in data
    str(found.subject), found.serial_hex, found.may_sign, found.is_ca, found.valid_at(NOW)
    assert all(isinstance(oddity, str) for oddity in found.oddities)
    if found.signed_by(_W.ca.certificate.key).valid:
        assert found.tbs in _ISSUED
    found.signed_by(found.key)
    paths = chain.build(found, _W.chain, [_W.root.certificate])
    assert paths
    assert all(path.certificates[0] == found for path in paths)


def _list(data: bytes) -> None:
    found = crl.parse(data)
    for serial in list(found.entries)[:20]:
        assert found.check_serial(serial, NOW).state is not crl.State.GOOD
    found.check(_W.doctor.certificate, NOW)
    found.signed_by(_W.ca.certificate.key)


def _request(data: bytes) -> None:
    csr.parse(data).proof()


def _extension(data: bytes) -> None:
    oids_known = sorted(extensions.READABLE)
    oid = oids_known[len(data) % len(oids_known)]
    extensions.facts([extensions.Extension(oid, critical=True, value=data)])


def corpus() -> Iterator[bytes]:
    from tests.fuzz.seeds_gm import structures

    yield from structures()


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
