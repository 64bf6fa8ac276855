"""signing retention: jobs reduced to their evidence, days of the journal of time stamps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OVER = sa.text("status <> 'UNSIGN' AND reduced_at IS NULL")


def upgrade() -> None:
    op.add_column("sign_jobs", sa.Column("reduced_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_sign_jobs_over",
        "sign_jobs",
        ["finished_at"],
        unique=False,
        sqlite_where=_OVER,
        postgresql_where=_OVER,
    )
    op.create_table(
        "timestamp_days",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("authority_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("first_serial", sa.BigInteger(), nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", "authority_id", name=op.f("pk_timestamp_days")),
    )
