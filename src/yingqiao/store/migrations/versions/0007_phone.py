"""phone: requests for certificates, log-ins, scanned jobs, codes, automatic signing"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "key_requests",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("doctor_id", _id(), nullable=False),
        sa.Column("activation", sa.LargeBinary(), nullable=True),
        sa.Column("info", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["shared_keys.id"], name=op.f("fk_key_requests_key_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_key_requests_doctor_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_requests")),
    )
    op.create_index(op.f("ix_key_requests_doctor_id"), "key_requests", ["doctor_id"], unique=False)
    op.create_table(
        "cooperative_attempts",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["shared_keys.id"], name=op.f("fk_cooperative_attempts_key_id")),
        sa.PrimaryKeyConstraint("key_id", "job", name=op.f("pk_cooperative_attempts")),
    )
    op.create_index(op.f("ix_cooperative_attempts_at"), "cooperative_attempts", ["at"], unique=False)
    op.create_table(
        "login_challenges",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("challenge", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["shared_keys.id"], name=op.f("fk_login_challenges_key_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_login_challenges")),
    )
    op.create_table(
        "job_claims",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("doctor_id", _id(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["sign_jobs.job_id"], name=op.f("fk_job_claims_job_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_job_claims_doctor_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_claims")),
    )
    op.create_index(op.f("ix_job_claims_doctor_id"), "job_claims", ["doctor_id"], unique=False)
    op.create_table(
        "phone_codes",
        sa.Column("doctor_id", _id(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_phone_codes_doctor_id")),
        sa.PrimaryKeyConstraint("doctor_id", name=op.f("pk_phone_codes")),
    )
    op.create_table(
        "automatic_signing",
        sa.Column("doctor_id", _id(), nullable=False),
        sa.Column("enabled_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("certificate_id", _id(), nullable=False),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_automatic_signing_doctor_id")),
        sa.ForeignKeyConstraint(
            ["certificate_id"], ["personal_certificates.id"], name=op.f("fk_automatic_signing_certificate_id")
        ),
        sa.PrimaryKeyConstraint("doctor_id", name=op.f("pk_automatic_signing")),
    )
