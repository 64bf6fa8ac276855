"""Who may sign and with what: staff, doctors, applications, the built-in CA, certificates and shared keys.

What names a person beyond name and department is sealed; look-ups go by a keyed digest of it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from yingqiao.store.schema.base import metadata, row_id

service_secrets = Table(  # keys of the signing services themselves, by name
    "service_secrets",
    metadata,
    Column("name", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

staff = Table(  # who administers signing: 经办 hands in, 审批 decides
    "staff",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),  # admin | operator | approver
    Column("hospital_code", ForeignKey("hospitals.code")),  # NULL: all hospitals
    Column("password", String, nullable=False),  # argon2id
    Column("must_change", Boolean, nullable=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", BigInteger),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", BigInteger, nullable=False),
)

doctors = Table(
    "doctors",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("department", String, nullable=False),
    Column("title", String, nullable=False),
    Column("user_id", String),  # the PACS's name for the person: authorizedUserId
    Column("identity_digest", LargeBinary, nullable=False),  # keyed digest of the identity number
    Column("mobile_digest", LargeBinary, nullable=False),  # keyed digest of the mobile number: the login name
    Column("sealed", LargeBinary, nullable=False),  # JSON {idNumber, mobile} under the master key
    Column("sample", String),  # digest of the approved handwritten signature in the object store
    Column("password", String, nullable=False),  # argon2id; self-service
    Column("must_change", Boolean, nullable=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", BigInteger),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("mobile_digest"),
    UniqueConstraint("hospital_code", "identity_digest"),
    UniqueConstraint("hospital_code", "user_id"),
)

login_sessions = Table(
    "login_sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # SHA-256 of the cookie's token
    Column("who", String, nullable=False),  # staff:<name> | doctor:<id>
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

cases = Table(  # applications on their way, see signing/enrolment
    "cases",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("form", String, nullable=False),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False),
    Column("applicant", String, nullable=False),  # whose name lists show
    Column("sealed", LargeBinary, nullable=False),  # JSON of the form's entries under the master key
    Column("state", String, nullable=False),
    Column("submitted_by", String, nullable=False),
    Column("submitted_at", BigInteger, nullable=False),
    Column("decided_by", String, nullable=False),
    Column("decided_at", BigInteger),
    Column("reason", Text, nullable=False),
    Column("doctor_id", ForeignKey("doctors.id")),  # what came of it
    Index("ix_cases_state_id", "state", "id"),
)

authorities = Table(  # the built-in CA; one is current
    "authorities",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("name", String, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),  # its private key; NULL: it issues elsewhere (离线)
    Column("current", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("withdrawn_at", BigInteger),  # since when nothing it issued is trusted here
    Index(
        "ix_authorities_one_current",
        "current",
        unique=True,
        sqlite_where=text("current"),
        postgresql_where=text("current"),
    ),
)

shared_keys = Table(  # the server's halves of cooperative keys
    "shared_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("doctor_id", ForeignKey("doctors.id"), nullable=False, index=True),
    Column("device", String, nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),  # D2 and the tag key; NULL once erased
    Column("state", LargeBinary, nullable=False),  # attempts and PIN failures, see gm/cooperative
    Column("version", Integer, nullable=False),  # of `state`: two answers at once exclude each other
    Column("created_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
)

personal_certificates = Table(
    "personal_certificates",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("doctor_id", ForeignKey("doctors.id"), nullable=False, index=True),
    Column("profile", String, nullable=False),  # signing | encryption
    Column("key_id", String, nullable=False),  # of shared_keys, or of the encryption key
    Column("request", LargeBinary),  # PKCS#10, for a CA elsewhere
    Column("authority_id", ForeignKey("authorities.id")),
    Column("serial", String),  # hex; NULL: 证书尚未生成，请等待证书导入
    Column("certificate", LargeBinary),
    Column("sealed", LargeBinary),  # an encryption certificate's private key
    Column("not_before", BigInteger),
    Column("not_after", BigInteger),
    Column("revoked_at", BigInteger),
    Column("revocation", Integer),  # CRLReason of RFC 5280
    Column("replaced_by", ForeignKey("personal_certificates.id")),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("authority_id", "serial"),
    Index("ix_personal_certificates_not_after", "not_after"),
)

activations = Table(
    "activations",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("doctor_id", ForeignKey("doctors.id"), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)

revocation_lists = Table(
    "revocation_lists",
    metadata,
    Column("authority_id", ForeignKey("authorities.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("this_update", BigInteger, nullable=False),
    Column("next_update", BigInteger, nullable=False),
)
