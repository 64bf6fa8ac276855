"""Pure functions run on bytes of strangers in worker processes that are bounded in memory, CPU, time and answer.

`Sandbox(limits).call(function, *args)` is as `function(*args)`, but what kills or hangs the worker is an error here.
"""

from yingqiao.sandbox.errors import Busy, Crashed, SandboxError, TooBig, TooLong
from yingqiao.sandbox.limits import SandboxLimits
from yingqiao.sandbox.pool import Line, Sandbox

__all__ = ["Busy", "Crashed", "Line", "Sandbox", "SandboxError", "SandboxLimits", "TooBig", "TooLong"]
