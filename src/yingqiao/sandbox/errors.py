"""What a bounded process may end with instead of an answer."""

from __future__ import annotations


class SandboxError(Exception):
    """No answer. `code` is stable, `reason` Chinese; `detail` is for programmers and quotes no data."""

    code = "sandbox"
    reason = "处理失败"

    def __init__(self, detail: str = "") -> None:
        super().__init__(self.reason)
        self.detail = detail


class TooBig(SandboxError):  # noqa: N818 read as what happened
    """Memory or the answer went beyond the limit."""

    code, reason = "too-big", "文件过于庞大或复杂，超出处理所允许的内存"


class TooLong(SandboxError):  # noqa: N818 read as what happened
    """CPU or wall clock went beyond the limit."""

    code, reason = "too-long", "文件过于复杂，未能在规定的时间内处理完"


class Crashed(SandboxError):  # noqa: N818 read as what happened
    """The worker died, or raised what no caller provided for."""

    code, reason = "crashed", "处理文件的进程异常退出，文件可能已损坏或带有恶意内容"


class Busy(SandboxError):  # noqa: N818 read as what happened
    """All workers were busy for as long as a caller waits."""

    code, reason = "busy", "正在处理的文件过多，请稍后重试"
