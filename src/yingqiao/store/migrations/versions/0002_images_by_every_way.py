"""images by every way: work, fetching, Q/R, completeness, commitment"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exams", sa.Column("image_expected", sa.Integer(), nullable=True))
    op.add_column("exams", sa.Column("image_missing", sa.Integer(), nullable=True))
    op.create_index(
        "ix_exams_image_missing",
        "exams",
        ["id"],
        unique=False,
        sqlite_where=sa.text("image_missing > 0"),
        postgresql_where=sa.text("image_missing > 0"),
    )
    op.create_table(
        "commitments",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("transaction_uid", sa.String(), nullable=False),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("requester_aet", sa.String(), nullable=False),
        sa.Column("called_aet", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("referenced", sa.LargeBinary(), nullable=False),
        sa.Column("reference_count", sa.Integer(), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=True),
        sa.Column("judged_at", sa.BigInteger(), nullable=True),
        sa.Column("notified_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
        sa.UniqueConstraint(
            "requester_aet", "transaction_uid", name=op.f("uq_commitments_requester_aet_transaction_uid")
        ),
    )
    op.create_index(
        "ix_commitments_unreported",
        "commitments",
        ["id"],
        unique=False,
        sqlite_where=sa.text("notified_at IS NULL"),
        postgresql_where=sa.text("notified_at IS NULL"),
    )
    op.create_table(
        "image_lists",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("accession_number", sa.String(), nullable=False),
        sa.Column("patient_id", sa.String(), nullable=False),
        sa.Column("patient_name", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("study_date", sa.String(), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("first_received_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("relay_due", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_lists")),
        sa.UniqueConstraint(
            "hospital_code", "series_uid", name=op.f("uq_image_lists_hospital_code_series_uid")
        ),
    )
    op.create_index("ix_image_lists_relay_due", "image_lists", ["relay_due", "id"], unique=False)
    op.create_index("ix_image_lists_study", "image_lists", ["study_uid"], unique=False)
    op.create_index(
        "ix_image_lists_accession", "image_lists", ["hospital_code", "accession_number"], unique=False
    )
    op.create_table(
        "report_documents",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("record_num", sa.String(), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("error_class", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_documents")),
        sa.UniqueConstraint("submission_id", "url", name=op.f("uq_report_documents_submission_id_url")),
    )
    op.create_index(
        "ix_report_documents_report", "report_documents", ["hospital_code", "record_num"], unique=False
    )
    op.create_index("ix_report_documents_state", "report_documents", ["state", "id"], unique=False)
    op.create_table(
        "study_expectations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_expectations")),
        sa.UniqueConstraint(
            "study_uid",
            "series_uid",
            "source",
            "origin",
            "hospital_code",
            name=op.f("uq_study_expectations_study_uid_series_uid_source_origin_hospital_code"),
        ),
    )
    op.create_table(
        "work",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("executor", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("error_class", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("progress_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_work_kind_key")),
    )
    op.create_index("ix_work_admission", "work", ["destination", "state", "priority", "id"], unique=False)
    op.create_index("ix_work_due", "work", ["state", "due_at"], unique=False)
    op.create_index("ix_work_hospital", "work", ["hospital_code", "state", "id"], unique=False)
    op.create_index(
        "ix_work_executor",
        "work",
        ["executor"],
        unique=False,
        sqlite_where=sa.text("executor <> ''"),
        postgresql_where=sa.text("executor <> ''"),
    )
    op.create_index("ix_work_state", "work", ["state", "id"], unique=False)
    op.create_index("ix_work_kind", "work", ["kind", "state", "id"], unique=False)
    op.create_table(
        "work_destinations",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("held_reason", sa.Text(), nullable=False),
        sa.Column("max_parallel", sa.Integer(), nullable=False),
        sa.Column("bytes_per_second", sa.BigInteger(), nullable=False),
        sa.Column("windows", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_error_at", sa.BigInteger(), nullable=True),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_work_destinations")),
    )
    op.create_index(
        op.f("ix_work_destinations_hospital_code"), "work_destinations", ["hospital_code"], unique=False
    )
    op.create_table(
        "work_executors",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_work_executors")),
    )
    op.create_table(
        "work_timers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("executor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_work_timers")),
    )
    op.create_table(
        "fetch_hosts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("path_encoding", sa.String(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["destination"], ["work_destinations.name"], name=op.f("fk_fetch_hosts_destination")
        ),
        sa.ForeignKeyConstraint(
            ["hospital_code"], ["hospitals.code"], name=op.f("fk_fetch_hosts_hospital_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetch_hosts")),
        sa.UniqueConstraint(
            "hospital_code",
            "scheme",
            "host",
            "port",
            "root",
            name=op.f("uq_fetch_hosts_hospital_code_scheme_host_port_root"),
        ),
    )
    op.create_table(
        "image_files",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("list_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("url_digest", sa.LargeBinary(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error_class", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sop_uids", sa.Text(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["image_lists.id"], name=op.f("fk_image_files_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_files")),
        sa.UniqueConstraint("list_id", "url_digest", name=op.f("uq_image_files_list_id_url_digest")),
    )
    op.create_index("ix_image_files_state", "image_files", ["list_id", "state", "id"], unique=False)
    op.create_table(
        "pacs_nodes",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("hospital_code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("ae_title", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("calling_aet", sa.String(), nullable=False),
        sa.Column("retrieve_by", sa.String(), nullable=False),
        sa.Column("charset", sa.String(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["destination"], ["work_destinations.name"], name=op.f("fk_pacs_nodes_destination")
        ),
        sa.ForeignKeyConstraint(
            ["hospital_code"], ["hospitals.code"], name=op.f("fk_pacs_nodes_hospital_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pacs_nodes")),
        sa.UniqueConstraint("hospital_code", "name", name=op.f("uq_pacs_nodes_hospital_code_name")),
    )
