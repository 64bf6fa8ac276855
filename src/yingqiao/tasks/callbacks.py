"""Telling applications how their signing jobs ended: the handler of the work kind 'sign-callback' (四(二)4, T127).

The body is what getAuthSignResult answers at that moment, its hmac included: the caller may take it as it is, or as
the word to ask. Told again until the other side answers 2xx; telling twice is harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from yingqiao.client.callback import post
from yingqiao.exchange.callbacks import choose_host
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.signing import jobs
from yingqiao.store import sign_jobs
from yingqiao.store.applications import AppRegistry
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.work.task import Task
from yingqiao.web.service import Reply

EXPIRE_EVERY_S = 5.0
_log = structlog.get_logger(__name__)


class Callbacks:
    """The handler, and the timer that ends what is over by time."""

    def __init__(
        self,
        database: Database,
        apps: AppRegistry,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6,
    ) -> None:
        self._database, self._apps, self._now_ms = database, apps, now_ms

    def tell(self, task: Task) -> None:
        """Handler of 'sign-callback'; the key is the signDataId. Raises WorkError."""
        try:
            job = sign_jobs.find(self._database, task.key)
            application = self._apps.get(job.app_id) if job else None
        except StoreUnavailable as error:
            raise WorkError(ErrorClass.OURS, "数据库暂时不可用") from error
        if job is None or not job.callback_url:
            return
        if application is None:
            raise WorkError(ErrorClass.OURS, f"应用 {job.app_id} 的密钥读不出，无法签署回调")
        data = jobs.result_of(job, application.secrets[0], self._now_ms())
        task.check()
        address, host = choose_host(job.callback_url, application.settings.callbacks)
        post(address, host, Reply(data, trans_id=job.trans_id or None).body())
        _log.info("coss.told", job=job.job_id, app=job.app_id)

    def expire(self) -> None:
        """Jobs whose time is over are EXPIRE, and their applications told."""
        count = sign_jobs.expire_due(self._database, self._now_ms())
        if count:
            _log.info("coss.expired", jobs=count)
