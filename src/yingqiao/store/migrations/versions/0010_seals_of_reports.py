"""seals of reports: what became of the seals on reports' PDFs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report_seals",
        sa.Column(
            "submission_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("record_num", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("indication", sa.String(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_report_seals")),
    )
    op.create_index("ix_report_seals_state", "report_seals", ["state", "submission_id"])
    op.create_index("ix_report_seals_report", "report_seals", ["hospital_code", "record_num"])
    op.create_index("ix_report_seals_indication", "report_seals", ["indication", "submission_id"])
