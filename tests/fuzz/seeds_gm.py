"""Structures of gm to start fuzzing from: the standard's samples, and one of each that we make."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.helpers.gm_samples import pkcs7_sample, token_samples
from tests.helpers.pki import NOW, POLICY, later, name, rsa_entity, world
from yingqiao.gm import crl, csr, oids
from yingqiao.gm.cms_writing import MessageSigner, gm_signed_data
from yingqiao.gm.timestamp import Failure, Request
from yingqiao.gm.timestamp_writing import (
    Stamp,
    Stamper,
    imprint_of,
    write_refusal,
    write_request,
    write_response,
)

_CONTENT = b"12345678"


def structures() -> Iterator[bytes]:
    w = world()
    yield pkcs7_sample()
    yield from token_samples()
    yield from (entity.certificate.raw for entity in (w.root, w.ca, w.doctor, w.tsa))
    yield rsa_entity()[0].raw
    yield crl.issue(w.ca.authority, [crl.Entry(5, NOW, crl.Reason.SUPERSEDED)], 1, NOW, later(days=1))
    yield csr.build(name("申请"), w.nurse.certificate.key, w.nurse.signer)
    yield from _messages()
    stamper = Stamper(w.tsa.certificate, w.tsa.signer, POLICY)
    stamp = Stamp(imprint_of(_CONTENT), 9, NOW, 7, timedelta(milliseconds=1500, microseconds=3))
    yield stamper.stamp(stamp)
    yield write_response(stamper.stamp(stamp, attach=False))
    yield write_refusal(Failure.BAD_ALGORITHM, "不支持")
    yield write_request(Request(imprint_of(_CONTENT, oids.SHA256), POLICY, 7, wants_certificate=True))


def _messages() -> Iterator[bytes]:
    w = world()
    signers = [MessageSigner(one.certificate, one.signer) for one in (w.doctor, w.nurse)]
    for detached in (False, True):
        for signing_time in (None, NOW):
            yield gm_signed_data(_CONTENT, signers, detached=detached, signing_time=signing_time)
    signed = gm_signed_data(_CONTENT, signers[:1], signing_time=NOW)
    yield b"\x30\x80" + signed[4:] + b"\0\0"
