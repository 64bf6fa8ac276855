"""What can be seen of the store: plain frozen results, used by the command line and the API alike.

Every function takes a SQLAlchemy connection (``Database.read()``), runs a bounded number of statements,
and means the same on both databases. Lists answer a `Page`; a thing that is not there is None.
"""

from yingqiao.store.queries.commitments import (
    CommitmentDetail,
    CommitmentFilter,
    CommitmentSummary,
    list_commitments,
    show_commitment,
)
from yingqiao.store.queries.common import COUNT_AT_MOST, Page, Range
from yingqiao.store.queries.exams import (
    ORDERS,
    Candidate,
    ExamDetail,
    ExamFilter,
    ExamSummary,
    LinkedStudy,
    TimelineEvent,
    list_exams,
    show_exam,
)
from yingqiao.store.queries.image_counts import GapShown, StudyImages, ToldShown
from yingqiao.store.queries.lists import (
    FileShown,
    ListDetail,
    ListFilter,
    ListSummary,
    list_image_lists,
    show_image_list,
    status_of,
)
from yingqiao.store.queries.reports import (
    ReportDetail,
    ReportFilter,
    ReportSummary,
    list_reports,
    show_report,
)
from yingqiao.store.queries.studies import (
    InstanceShown,
    LinkedExam,
    SeriesShown,
    StudyDetail,
    StudyFilter,
    StudySummary,
    list_studies,
    show_study,
)
from yingqiao.store.queries.submissions import (
    SubmissionDetail,
    SubmissionFilter,
    SubmissionSummary,
    list_submissions,
    show_submission,
)
from yingqiao.store.queries.summary import HospitalSummary, Reason, summarize

__all__ = [
    "COUNT_AT_MOST",
    "ORDERS",
    "Candidate",
    "CommitmentDetail",
    "CommitmentFilter",
    "CommitmentSummary",
    "ExamDetail",
    "ExamFilter",
    "ExamSummary",
    "FileShown",
    "GapShown",
    "HospitalSummary",
    "InstanceShown",
    "LinkedExam",
    "LinkedStudy",
    "ListDetail",
    "ListFilter",
    "ListSummary",
    "Page",
    "Range",
    "Reason",
    "ReportDetail",
    "ReportFilter",
    "ReportSummary",
    "SeriesShown",
    "StudyDetail",
    "StudyFilter",
    "StudyImages",
    "StudySummary",
    "SubmissionDetail",
    "SubmissionFilter",
    "SubmissionSummary",
    "TimelineEvent",
    "ToldShown",
    "list_commitments",
    "list_exams",
    "list_image_lists",
    "list_reports",
    "list_studies",
    "list_submissions",
    "show_commitment",
    "show_exam",
    "show_image_list",
    "show_report",
    "show_study",
    "show_submission",
    "status_of",
    "summarize",
]
