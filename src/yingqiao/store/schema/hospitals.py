"""Who takes part: hospitals, their keys, their senders of images."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from yingqiao.store.schema.base import metadata, row_id

hospitals = Table(
    "hospitals",
    metadata,
    Column("code", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("profile", Text, nullable=False, default="{}"),  # JSON: see exchange/profile
    Column("created_at", BigInteger, nullable=False),
)

hospital_keys = Table(
    "hospital_keys",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # the SM4 key under the master key, see gm/keystore
    Column(
        "check_value", String, nullable=False
    ),  # first 6 hex digits of SM4(key, zeros): names a key, reveals none
    Column("created_at", BigInteger, nullable=False),
    Column("retires_at", BigInteger),  # NULL while current; accepted until then during a rotation
)

dicom_sources = Table(  # who may send images, and for which hospital
    "dicom_sources",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False, index=True),
    Column("ae_title", String, nullable=False),  # '*' = any
    Column("network", String, nullable=False),  # CIDR, or '*' = any
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("ae_title", "network"),
)
