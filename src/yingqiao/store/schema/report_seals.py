"""What became of the seals on reports' PDFs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from yingqiao.store.schema.base import metadata, row_id

report_seals = Table(  # the verification of the seals on an audited report version's PDF
    "report_seals",
    metadata,
    Column("submission_id", row_id, primary_key=True, autoincrement=False),
    Column("hospital_code", String, nullable=False),
    Column("record_num", String, nullable=False),
    Column("object", String, nullable=False),  # `sha256:<hex>` of the PDF
    Column("state", String, nullable=False),  # due | done | off
    Column("count", Integer, nullable=False),  # seals found
    Column("indication", String, nullable=False),  # passed | failed | unknown | unsealed; '' until judged
    Column("code", Integer, nullable=False),  # of the worst: verifyResult
    Column("words", Text, nullable=False),  # Chinese, one line
    Column("details", Text),  # JSON, one entry a seal
    Column("verified_at", BigInteger),
    Index("ix_report_seals_state", "state", "submission_id"),
    Index("ix_report_seals_report", "hospital_code", "record_num"),
    Index("ix_report_seals_indication", "indication", "submission_id"),
)
