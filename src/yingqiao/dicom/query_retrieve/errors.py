"""How asking a PACS fails. Each error says in Chinese which side is wrong and what to check (`words`), and
whose turn it is (`error_class`).
"""

from __future__ import annotations

from collections.abc import Mapping

from yingqiao.dicom.query_retrieve import words
from yingqiao.dicom.upper_layer.dimse import SubOperations
from yingqiao.exchange.work import ErrorClass


class NodeError(Exception):
    """Asking a node did not succeed."""

    error_class = ErrorClass.PASSING

    def __init__(self, text: str) -> None:
        """`text`: Chinese, names no patient."""
        super().__init__(text)
        self.words = text


class Unreachable(NodeError):  # noqa: N818 names of states, as in PS3.8
    """No connection. `cause`: name | refused | no-route | timeout | tls | closed."""

    def __init__(self, cause: str, text: str) -> None:
        super().__init__(text)
        self.cause = cause


class Rejected(NodeError):  # noqa: N818
    """A-ASSOCIATE-RJ; numbers of PS3.8 table 9-21."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        known = words.REJECTIONS.get((source, reason))
        super().__init__(
            known or f"对方拒绝关联（结果 {result}，来源 {source}，原因 {reason}）。请对方查看 PACS 日志"
        )
        self.result = result
        self.source = source
        self.reason = reason
        passing = result == 2 or source == 3
        self.error_class = ErrorClass.PASSING if passing else ErrorClass.THEIRS


class ContextRefused(NodeError):  # noqa: N818
    """The peer accepts the association, not the service. `results`: abstract syntax → result of PS3.8 table
    9-18.
    """

    error_class = ErrorClass.THEIRS

    def __init__(self, results: Mapping[str, int]) -> None:
        told = "；".join(
            f"{words.service_name(uid)}：{words.CONTEXT_RESULTS.get(result, f'结果 {result}')}"
            for uid, result in results.items()
        )
        super().__init__(f"对方接受了关联，但不提供所需的服务。{told}。请在 PACS 中为我方 AE 标题放开该服务")
        self.results = dict(results)


class Aborted(NodeError):  # noqa: N818
    """The association ended before its time: A-ABORT, or the connection was lost (`lost`)."""

    def __init__(self, source: int, reason: int, *, lost: bool = False) -> None:
        if lost:
            text = "连接中断：对方关闭了连接，或网络不通。请对方查看 PACS 日志"
        elif source == 2:
            text = f"对方中止了关联：{words.ABORTS.get(reason, f'原因 {reason}')}"
        else:
            text = "对方程序中止了关联。PACS 可能没有登记我方 AE 标题与 IP，或没有放开此操作；请对方查看 PACS 日志"
        super().__init__(text)
        self.source = source
        self.reason = reason
        self.lost = lost


class BadAnswer(NodeError):  # noqa: N818
    """The peer's bytes break the protocol; the association was aborted by us."""

    error_class = ErrorClass.THEIRS

    def __init__(self, text: str) -> None:
        """`text`: English, for engineers."""
        super().__init__(f"对方的应答不合 DICOM 协议，已中止关联（{text}）")


_STAGES = {
    "association": "等候关联应答超时：对方接受了连接却不答话。该端口可能不是 DICOM 服务，或 PACS 已挂起",
    "response": "等候应答超时：对方接受了请求，之后不再答话。请对方查看 PACS 是否挂起，离线归档是否过慢",
    "pdu": "消息传到一半停住了：请检查网络，或请对方查看 PACS 是否挂起",
    "operation": "整个操作用时过长，已中止。请缩小范围，或请对方查看 PACS 为何一直不结束",
    "cancel": "对方没有理会取消，已中止关联",
}


class TimedOut(NodeError):  # noqa: N818
    """The peer keeps silent. `stage`: association | response | pdu | operation | cancel."""

    def __init__(self, stage: str, seconds: float) -> None:
        super().__init__(f"{_STAGES[stage]}（{seconds:g} 秒）")
        self.stage = stage


_THEIRS = frozenset((0x0118, 0x0122, 0x0124, 0x0211, 0x0212, 0xA801, 0xA900, 0xAA02, 0xAA03, 0xAA04))


class FailedStatus(NodeError):  # noqa: N818
    """The operation ended with another status than 0000."""

    def __init__(
        self, status: int, comment: str = "", counts: SubOperations | None = None, *, moving: bool = False
    ) -> None:
        """`comment`: (0000,0902), decoded. `moving`: the answer to a C-MOVE."""
        text = words.status_words(status, moving)
        super().__init__(f"{text}。对方说明：{comment}" if comment else text)
        self.status = status
        self.comment = comment
        self.counts = counts
        self.error_class = ErrorClass.THEIRS if status in _THEIRS else ErrorClass.PASSING


class TooManyMatches(NodeError):  # noqa: N818
    """More answers than any query of ours has: the PACS ignores the key."""

    error_class = ErrorClass.THEIRS

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"查询结果超过 {limit} 条，已取消：该 PACS 很可能忽略了查询条件。请核对它支持哪些查询键"
        )
        self.limit = limit


class BadQuery(NodeError):  # noqa: N818
    """What was to be asked cannot be: an empty identifying key, a wildcard in a value, too long."""

    error_class = ErrorClass.POISON
