"""What became of one address of a list, and the error that says so. Pure."""

from __future__ import annotations

from enum import StrEnum

from yingqiao.exchange.work import ErrorClass, WorkError


class FileState(StrEnum):
    """Where one file stands (image_files.state, report_documents.state)."""

    PENDING = "pending"
    DONE = "done"
    FAILING = "failing"
    """It did not come, and is tried again by itself."""
    REFUSED = "refused"
    """Its address may not be fetched: not registered, inside, or no address at all."""
    DENIED = "denied"
    """The other side wants other credentials, or trust could not be established."""
    GONE = "gone"
    """The other side says there is no such file."""
    UNUSABLE = "unusable"
    """It came, and is not what it should be."""


FILE_STATE_NAMES = {
    FileState.PENDING: "等待下载",
    FileState.DONE: "已取回",
    FileState.FAILING: "暂未取到",
    FileState.REFUSED: "地址不允许",
    FileState.DENIED: "对方拒绝访问",
    FileState.GONE: "对方没有此文件",
    FileState.UNUSABLE: "内容无法使用",
}


class FetchError(WorkError):
    """A file that was not fetched: the class says when to try again, `state` what to show."""

    def __init__(
        self,
        error_class: ErrorClass,
        reason: str,
        *,
        state: FileState = FileState.FAILING,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(error_class, reason, retry_after=retry_after)
        self.state = state


def state_of(error: WorkError) -> FileState:
    """What to show of a file after this error."""
    if isinstance(error, FetchError):
        return error.state
    return FileState.UNUSABLE if error.error_class is ErrorClass.POISON else FileState.FAILING
