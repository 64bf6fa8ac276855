"""The standard's protocol as a library.

A hospital or its vendor calls a gateway with `Gateway` (blocking) or `AsyncGateway`, checking records before with
`Checker`; a gateway asks a hospital's system with `HospitalSystem`. Errors are classes under `ClientError`.
"""

from yingqiao.client.answer import Answer, ListedFile, ListStatus, ListTaken, Reconciled, SeriesStatus
from yingqiao.client.errors import (
    AnswerTooLarge,
    BadKey,
    BadSignature,
    ClientError,
    Invalid,
    Misunderstood,
    NotAdmitted,
    Refused,
    RetryLater,
    TooLarge,
    Unavailable,
    Unreachable,
    WrongClock,
)
from yingqiao.client.gateway import AsyncGateway, Gateway
from yingqiao.client.hospital import EndlessListing, HospitalSystem, Listing
from yingqiao.client.limits import Limits
from yingqiao.client.questions import ExamQuestion, ReportQuestion, SeriesQuestion
from yingqiao.client.reconciliation import DayTotals
from yingqiao.client.validate import Checker
from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.profile import Profile

__all__ = [
    "Answer",
    "AnswerTooLarge",
    "AsyncGateway",
    "BadKey",
    "BadSignature",
    "Checker",
    "ClientError",
    "DayTotals",
    "EndlessListing",
    "ExamQuestion",
    "Finding",
    "Gateway",
    "HospitalSystem",
    "Invalid",
    "Level",
    "Limits",
    "ListStatus",
    "ListTaken",
    "ListedFile",
    "Listing",
    "Misunderstood",
    "NotAdmitted",
    "Profile",
    "Reconciled",
    "Refused",
    "ReportQuestion",
    "RetryLater",
    "SeriesQuestion",
    "SeriesStatus",
    "TooLarge",
    "Unavailable",
    "Unreachable",
    "WrongClock",
]
