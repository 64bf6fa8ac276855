"""The tables. One schema on SQLite and PostgreSQL; `migrations/` brings a database here step by step.

One module per matter; everything is imported from here. Times are Unix milliseconds (BigInteger) unless they are
the standard's own text (`yyyy-MM-dd HH:mm:ss`, Beijing time). Comma lists of the standard are kept joined by ','
with a leading and trailing ',' so that LIKE '%,x,%' finds an item; look-ups on hot paths go through the `*_keys`
tables instead.
"""

from yingqiao.store.schema.base import metadata
from yingqiao.store.schema.certificates import (
    activations,
    authorities,
    cases,
    doctors,
    login_sessions,
    personal_certificates,
    revocation_lists,
    service_secrets,
    shared_keys,
    staff,
)
from yingqiao.store.schema.fetching import fetch_hosts, image_files, image_lists, pacs_nodes
from yingqiao.store.schema.hospitals import dicom_sources, hospital_keys, hospitals
from yingqiao.store.schema.images import (
    commitments,
    instances,
    landing_progress,
    series,
    studies,
    study_expectations,
)
from yingqiao.store.schema.phone import (
    automatic_signing,
    cooperative_attempts,
    job_claims,
    key_requests,
    login_challenges,
    phone_codes,
)
from yingqiao.store.schema.reconciliation import (
    balance_entries,
    comparisons,
    day_statements,
    differences,
    hospital_queries,
    missing_exams,
)
from yingqiao.store.schema.records import (
    exam_keys,
    exam_reports,
    exam_studies,
    exams,
    report_documents,
    reports,
    submissions,
)
from yingqiao.store.schema.report_seals import report_seals
from yingqiao.store.schema.seals import seal_changes, seal_uses, seals, unit_certificates
from yingqiao.store.schema.signing import (
    applications,
    sign_jobs,
    timestamp_authorities,
    timestamp_serials,
    timestamp_tokens,
)
from yingqiao.store.schema.trust import (
    report_signatures,
    trust_certificates,
    trust_changes,
    trust_lists,
)
from yingqiao.store.schema.work import work, work_destinations, work_executors, work_timers

__all__ = [
    "activations",
    "applications",
    "authorities",
    "automatic_signing",
    "balance_entries",
    "cases",
    "commitments",
    "comparisons",
    "cooperative_attempts",
    "day_statements",
    "dicom_sources",
    "differences",
    "doctors",
    "exam_keys",
    "exam_reports",
    "exam_studies",
    "exams",
    "fetch_hosts",
    "hospital_keys",
    "hospital_queries",
    "hospitals",
    "image_files",
    "image_lists",
    "instances",
    "job_claims",
    "key_requests",
    "landing_progress",
    "login_challenges",
    "login_sessions",
    "metadata",
    "missing_exams",
    "pacs_nodes",
    "personal_certificates",
    "phone_codes",
    "report_documents",
    "report_seals",
    "report_signatures",
    "reports",
    "revocation_lists",
    "seal_changes",
    "seal_uses",
    "seals",
    "series",
    "service_secrets",
    "shared_keys",
    "sign_jobs",
    "staff",
    "studies",
    "study_expectations",
    "submissions",
    "timestamp_authorities",
    "timestamp_serials",
    "timestamp_tokens",
    "trust_certificates",
    "trust_changes",
    "trust_lists",
    "unit_certificates",
    "work",
    "work_destinations",
    "work_executors",
    "work_timers",
]
