"""trust: certificates and revocation lists an operator gave; verified signatures of reports"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "trust_certificates",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_certificates")),
        sa.UniqueConstraint("role", "digest", name=op.f("uq_trust_certificates_role_digest")),
    )
    op.create_table(
        "trust_lists",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("certificate_id", _id(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("this_update", sa.BigInteger(), nullable=True),
        sa.Column("next_update", sa.BigInteger(), nullable=True),
        sa.Column("fetched_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["certificate_id"], ["trust_certificates.id"], name=op.f("fk_trust_lists_certificate_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_lists")),
        sa.UniqueConstraint("certificate_id", "url", name=op.f("uq_trust_lists_certificate_id_url")),
    )
    op.create_index(op.f("ix_trust_lists_certificate_id"), "trust_lists", ["certificate_id"], unique=False)
    op.create_index("ix_trust_lists_due", "trust_lists", ["due_at"], unique=False)
    op.create_table(
        "trust_changes",
        sa.Column("id", _id(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_changes")),
    )
    op.create_table(
        "report_signatures",
        sa.Column("submission_id", _id(), autoincrement=False, nullable=False),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("record_num", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("indication", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_report_signatures")),
    )
    op.create_index("ix_report_signatures_state", "report_signatures", ["state", "submission_id"])
    op.create_index("ix_report_signatures_report", "report_signatures", ["hospital_code", "record_num"])
    op.create_index("ix_report_signatures_indication", "report_signatures", ["indication", "submission_id"])
