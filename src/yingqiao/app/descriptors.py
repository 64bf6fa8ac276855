"""Open files: every connection, association and segment is one; a shell's usual limit of 1,024 is too few."""

from __future__ import annotations

import resource

import structlog

from yingqiao.settings import Settings

WANTED = 4096
_UNLIMITED_IS = 1_048_576
"""Linux allows a process no more (fs.nr_open), whatever the limit says."""
_OWN = 256
"""Databases, segments, logs, sockets that listen."""
_PER_ASSOCIATION = 2
"""A socket, and a landing file at times."""
_log = structlog.get_logger(__name__)


def raise_limit(settings: Settings) -> int:
    """Raise the limit of open files (RLIMIT_NOFILE) as far as this user may; the limit now in force.

    HTTP processes inherit it. Logs a warning when what the settings allow does not fit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _UNLIMITED_IS if hard == resource.RLIM_INFINITY else min(hard, _UNLIMITED_IS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    limit = _UNLIMITED_IS if soft == resource.RLIM_INFINITY else soft
    needed = max(WANTED, needed_by(settings))
    if limit < needed:
        _log.warning(
            "gateway.few_descriptors",
            limit=limit,
            needed=needed,
            hint="请提高打开文件数上限（ulimit -Hn 或 systemd 的 LimitNOFILE），或减小 "
            "http.max_connections、dicom.max_associations",
        )
    return limit


def needed_by(settings: Settings) -> int:
    """Open files of the main process when all connections and associations the settings allow are there."""
    return _OWN + settings.http.max_connections + _PER_ASSOCIATION * settings.dicom.max_associations
