"""What the phone API keeps between requests: requests for certificates, log-ins, who scanned what, codes, automatic signing."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table

from yingqiao.store.schema.base import metadata

key_requests = Table(  # a key made, whose certificate request phone and server have yet to sign
    "key_requests",
    metadata,
    Column("key_id", ForeignKey("shared_keys.id"), primary_key=True),
    Column("doctor_id", ForeignKey("doctors.id"), nullable=False, index=True),
    Column("activation", LargeBinary),  # digest of the code it was made by; NULL: a renewal
    Column("info", LargeBinary, nullable=False),  # CertificationRequestInfo, DER
    Column("expires_at", BigInteger, nullable=False),
)

cooperative_attempts = (
    Table(  # the highest attempt a job was answered at: numbers below are never answered again
        "cooperative_attempts",
        metadata,
        Column("key_id", ForeignKey("shared_keys.id"), primary_key=True),
        Column("job", String, primary_key=True),
        Column("number", Integer, nullable=False),
        Column("at", BigInteger, nullable=False, index=True),
    )
)

login_challenges = Table(  # what a phone signs to log in; one a key
    "login_challenges",
    metadata,
    Column("key_id", ForeignKey("shared_keys.id"), primary_key=True),
    Column("challenge", String, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

job_claims = Table(  # jobs for nobody in particular: whose they are since the ticket was scanned
    "job_claims",
    metadata,
    Column("job_id", ForeignKey("sign_jobs.job_id"), primary_key=True),
    Column("doctor_id", ForeignKey("doctors.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
)

phone_codes = Table(  # verification codes by text message; one a doctor
    "phone_codes",
    metadata,
    Column("doctor_id", ForeignKey("doctors.id"), primary_key=True),
    Column("digest", LargeBinary),  # keyed digest of the code; NULL: used, or guessed wrong too often
    Column("expires_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("day", BigInteger, nullable=False),  # since when `sent` counts
    Column("sent", Integer, nullable=False),
)

automatic_signing = Table(  # annex 7, row 19
    "automatic_signing",
    metadata,
    Column("doctor_id", ForeignKey("doctors.id"), primary_key=True),
    Column("enabled_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("certificate_id", ForeignKey("personal_certificates.id"), nullable=False),
)
