"""libcurl's sockets on epoll: any number of descriptors, however high (select stops at 1024)."""

from __future__ import annotations

import select
import time
from typing import Any

import pycurl


class Reactor:
    """One CurlMulti and its connections, kept from run to run. For one thread."""

    def __init__(self, connections: int) -> None:
        self.multi = pycurl.CurlMulti()
        self._poll = select.epoll()
        self._due: float | None = None
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self.multi.setopt(pycurl.M_MAXCONNECTS, connections * 2)
        self.multi.setopt(pycurl.M_PIPELINING, 0)

    def close(self) -> None:
        self.multi.close()
        self._poll.close()

    def turn(self, seconds: float) -> list[tuple[Any, int]]:
        """Wait at most so long for something to do, do it, return handles that ended with libcurl's codes."""
        if self._due is not None:
            seconds = max(0.0, min(seconds, self._due - time.monotonic()))
        for fd, events in self._poll.poll(seconds, 64):
            self.multi.socket_action(fd, _action(events))
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        return self._ended()

    def _ended(self) -> list[tuple[Any, int]]:
        ended: list[tuple[Any, int]] = []
        more = 1
        while more:
            more, good, bad = self.multi.info_read()
            ended += [(curl, 0) for curl in good]
            ended += [(curl, code) for curl, code, _words in bad]
        return ended

    def _watch(self, event: int, fd: int, _multi: Any, _data: Any) -> None:
        if event == pycurl.POLL_REMOVE:
            try:
                self._poll.unregister(fd)
            except OSError:  # libcurl closed it first
                return
            return
        mask = (select.EPOLLIN if event & pycurl.POLL_IN else 0) | (
            select.EPOLLOUT if event & pycurl.POLL_OUT else 0
        )
        try:
            self._poll.modify(fd, mask)
        except FileNotFoundError:
            self._poll.register(fd, mask)

    def _set_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


def _action(events: int) -> int:
    action = 0
    if events & (select.EPOLLIN | select.EPOLLHUP):
        action |= pycurl.CSELECT_IN
    if events & select.EPOLLOUT:
        action |= pycurl.CSELECT_OUT
    if events & select.EPOLLERR:
        action |= pycurl.CSELECT_ERR
    return action
