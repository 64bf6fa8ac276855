"""Revocation lists (RFC 5280 5, GB/T 20518-2018 5.3): good, revoked, unknown; what cannot answer says why."""

from datetime import timedelta

import pytest
from cryptography import x509

from tests.helpers.pki import NOW, later, world
from yingqiao.gm import certificates, crl, der, issuing, oids
from yingqiao.gm.crl import CrlError, Entry, Reason, State
from yingqiao.gm.errors import GmError

W = world()
CA = W.ca.authority


def issued(*entries: Entry) -> crl.RevocationList:
    return crl.parse(crl.issue(CA, entries, 3, NOW, later(days=7)))


def written(
    *, extensions=(), next_update=True, entries: tuple[bytes, ...] = (), version: bytes = b"\x02\x01\x01"
) -> crl.RevocationList:
    """A list with parts our issuer never writes."""
    tbs = der.sequence(
        version,
        CA.signer.algorithm,
        CA.name.raw,
        der.write_time(NOW),
        der.write_time(later(days=7)) if next_update else b"",
        der.sequence(*entries) if entries else b"",
        der.explicit(0, der.sequence(*extensions)) if extensions else b"",
    )
    return crl.parse(issuing.signed(tbs, CA.signer))


def test_good_and_revoked_with_date_and_reason():
    found = issued(Entry(5, NOW), Entry(6, later(days=-3), Reason.CESSATION_OF_OPERATION))
    assert (found.number, found.this_update, found.next_update) == (3, NOW, later(days=7))
    assert found.authority_key_id == W.ca.certificate.facts.subject_key_id
    assert found.signed_by(W.ca.certificate.key).valid
    assert not found.signed_by(W.root.certificate.key).valid
    assert found.check_serial(7, NOW).state is State.GOOD
    unspecified, ceased = found.check_serial(5, NOW), found.check_serial(6, NOW)
    assert (unspecified.state, unspecified.date, unspecified.reason) == (State.REVOKED, NOW, None)
    assert (ceased.date, ceased.reason) == (later(days=-3), Reason.CESSATION_OF_OPERATION)
    assert "停止使用" in ceased.words


def test_stale_lists_are_unknown_but_still_revoke():
    found = issued(Entry(5, NOW))
    assert found.check_serial(7, later(days=7)).state is State.GOOD
    late = found.check_serial(7, later(days=7, seconds=1))
    assert (late.state, "过期" in late.words) == (State.UNKNOWN, True)
    assert found.check_serial(5, later(days=70)).state is State.REVOKED


def test_no_list_is_unknown():
    assert crl.NO_LIST.state is State.UNKNOWN


def test_lists_of_another_issuer_are_unknown():
    serial = W.ca.certificate.serial
    found = issued(Entry(serial, NOW))
    assert found.check(W.ca.certificate, NOW).state is State.UNKNOWN
    assert found.check(W.doctor.certificate, NOW).state is State.GOOD


def test_without_next_update_is_unknown():
    """nextUpdate is mandatory."""
    assert written(next_update=False).check_serial(1, NOW).state is State.UNKNOWN


UNUSABLE = {
    "delta": issuing.extension(oids.DELTA_CRL, der.write_integer(1), critical=True),
    "indirect": issuing.extension(oids.ISSUING_POINT, der.sequence(b"\x84\x01\xff"), critical=True),
    "some reasons": issuing.extension(oids.ISSUING_POINT, der.sequence(b"\x83\x02\x01\x80"), critical=True),
    "unknown critical": issuing.extension("1.2.3.4", b"\x05\0", critical=True),
}


@pytest.mark.parametrize("extension", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_lists_that_cannot_answer_are_unknown(extension: bytes):
    answer = written(extensions=(extension,)).check_serial(1, NOW)
    assert answer.state is State.UNKNOWN
    assert "无法使用" in answer.words


def test_scope_of_a_list():
    """issuingDistributionPoint: only user certificates, only CA certificates."""
    users, cas = (
        written(extensions=(issuing.extension(oids.ISSUING_POINT, der.sequence(flag), critical=True),))
        for flag in (b"\x81\x01\xff", b"\x82\x01\xff")
    )
    assert users.check(W.doctor.certificate, NOW).state is State.GOOD
    assert cas.check(W.doctor.certificate, NOW).state is State.UNKNOWN


def test_invalidity_date_and_unknown_reason_are_read():
    more = der.sequence(
        issuing.extension(oids.INVALIDITY_DATE, der.write_generalized_time(later(days=-9))),
        issuing.extension(oids.CRL_REASON, b"\x0a\x01\x63"),
    )
    entry = der.sequence(der.write_integer(5), der.write_time(NOW), more)
    answer = written(entries=(entry,)).check_serial(5, NOW)
    assert (answer.reason, answer.invalid_since) == (Reason.UNSPECIFIED, later(days=-9))


def test_cryptography_reads_the_same():
    raw = crl.issue(CA, [Entry(5, NOW, Reason.SUPERSEDED)], 3, NOW, later(days=7))
    other = x509.load_der_x509_crl(raw)
    entry = other.get_revoked_certificate_by_serial_number(5)
    assert entry is not None
    assert entry.revocation_date_utc == NOW
    assert (
        entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.superseded
    )
    assert other.next_update_utc == later(days=7)
    assert other.get_revoked_certificate_by_serial_number(6) is None


def test_odd_serials_are_found_by_value():
    entry = der.sequence(b"\x02\x03\0\0\x05", der.write_time(NOW))
    assert written(entries=(entry,)).check_serial(5, NOW).state is State.REVOKED


def test_many_entries():
    entries = [Entry(serial, NOW) for serial in range(1, 20_001)]
    found = crl.parse(crl.issue(CA, entries, 1, NOW, later(days=1)))
    assert len(found.entries) == 20_000
    assert found.check_serial(20_000, NOW).state is State.REVOKED


def test_refusals():
    with pytest.raises(CrlError):
        crl.issue(CA, [], 1, NOW, NOW - timedelta(1))
    with pytest.raises(CrlError):
        written(version=b"\x02\x01\x02")
    with pytest.raises(GmError):
        crl.parse(W.doctor.certificate.raw)
    with pytest.raises(GmError):
        certificates.parse(crl.issue(CA, [], 1, NOW, later(days=1)))


def test_a_broken_entry_still_revokes():
    entry = der.sequence(der.write_integer(5), b"\x17\x03abc")
    answer = written(entries=(entry,)).check_serial(5, NOW)
    assert (answer.state, answer.date) == (State.REVOKED, None)
    assert "损坏" in answer.words
