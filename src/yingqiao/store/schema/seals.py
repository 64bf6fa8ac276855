"""Electronic seals: certificates of units, the registry, what was done to each seal, and every use of it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from yingqiao.store.schema.base import metadata, row_id

unit_certificates = Table(  # of hospitals, and of the seal maker
    "unit_certificates",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), index=True),  # NULL: the seal maker's
    Column("profile", String, nullable=False),  # signing | seal-maker
    Column("authority_id", ForeignKey("authorities.id"), nullable=False),
    Column("serial", String, nullable=False),  # hex
    Column("certificate", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # its private key under the master key
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("revocation", Integer),  # CRLReason of RFC 5280
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("authority_id", "serial"),
)

seals = Table(
    "seals",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("es_id", String, nullable=False),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("width", Integer, nullable=False),  # mm
    Column("height", Integer, nullable=False),
    Column("esl", LargeBinary, nullable=False),  # SESeal, DER
    Column("holders", Integer, nullable=False),  # certListType
    Column("maker_id", ForeignKey("unit_certificates.id"), nullable=False),
    Column("certificate_id", ForeignKey("unit_certificates.id")),  # NULL: the key is elsewhere
    Column("unit_case", ForeignKey("cases.id"), nullable=False),  # the application, annex 5
    Column("stamp_case", ForeignKey("cases.id"), nullable=False),  # the sample, annex 6
    Column("replaces", ForeignKey("seals.id")),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger, nullable=False),
    Column("made_by", String, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    UniqueConstraint("es_id"),
    UniqueConstraint("unit_case"),
    UniqueConstraint("replaces"),
)

seal_changes = Table(  # its history, from which its state follows; nothing is ever changed or deleted
    "seal_changes",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("seal_id", ForeignKey("seals.id"), nullable=False),
    Column("act", String, nullable=False),
    Column("who", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_seal_changes_seal_id_id", "seal_id", "id"),
)

seal_uses = Table(  # written before anything is sealed, completed afterwards
    "seal_uses",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("seal_id", ForeignKey("seals.id"), nullable=False),
    Column("who", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),  # SM3 of what was given to be sealed
    Column("matter", String, nullable=False),  # transaction, as the caller names it
    Column("channel", String, nullable=False),  # api | cli | client
    Column("result", String, nullable=False),  # begun | sealed | failed
    Column("reason", Text, nullable=False),
    Column("ended_at", BigInteger),
    Index("ix_seal_uses_seal_id_id", "seal_id", "id"),
    Index("ix_seal_uses_document", "document"),
)
