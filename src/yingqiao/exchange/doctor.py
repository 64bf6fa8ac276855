"""The C-MOVE doctor: what each link between us and a PACS showed, which side is wrong, what to do. Pure.

A pull has many links, and they break in ways that look alike from afar. Each is tried in order by `app`;
here the facts of each become a mark, words and advice, in Chinese, for the two people on the telephone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from yingqiao.exchange.pacs import PacsAddress


class Step(StrEnum):
    """The links, in the order they are tried."""

    NAME = "name"
    CONNECT = "connect"
    TLS = "tls"
    ASSOCIATION = "association"
    ECHO = "echo"
    BACK = "back"
    FIND = "find"
    MOVE = "move"
    GET = "get"


STEP_NAMES = {
    Step.NAME: "解析主机名",
    Step.CONNECT: "TCP 连接",
    Step.TLS: "TLS 握手",
    Step.ASSOCIATION: "建立关联",
    Step.ECHO: "C-ECHO 到 PACS",
    Step.BACK: "C-ECHO 到本机",
    Step.FIND: "C-FIND 查询",
    Step.MOVE: "C-MOVE 试调一幅",
    Step.GET: "C-GET 试取一幅",
}


class Mark(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


MARK_NAMES = {Mark.PASSED: "通过", Mark.FAILED: "失败", Mark.SKIPPED: "跳过"}


class Side(StrEnum):
    """Who has to act."""

    NOBODY = ""
    PACS = "pacs"
    NETWORK = "network"
    GATEWAY = "gateway"


SIDE_NAMES = {
    Side.NOBODY: "",
    Side.PACS: "PACS 厂商",
    Side.NETWORK: "网络管理员",
    Side.GATEWAY: "前置机管理员",
}


class Trouble(StrEnum):
    """Everything that can be wrong with a link."""

    NAME_UNKNOWN = "name-unknown"
    REFUSED = "refused"
    FILTERED = "filtered"
    NO_ROUTE = "no-route"
    BROKEN = "broken"
    TLS_NOT_SPOKEN = "tls-not-spoken"
    TLS_UNTRUSTED = "tls-untrusted"
    TLS_WANTS_CERTIFICATE = "tls-wants-certificate"
    TLS_OWN_FILES = "tls-own-files"
    TLS_FAILED = "tls-failed"
    CALLED_AET = "called-aet"
    CALLING_AET = "calling-aet"
    LIMIT = "limit"
    REJECTED = "rejected"
    NOT_DICOM = "not-dicom"
    SILENT = "silent"
    ABORTED = "aborted"
    NOT_OFFERED = "not-offered"
    NOT_ALLOWED = "not-allowed"
    STATUS = "status"
    EMPTY = "empty"
    CHARSET = "charset"
    IGNORES_KEYS = "ignores-keys"
    OWN_OFF = "own-off"
    OWN_DOWN = "own-down"
    OWN_AET = "own-aet"
    OWN_LOOPBACK = "own-loopback"
    DESTINATION_UNKNOWN = "destination-unknown"
    DESTINATION_UNREACHABLE = "destination-unreachable"
    MOVE_FAILED = "move-failed"
    WENT_ELSEWHERE = "went-elsewhere"
    NOTHING_TO_PROBE = "nothing-to-probe"
    NOTHING_SENT = "nothing-sent"


@dataclass(frozen=True, slots=True)
class Ours:
    """How a PACS reaches us: what its vendor has to enter."""

    ae_title: str
    addresses: tuple[str, ...]
    """Ours as the PACS sees them, the most likely first; empty when not known."""
    port: int
    """0: the gateway receives no DICOM."""

    def words(self) -> str:
        """`AET=… IP=… 端口=…`"""
        return f"AET={self.ae_title} IP={' 或 '.join(self.addresses) or '（本机地址）'} 端口={self.port}"


@dataclass(frozen=True, slots=True)
class Parties:
    """Both ends of the link under test."""

    pacs: PacsAddress
    ours: Ours


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step showed."""

    step: Step
    mark: Mark
    words: str
    side: Side = Side.NOBODY
    mend: str = ""
    trouble: Trouble | None = None
    seconds: float = 0.0


_ADVICE: Mapping[Trouble, tuple[Side, str, str]] = {
    Trouble.NAME_UNKNOWN: (
        Side.GATEWAY,
        "主机名 {host} 解析不了",
        "核对主机名；或改用 IP 地址登记；或在本机配置 DNS",
    ),
    Trouble.REFUSED: (
        Side.PACS,
        "{host}:{port} 拒绝连接：地址到了，但该端口没有程序在监听",
        "请 PACS 厂商确认 DICOM 服务已启动、端口是否为 {port}",
    ),
    Trouble.FILTERED: (
        Side.NETWORK,
        "{host}:{port} 没有应答：IP 不对、主机未开机，或中间有防火墙",
        "核对 IP；请网络管理员放行本机到 {host} 的 TCP {port}",
    ),
    Trouble.NO_ROUTE: (Side.NETWORK, "没有到 {host} 的路由：{detail}", "请网络管理员检查本机网卡、网关与路由"),
    Trouble.BROKEN: (Side.NETWORK, "连接 {host}:{port} 出错：{detail}", "请网络管理员检查线路"),
    Trouble.TLS_NOT_SPOKEN: (
        Side.PACS,
        "{host}:{port} 不说 TLS",
        "此端口多半是普通 DICOM：去掉 --tls 重新登记，或请 PACS 厂商告知 TLS 端口",
    ),
    Trouble.TLS_UNTRUSTED: (
        Side.GATEWAY,
        "PACS 的证书不受信任：{detail}",
        "向 PACS 厂商索取签发该证书的 CA，用 --tls-ca 登记；证书与主机名不符时加 --tls-any-name",
    ),
    Trouble.TLS_WANTS_CERTIFICATE: (
        Side.GATEWAY,
        "PACS 要求客户端证书",
        "用 --tls-certificate 与 --tls-key 登记本机证书，并请 PACS 厂商信任它",
    ),
    Trouble.TLS_OWN_FILES: (Side.GATEWAY, "本机的证书、私钥或 CA 文件读不了：{detail}", "检查文件与权限"),
    Trouble.TLS_FAILED: (Side.PACS, "TLS 握手失败：{detail}", "与 PACS 厂商核对 TLS 版本与加密套件"),
    Trouble.CALLED_AET: (
        Side.GATEWAY,
        "PACS 不认被叫 AE 标题 {pacs_aet}",
        "向 PACS 厂商核对其 AE 标题（区分大小写），改正后重新登记节点",
    ),
    Trouble.CALLING_AET: (
        Side.PACS,
        "PACS 没有登记本机 AE 标题 {our_aet}，拒绝关联",
        "请 PACS 厂商登记本机：{ours}，并授予查询与调取权限",
    ),
    Trouble.LIMIT: (Side.PACS, "PACS 的关联数已满或暂时忙：{detail}", "稍后再试；或用 --parallel 减少并行关联"),
    Trouble.REJECTED: (Side.PACS, "PACS 拒绝关联：{detail}", "请 PACS 厂商查看其日志；核对双方 AE 标题与 IP 登记"),
    Trouble.NOT_DICOM: (
        Side.GATEWAY,
        "{host}:{port} 有程序应答，但不是 DICOM",
        "核对端口：DICOM 常用 104 或 11112；若为 TLS 端口请加 --tls 登记",
    ),
    Trouble.SILENT: (
        Side.PACS,
        "{what}没有应答：{detail}",
        "请 PACS 厂商检查其 DICOM 服务是否挂起；若为 TLS 端口请加 --tls 登记",
    ),
    Trouble.ABORTED: (
        Side.PACS,
        "PACS 中断了关联：{detail}",
        "请 PACS 厂商查看其日志；有的 PACS 以此拒绝未登记的 AE 或 IP（本机：{ours}）",
    ),
    Trouble.NOT_OFFERED: (Side.PACS, "PACS 不提供此服务", "请 PACS 厂商对 AE {our_aet} 开放此服务（{service}）"),
    Trouble.NOT_ALLOWED: (
        Side.PACS,
        "PACS 拒绝此操作：{detail}",
        "请 PACS 厂商对 AE {our_aet} 授予权限（{service}）",
    ),
    Trouble.STATUS: (Side.PACS, "PACS 答复错误状态：{detail}", "请 PACS 厂商按此状态与时间查看其日志"),
    Trouble.EMPTY: (
        Side.PACS,
        "查询成功，但没有结果：{asked}",
        "若该检查确在 PACS 中，请 PACS 厂商确认 AE {our_aet} 有权查询；或用 --study、--accession 指定一个已知检查",
    ),
    Trouble.CHARSET: (
        Side.GATEWAY,
        "查询有结果，但其中文字的编码与声明不符（{detail}）",
        "数据照常入库，网关会自行判别；中文条件查不到时用 --charset 登记节点的字符集",
    ),
    Trouble.IGNORES_KEYS: (
        Side.PACS,
        "PACS 没有按条件查询：答复了 {count} 个检查，其中有不符合条件的",
        "请 PACS 厂商支持按检查号、Study UID 查询；网关只采用与检查相符者",
    ),
    Trouble.OWN_OFF: (Side.GATEWAY, "本机没有开启 DICOM 接收", "设置 dicom.listen 并重启网关；C-GET 不需要它"),
    Trouble.OWN_DOWN: (
        Side.GATEWAY,
        "本机的 DICOM 接收 {our_address} 连不上：{detail}",
        "确认网关（yingqiao serve）正在运行，本机防火墙放行 TCP {our_port}",
    ),
    Trouble.OWN_AET: (
        Side.GATEWAY,
        "本机的 DICOM 接收拒绝被叫 AE 标题 {our_aet}",
        "核对节点的 --calling-aet 与设置 dicom.listen、dicom.check_called_aet",
    ),
    Trouble.OWN_LOOPBACK: (
        Side.GATEWAY,
        "本机的 DICOM 接收只监听回环地址，PACS 连不到",
        "设置 dicom.listen 为 AET@0.0.0.0:端口 并重启网关",
    ),
    Trouble.DESTINATION_UNKNOWN: (
        Side.PACS,
        "PACS 不认识移动目的地 {our_aet}（A801）",
        "请 PACS 厂商登记目的地 {ours}",
    ),
    Trouble.DESTINATION_UNREACHABLE: (
        Side.PACS,
        "PACS 没能把影像发到目的地 {our_aet}：{detail}",
        "请 PACS 厂商核对目的地登记为 {ours}，并从 PACS 一侧试 C-ECHO；防火墙须放行 PACS 到本机 TCP {our_port}",
    ),
    Trouble.MOVE_FAILED: (
        Side.PACS,
        "PACS 没有执行调取：{detail}",
        "最常见的原因是 PACS 没有登记目的地：请 PACS 厂商登记 {ours}；若已登记，请按时间查看其日志",
    ),
    Trouble.WENT_ELSEWHERE: (
        Side.PACS,
        "PACS 报告已发送 {sent} 幅，本机收到 0 幅：影像去了别处",
        "请 PACS 厂商核对目的地登记为 {ours}（IP、端口是否为另一台机器）",
    ),
    Trouble.NOTHING_TO_PROBE: (Side.NOBODY, "没有可试的影像", "用 --study 或 --accession 指定一个已知检查"),
    Trouble.NOTHING_SENT: (
        Side.PACS,
        "PACS 答复成功，但没有发送任何影像",
        "请 PACS 厂商检查该检查的影像是否在线（归档、近线存储），以及其日志",
    ),
}  # fmt: skip
_SERVICES = {Step.ECHO: "C-ECHO", Step.FIND: "C-FIND", Step.MOVE: "C-MOVE", Step.GET: "C-GET"}
_WHAT = {Step.ASSOCIATION: "关联请求", Step.TLS: "TLS 握手"}


def found(
    step: Step, trouble: Trouble | None, parties: Parties, seconds: float, words: str = "", **facts: object
) -> Finding:
    """A step's finding: passed with `words` when there is no trouble, else failed with words and advice.

    A charset problem or keys that are ignored are noted on a step that passed: pulling works all the same.
    """
    if trouble is None:
        return Finding(step, Mark.PASSED, words, seconds=seconds)
    side, said, mend = _ADVICE[trouble]
    known = _known(step, parties) | facts
    mark = Mark.PASSED if trouble in _HARMLESS else Mark.SKIPPED if trouble in _IDLE else Mark.FAILED
    return Finding(step, mark, said.format(**known), side, mend.format(**known), trouble, seconds)


_HARMLESS = frozenset((Trouble.CHARSET, Trouble.IGNORES_KEYS))
_IDLE = frozenset((Trouble.NOTHING_TO_PROBE,))


def _known(step: Step, parties: Parties) -> dict[str, object]:
    pacs, ours = parties.pacs, parties.ours
    return {
        "host": pacs.host,
        "port": pacs.port,
        "pacs_aet": pacs.ae_title,
        "our_aet": ours.ae_title,
        "our_port": ours.port,
        "our_address": f"{ours.addresses[0] if ours.addresses else ''}:{ours.port}",
        "ours": ours.words(),
        "service": _SERVICES.get(step, ""),
        "what": _WHAT.get(step, _SERVICES.get(step, "PACS ")),
        "detail": "",
        "asked": "",
    }


def skipped(step: Step, why: str) -> Finding:
    return Finding(step, Mark.SKIPPED, why)


def rejection(source: int, reason: int) -> Trouble:
    """What an A-ASSOCIATE-RJ means (PS3.8 table 9-21)."""
    if source == 1:
        return {3: Trouble.CALLING_AET, 7: Trouble.CALLED_AET}.get(reason, Trouble.REJECTED)
    if source == 3 and reason in (1, 2):
        return Trouble.LIMIT
    return Trouble.REJECTED


@dataclass(frozen=True, slots=True)
class Moved:
    """What a probe C-MOVE showed. `arrived`: whether the instance came to us by it."""

    status: int
    completed: int
    failed: int
    warned: int
    arrived: bool
    comment: str = ""

    @property
    def sent(self) -> int:
        return self.completed + self.warned


def move_trouble(moved: Moved) -> Trouble | None:
    """PS3.4 C.4.2.1.5: the statuses of C-MOVE, and what arrived whatever they say."""
    if moved.arrived:
        return None
    if moved.status == 0xA801:
        return Trouble.DESTINATION_UNKNOWN
    if moved.status in _NOT_ALLOWED:
        return Trouble.NOT_ALLOWED
    if moved.status == _NOT_SUPPORTED:
        return Trouble.NOT_OFFERED
    if moved.sent:
        return Trouble.WENT_ELSEWHERE
    if moved.failed or moved.status in (0xA702, 0xB000):
        return Trouble.DESTINATION_UNREACHABLE
    return Trouble.NOTHING_SENT if moved.status == 0 else Trouble.MOVE_FAILED


_NOT_ALLOWED = (0x0124, 0x0105)
_NOT_SUPPORTED = 0x0122


def status_trouble(status: int) -> Trouble | None:
    """The status that ended a C-ECHO, C-FIND or C-GET (PS3.7 annex C); 0 is no trouble."""
    if status == 0:
        return None
    if status in _NOT_ALLOWED:
        return Trouble.NOT_ALLOWED
    return Trouble.NOT_OFFERED if status == _NOT_SUPPORTED else Trouble.STATUS


def status_words(status: int, comment: str = "") -> str:
    """A DIMSE status as people look it up: `A801 移动目的地未知（comment）`."""
    named = _STATUS_NAMES.get(status, "无法处理" if status >> 12 == 0xC else "")
    return f"{status:04X}" + (f" {named}" if named else "") + (f"（{comment}）" if comment else "")


_STATUS_NAMES = {
    0x0000: "成功",
    0x0105: "没有此属性",
    0x0110: "处理失败",
    0x0122: "不支持此 SOP 类",
    0x0124: "未授权",
    0xA700: "资源不足",
    0xA701: "资源不足：无法计算匹配数",
    0xA702: "资源不足：无法执行子操作",
    0xA801: "移动目的地未知",
    0xA900: "标识与 SOP 类不符",
    0xB000: "部分子操作失败",
    0xFE00: "已取消",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All steps, and the one sentence that sums them up."""

    parties: Parties
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether images can be pulled: found, and brought by C-MOVE or by C-GET."""
        passed = {f.step for f in self.findings if f.mark is Mark.PASSED}
        return Step.FIND in passed and bool(passed & {Step.MOVE, Step.GET})

    @property
    def moves(self) -> bool:
        """Whether C-MOVE brought an image to us."""
        return any(f.step is Step.MOVE and f.mark is Mark.PASSED for f in self.findings)

    def summary(self) -> str:
        return summary(self.findings)


def summary(findings: Sequence[Finding]) -> str:
    """What to do first, and who; or that all is well."""
    failed = {f.step: f for f in findings if f.mark is Mark.FAILED}
    passed = {f.step for f in findings if f.mark is Mark.PASSED}
    brought = passed & {Step.MOVE, Step.GET}
    if Step.FIND in passed and brought:
        way = "C-MOVE" if Step.MOVE in passed else "C-GET"
        move = failed.get(Step.MOVE)
        note = f"；C-MOVE 不通：{move.words}" if move and way == "C-GET" else ""
        return f"可以调取：用 {way}{note}"
    first = next((f for f in findings if f.mark is Mark.FAILED and f.step is not Step.BACK), None)
    first = first or next(iter(failed.values()), None)
    if first is None:
        return "各步都通过，但没有影像可试：用 --study 或 --accession 指定一个已知检查再试"
    who = f"需{SIDE_NAMES[first.side]}处理：" if first.side else ""
    return f"不能调取。{who}{first.words}。{first.mend}"
