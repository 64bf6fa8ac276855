"""earlier authorities: which of our CAs are trusted no more"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("authorities", sa.Column("withdrawn_at", sa.BigInteger(), nullable=True))
