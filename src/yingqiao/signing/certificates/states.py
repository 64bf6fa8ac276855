"""The state of a certificate, from one function: annex 7's four and the two it does not name.

| 状态 | 何时 | 可否使用 |
|---|---|---|
| 尚未生效 | 生效时间之前 | 不可 |
| 正常 | 其余 | 可 |
| 临期 | 距有效期终止不足一个月 | 可，可更新 |
| 过期可更新 | 过期不超过一个月 | 不可，可更新 |
| 过期不可更新 | 过期超过一个月 | 不可，只能重新下载 |
| 已吊销 | 已被吊销，不论上述哪种 | 不可 |

A month is a calendar month in Beijing time; a day that the other month does not have becomes its last one (31 May less a
month is 30 April). Validity includes its last second (RFC 5280, 4.1.2.5).
"""

from __future__ import annotations

import calendar
from datetime import datetime
from enum import StrEnum

from yingqiao.signing.moments import BEIJING


class CertificateState(StrEnum):
    """Annex 7, certificate states; 已吊销 and 尚未生效 are ours."""

    NOT_YET = "not-yet"
    NORMAL = "normal"
    EXPIRING = "expiring"
    RENEWABLE = "renewable"
    EXPIRED = "expired"
    REVOKED = "revoked"

    @property
    def words(self) -> str:
        return _WORDS[self]

    @property
    def is_usable(self) -> bool:
        """Whether one may log in and sign with it."""
        return self in (CertificateState.NORMAL, CertificateState.EXPIRING)

    @property
    def may_be_updated(self) -> bool:
        """Whether the phone offers an update (annex 7, 证书更新)."""
        return self in (CertificateState.EXPIRING, CertificateState.RENEWABLE)


_WORDS = {
    CertificateState.NOT_YET: "尚未生效",
    CertificateState.NORMAL: "正常",
    CertificateState.EXPIRING: "临期",
    CertificateState.RENEWABLE: "过期可更新",
    CertificateState.EXPIRED: "过期不可更新",
    CertificateState.REVOKED: "已吊销",
}


def state_of(
    not_before: datetime, not_after: datetime, now: datetime, *, revoked_at: datetime | None = None
) -> CertificateState:
    """The state at `now`. All times carry their zone; a revocation that lies in the future does not count yet."""
    if revoked_at is not None and revoked_at <= now:
        return CertificateState.REVOKED
    if now < not_before:
        return CertificateState.NOT_YET
    if now > not_after:
        in_time = now <= add_months(not_after, 1)
        return CertificateState.RENEWABLE if in_time else CertificateState.EXPIRED
    return CertificateState.EXPIRING if now > add_months(not_after, -1) else CertificateState.NORMAL


def add_months(moment: datetime, months: int) -> datetime:
    """So many calendar months later, by the Beijing calendar."""
    local = moment.astimezone(BEIJING)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day)
