"""seals: certificates of units, the registry, its history, the journal of uses"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "unit_certificates",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("hospital_code", sa.String(), nullable=True),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("authority_id", _id(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revocation", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hospital_code"], ["hospitals.code"], name=op.f("fk_unit_certificates_hospital_code")
        ),
        sa.ForeignKeyConstraint(
            ["authority_id"], ["authorities.id"], name=op.f("fk_unit_certificates_authority_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_certificates")),
        sa.UniqueConstraint("authority_id", "serial", name=op.f("uq_unit_certificates_authority_id_serial")),
    )
    op.create_index(
        op.f("ix_unit_certificates_hospital_code"), "unit_certificates", ["hospital_code"], unique=False
    )
    op.create_table(
        "seals",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("es_id", sa.String(), nullable=False),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("esl", sa.LargeBinary(), nullable=False),
        sa.Column("holders", sa.Integer(), nullable=False),
        sa.Column("maker_id", _id(), nullable=False),
        sa.Column("certificate_id", _id(), nullable=True),
        sa.Column("unit_case", _id(), nullable=False),
        sa.Column("stamp_case", _id(), nullable=False),
        sa.Column("replaces", _id(), nullable=True),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["hospital_code"], ["hospitals.code"], name=op.f("fk_seals_hospital_code")),
        sa.ForeignKeyConstraint(["maker_id"], ["unit_certificates.id"], name=op.f("fk_seals_maker_id")),
        sa.ForeignKeyConstraint(
            ["certificate_id"], ["unit_certificates.id"], name=op.f("fk_seals_certificate_id")
        ),
        sa.ForeignKeyConstraint(["unit_case"], ["cases.id"], name=op.f("fk_seals_unit_case")),
        sa.ForeignKeyConstraint(["stamp_case"], ["cases.id"], name=op.f("fk_seals_stamp_case")),
        sa.ForeignKeyConstraint(["replaces"], ["seals.id"], name=op.f("fk_seals_replaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seals")),
        sa.UniqueConstraint("es_id", name=op.f("uq_seals_es_id")),
        sa.UniqueConstraint("unit_case", name=op.f("uq_seals_unit_case")),
        sa.UniqueConstraint("replaces", name=op.f("uq_seals_replaces")),
    )
    op.create_index(op.f("ix_seals_hospital_code"), "seals", ["hospital_code"], unique=False)
    op.create_table(
        "seal_changes",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("seal_id", _id(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["seal_id"], ["seals.id"], name=op.f("fk_seal_changes_seal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seal_changes")),
    )
    op.create_index("ix_seal_changes_seal_id_id", "seal_changes", ["seal_id", "id"], unique=False)
    op.create_table(
        "seal_uses",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("seal_id", _id(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("matter", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["seal_id"], ["seals.id"], name=op.f("fk_seal_uses_seal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seal_uses")),
    )
    op.create_index("ix_seal_uses_seal_id_id", "seal_uses", ["seal_id", "id"], unique=False)
    op.create_index("ix_seal_uses_document", "seal_uses", ["document"], unique=False)
