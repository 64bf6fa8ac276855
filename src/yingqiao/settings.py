"""Every setting: typed, documented, read once. defaults < TOML file < environment YINGQIAO_* < flags.

A setting is a member of a struct below; its Chinese description is its help, and
`docs/reference/settings.md` is made from it. `http.max_body_bytes` is `[http] max_body_bytes = …` in the
file and YINGQIAO_HTTP_MAX_BODY_BYTES in the environment.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

_MIB = 1024 * 1024
_ENV = "YINGQIAO_"
MASK = "••••••"


class SettingsError(Exception):
    """A setting is unknown, cannot be read or is out of range; the message is Chinese and names it."""


def _help(text: str, *, secret: bool = False, **limits: Any) -> Meta:
    return Meta(description=text, extra={"secret": secret}, **limits)


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP 接收（[http]）"""

    listen: Annotated[str, _help("监听地址 HOST:PORT；端口 0 表示任选空闲端口")] = "0.0.0.0:8080"
    admin_listen: Annotated[str, _help("/api 与 /metrics 另用的地址 HOST:PORT；空 = 与接收同一端口")] = ""
    workers: Annotated[int, _help("HTTP 进程数；大于 1 时须用 PostgreSQL", ge=1, le=64)] = 1
    max_body_bytes: Annotated[int, _help("请求体上限（字节），超过答 413", ge=1024)] = 64 * _MIB
    body_seconds: Annotated[float, _help("读请求体的基本时限（秒），超过答 408", gt=0)] = 30.0
    min_body_rate: Annotated[int, _help("请求体最低速率（字节/秒）：时限按已收字节数延长", ge=1)] = 65536
    header_seconds: Annotated[float, _help("请求头须在此时限内收齐（秒），否则断开", gt=0)] = 10.0
    write_seconds: Annotated[float, _help("对方不读应答的最长等待（秒），之后断开", gt=0)] = 30.0
    keep_alive_seconds: Annotated[int, _help("空闲连接保持时间（秒）", ge=1)] = 60
    max_header_bytes: Annotated[int, _help("请求头上限（字节），超过答 431", ge=1024)] = 32768
    max_connections: Annotated[int, _help("每进程同时连接数上限，超过答 503", ge=1)] = 4096
    max_in_flight: Annotated[int, _help("每进程同时处理的请求数上限，超过答 503", ge=1)] = 1024
    max_in_flight_bytes: Annotated[
        int, _help("每进程同时在内存中的请求体总字节数上限，超过答 503", ge=1024)
    ] = 256 * _MIB
    thread_above_bytes: Annotated[int, _help("大于此字节数的请求体在工作线程中解密与校验", ge=0)] = 65536
    threads: Annotated[int, _help("处理大请求与写文档的工作线程数", ge=1, le=64)] = 4
    backlog: Annotated[int, _help("系统监听队列长度", ge=1)] = 2048
    hospital_rate: Annotated[float, _help("每家医院每秒请求数上限，超过答 429；0 = 不限", ge=0)] = 0.0
    peer_rate: Annotated[float, _help("每个来源地址每秒请求数上限，超过答 429；0 = 不限", ge=0)] = 0.0
    refusal_rate: Annotated[
        float, _help("每个来源地址每秒可保存的“打不开”请求数，超过答 429 且不保存；0 = 不限", ge=0)
    ] = 50.0
    retry_after_seconds: Annotated[int, _help("503/429 应答建议的重试等待（秒）", ge=1)] = 5
    trusted_proxies: Annotated[
        tuple[str, ...], _help("受信反向代理的地址：来自它们的连接以 X-Forwarded-For 的末项为来源")
    ] = ()
    stop_seconds: Annotated[int, _help("停止时等待已接收请求完成的最长时间（秒）", ge=1)] = 30
    tls_certificate: Annotated[str, _help("HTTPS 证书文件（PEM）；空 = 不用 TLS")] = ""
    tls_key: Annotated[str, _help("HTTPS 私钥文件（PEM）")] = ""


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """只读接口与监控（[api]）"""

    token_file: Annotated[str, _help("/api 访问令牌文件；空 = DATA/api.token，首次启动时生成（0600）")] = ""
    loopback_without_token: Annotated[
        bool, _help("本机（回环地址）访问 /api 不需令牌；前面有反向代理时不要打开")
    ] = False
    metrics_token: Annotated[bool, _help("/metrics 也要求令牌")] = False


class DicomSettings(msgspec.Struct, frozen=True, kw_only=True):
    """DICOM 接收（[dicom]）"""

    listen: Annotated[str, _help("AET@HOST:PORT；空 = 不接收 DICOM")] = "YINGQIAO@0.0.0.0:11112"
    check_called_aet: Annotated[bool, _help("只接受呼叫本机 AE 标题的关联")] = False
    max_associations: Annotated[int, _help("同时关联数上限", ge=1)] = 400
    max_pdu: Annotated[int, _help("最大 PDU（字节）", ge=4096, le=16 * _MIB)] = 256 * 1024
    async_window: Annotated[int, _help("异步操作窗口上限", ge=1)] = 64
    max_instance_bytes: Annotated[int, _help("单个实例的上限（字节）", ge=1024)] = 32 * 1024 * _MIB
    idle_seconds: Annotated[float, _help("两条消息之间的最长空闲（秒）", gt=0)] = 300.0
    pdu_seconds: Annotated[float, _help("收齐一个 PDU 的时限（秒）", gt=0)] = 60.0
    request_seconds: Annotated[float, _help("连接后发出关联请求的时限（秒）", gt=0)] = 30.0
    association_seconds: Annotated[float, _help("一个关联的最长时间（秒）", gt=0)] = 43200.0
    write_seconds: Annotated[float, _help("对方不读应答的最长等待（秒）", gt=0)] = 30.0
    min_rate: Annotated[int, _help("消息的最低速率（字节/秒）", ge=0)] = 1024
    commitment: Annotated[bool, _help("提供存储承诺（Storage Commitment）")] = True
    commitment_peers: Annotated[
        tuple[str, ...], _help("存储承诺请求方的地址 AET@主机:端口；已登记为 PACS 节点的不必写")
    ] = ()
    tls_certificate: Annotated[str, _help("TLS 证书文件（PEM）；空 = 不用 TLS")] = ""
    tls_key: Annotated[str, _help("TLS 私钥文件（PEM）")] = ""
    tls_clients: Annotated[str, _help("只接受由这些 CA 签发的客户端证书（PEM）；空 = 不要求")] = ""


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """交换规则（[exchange]）"""

    edition: Annotated[str, _help("所用标准版本，见 `yingqiao spec`")] = "shanxi/v2_1"
    keep_unknown: Annotated[
        bool, _help("也保存未登记机构的请求，登记后可重放（受 http.refusal_rate 和下面两项限制）")
    ] = True
    unknown_count: Annotated[int, _help("未登记机构的请求最多保存多少条；超过只应答，不保存", ge=0)] = 10_000
    unknown_bytes: Annotated[
        int, _help("未登记机构的请求最多保存多少字节（按收到时计）；超过只应答，不保存", ge=0)
    ] = 64 * _MIB


class CompletenessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """影像齐全（[completeness]）"""

    stable_seconds: Annotated[
        float, _help("这么久（秒）没有新影像到达才算稳定：之前显示“到达中”，之后才可能是“齐全”", ge=0)
    ] = 600.0

    @property
    def stable_ms(self) -> int:
        return int(self.stable_seconds * 1000)


class WorkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """后台工作（[work]）"""

    parallel: Annotated[int, _help("本进程同时进行的工作数", ge=1, le=256)] = 16
    per_hospital: Annotated[int, _help("每家医院同时进行的工作数上限（全部进程合计）", ge=1)] = 8
    passing_first_seconds: Annotated[float, _help("暂时故障后首次重试的最长等待（秒），逐次加倍", gt=0)] = 2.0
    passing_most_seconds: Annotated[float, _help("暂时故障重试等待的上限（秒）", gt=0)] = 600.0
    theirs_first_seconds: Annotated[float, _help("需对方处理的错误：首次重试的最长等待（秒）", gt=0)] = 60.0
    theirs_most_seconds: Annotated[float, _help("需对方处理的错误：重试等待的上限（秒）", gt=0)] = 21_600.0
    ours_first_seconds: Annotated[float, _help("本机问题：首次重试的最长等待（秒）", gt=0)] = 5.0
    ours_most_seconds: Annotated[float, _help("本机问题：重试等待的上限（秒）", gt=0)] = 300.0
    breaker_failures: Annotated[int, _help("一个目的地连续多少次暂时故障后熔断", ge=1)] = 5
    breaker_first_seconds: Annotated[
        float, _help("首次熔断的最长时间（秒），之后放一个去试，再失败则加倍", gt=0)
    ] = 30.0
    breaker_most_seconds: Annotated[float, _help("熔断时间的上限（秒）", gt=0)] = 1800.0
    poll_seconds: Annotated[float, _help("没有通知时多久查看一次账本（秒）", gt=0)] = 1.0
    lease_seconds: Annotated[
        float, _help("多机时：一个进程多久没有心跳就由别的进程接手（秒，PostgreSQL）", ge=2)
    ] = 20.0
    stop_seconds: Annotated[float, _help("停止时等待进行中的工作停下的最长时间（秒）", gt=0)] = 15.0
    keep_seconds: Annotated[float, _help("执行引擎保留已结束的尝试多久（秒）", gt=0)] = 3600.0
    done_days: Annotated[
        int, _help("账本保留已完成的工作多少天；0 = 一直保留；死信与已取消的从不删除", ge=0)
    ] = 90


class PullSettings(msgspec.Struct, frozen=True, kw_only=True):
    """从 PACS 调取影像（[pull]）"""

    first_look_seconds: Annotated[
        float, _help("调齐之后多久（秒）再查一次检查是否增加了影像；0 = 不查", ge=0)
    ] = 1800.0
    second_look_seconds: Annotated[float, _help("之后又多久（秒）再查一次；0 = 不查", ge=0)] = 86_400.0
    connect_seconds: Annotated[float, _help("连接 PACS 的时限（秒）", gt=0)] = 10.0
    association_seconds: Annotated[float, _help("PACS 应答关联请求的时限（秒）", gt=0)] = 30.0
    response_seconds: Annotated[float, _help("PACS 两次应答之间的最长静默（秒）", gt=0)] = 600.0
    operation_seconds: Annotated[float, _help("一次查询或调取的最长时间（秒）", gt=0)] = 43_200.0
    index_seconds: Annotated[float, _help("调取结束后等待索引跟上的最长时间（秒）", gt=0)] = 120.0


class ReconcileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """对账（[reconcile]）"""

    answer: Annotated[
        str,
        _help(
            '应答 data 的形式：array = 检查 id 数组；object = {"study_uids": […]}', pattern="^(array|object)$"
        ),
    ] = "array"
    close_hours: Annotated[float, _help("一天结束后多少小时（北京时间）自动结账；0 = 不自动结账", ge=0)] = (
        30.0
    )
    amend_days: Annotated[int, _help("结账后多少天内的变化记为补记", ge=0, le=3660)] = 31
    pull_missing: Annotated[bool, _help("医院已登记查询接口时，对账缺少的检查由网关自行查询并补收")] = True


class CossSettings(msgspec.Struct, frozen=True, kw_only=True):
    """电子签名服务（[coss]）"""

    public_url: Annotated[
        str,
        _help(
            "手机访问本网关的地址 http(s)://主机[:端口]，写入激活与签名二维码；空 = 用 signing.public_url，否则用调用方的",
            pattern=r"^(https?://[^/\s]+/?)?$",
        ),
    ] = ""
    max_body_bytes: Annotated[int, _help("coss 请求体上限（字节），超过答 413", ge=4096)] = 8 * _MIB
    app_rate: Annotated[
        float, _help("每个应用每秒可调用 coss 的次数，dsvs 另计，超过答 429；0 = 不限", ge=0)
    ] = 0.0
    stranger_rate: Annotated[
        float, _help("dsvs：没有签名的请求，每个来源地址每秒的次数，超过答 429；0 = 不限", ge=0)
    ] = 0.0
    dsvs_strangers: Annotated[
        bool, _help("dsvs 也答复没有登记的应用；已登记的应用总按它自己的 HMAC 要求")
    ] = True
    job_days: Annotated[
        int,
        _help(
            "签名任务结束多少天后清理：已签的只留签名、证书与杂凑值，未签的删除；0 = 一直保留",
            ge=0,
            le=36_500,
        ),
    ] = 0
    token_days: Annotated[
        int, _help("时间戳台账保留多少天，之前的按日汇总后删除；0 = 一直保留", ge=0, le=36_500)
    ] = 0
    tsa_name: Annotated[str, _help("首次启动时内置时间戳证书的名称前缀", min_length=1)] = "影桥"
    tsa_policy: Annotated[str, _help("时间戳策略 OID；有登记的 OID 时改为自己的", pattern=r"^[0-9.]+$")] = (
        "2.25.312749113957120943172953476184512935"
    )
    tsa_accuracy_ms: Annotated[int, _help("写入时间戳的精度（毫秒）；0 = 不写", ge=0, le=60_000)] = 1000
    clock_jump_seconds: Annotated[float, _help("系统时钟跳变超过此值（秒）就停发时间戳", gt=0)] = 1.0


class PhoneSettings(msgspec.Struct, frozen=True, kw_only=True):
    """手机签名服务（[phone]）"""

    name: Annotated[str, _help("手机上显示的服务名称", min_length=1, max_length=64)] = "影桥协同签名"
    download_by_mobile: Annotated[
        bool, _help("手机号下证：凭短信验证码下载证书；没有接入短信时验证码只显示在服务的标准输出")
    ] = False
    handwritten_seal: Annotated[bool, _help("手机上可提交手写签章")] = True
    seal_review: Annotated[bool, _help("手写签章经审核后才生效；否则立即生效")] = True
    auto_sign_max_minutes: Annotated[
        int, _help("自动签名的最长期限（分钟），默认 30 天；0 = 不开放", ge=0, le=527_040)
    ] = 43_200
    auto_sign_by: Annotated[
        str,
        _help(
            "自动签名由谁开启：doctor 医师在手机上（服务版本 2.1）；office 管理员逐个开启，医师在手机上设 1–24 小时的截止时间"
            "（服务版本 2.0）",
            pattern=r"^(doctor|office)$",
        ),
    ] = "doctor"
    peer_rate: Annotated[float, _help("每个来源地址每秒可下证、登录、取验证码的次数上限；0 = 不限", ge=0)] = (
        5.0
    )


class SigningSettings(msgspec.Struct, frozen=True, kw_only=True):
    """证书办理（[signing]）：内置 CA、自助服务与管理网页"""

    public_url: Annotated[
        str,
        _help(
            "手机与验签方访问本网关的地址 http(s)://主机[:端口]，写入证书的吊销列表地址；空 = 用 coss.public_url",
            pattern=r"^(https?://[^/\s]+/?)?$",
        ),
    ] = ""
    certificate_months: Annotated[int, _help("医师证书的有效期（月）", ge=1, le=60)] = 12
    province: Annotated[str, _help("证书主体中的省份", min_length=1, max_length=64)] = "山西省"
    crl_hours: Annotated[
        float, _help("吊销列表至少每隔多少小时发布一次（吊销时另外立即发布）", gt=0, le=120)
    ] = 24.0
    logins_per_minute: Annotated[
        float, _help("每个地址每分钟可尝试登录的次数，超过答 429；0 = 不限", ge=0)
    ] = 20.0


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """密码设备（[device]）：在本机之外使用私钥"""

    command: Annotated[
        str, _help("与密码设备对话的程序，见 docs/reference/key-device.md；空 = 私钥由本机封存和使用")
    ] = ""
    purposes: Annotated[
        tuple[str, ...],
        _help("哪些新密钥在设备中生成：ca、tsa、seal-maker、automatic、shared；已有的密钥仍在原处"),
    ] = ("ca", "tsa", "seal-maker")
    seconds: Annotated[float, _help("一次操作的时限（秒），超过视为设备不可用", gt=0, le=60)] = 5.0
    processes: Annotated[int, _help("每个进程同时运行几个对话程序", ge=1, le=16)] = 1


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """日志（[log]）：JSON，写到标准错误，不含患者信息"""

    level: Annotated[str, _help("debug | info | warning | error", pattern="^(debug|info|warning|error)$")] = (
        "info"
    )
    requests: Annotated[bool, _help("每个请求记一行")] = True


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """总项"""

    data: Annotated[str, _help("数据目录 DATA（必填）；布局见 docs/reference/data-folder.md")] = ""
    database: Annotated[str, _help("数据库 URL；空 = DATA 下的 SQLite", secret=True)] = ""
    store: Annotated[str, _help("on | off；off 只供基准测试：不落库也不落盘", pattern="^(on|off)$")] = "on"
    reserve_bytes: Annotated[int, _help("磁盘剩余空间低于此值（字节）时停止接收", ge=0)] = 1024 * _MIB
    master_key: Annotated[
        str, _help("主密钥，64 位十六进制（只宜用环境变量）；多把以逗号分隔，第一把封存", secret=True)
    ] = ""
    master_key_file: Annotated[
        str, _help("主密钥文件（每行一把 64 位十六进制，第一把封存）；空 = DATA/master.key")
    ] = ""
    master_key_command: Annotated[
        str, _help("输出主密钥的命令（如从密钥管理系统读取；每行一把，第一把封存），优先于文件")
    ] = ""
    http: HttpSettings = HttpSettings()
    api: ApiSettings = ApiSettings()
    dicom: DicomSettings = DicomSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    completeness: CompletenessSettings = CompletenessSettings()
    work: WorkSettings = WorkSettings()
    pull: PullSettings = PullSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    coss: CossSettings = CossSettings()
    phone: PhoneSettings = PhoneSettings()
    signing: SigningSettings = SigningSettings()
    device: DeviceSettings = DeviceSettings()
    log: LogSettings = LogSettings()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as documented: where it stands, what it is by default, what it means."""

    key: str
    env: str
    type: str
    default: Any
    help: str
    secret: bool


def read_settings(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of this process. `flags` maps dotted keys to values; None values are left out.

    Raises SettingsError: unknown key (with the nearest known one), unreadable file, wrong type, out of range.
    """
    flat: dict[str, Any] = {}
    if config is not None:
        flat |= dict(_flatten(_read_toml(config), str(config)))
    flat |= dict(_from_environ(environ or {}))
    flat |= {key: value for key, value in (flags or {}).items() if value is not None}
    try:
        return msgspec.convert(_nest(flat), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_in_words(error)) from error


def describe() -> tuple[Setting, ...]:
    """Every setting, in the order of the structs."""
    return tuple(_describe(Settings, ""))


def show(settings: Settings) -> dict[str, Any]:
    """Dotted key -> value as in force; secrets are masked."""
    return {
        s.key: MASK if s.secret and value_of(settings, s.key) else value_of(settings, s.key)
        for s in describe()
    }


def value_of(settings: Settings, key: str) -> Any:
    """The value of the dotted key. Raises AttributeError when there is none."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"读不了配置文件 {path}：{error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"配置文件 {path} 不是合法的 TOML：{error}") from error


def _flatten(tree: Mapping[str, Any], origin: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    known = {s.key for s in describe()}
    for name, value in tree.items():
        key = prefix + name
        if isinstance(value, dict):
            yield from _flatten(value, origin, key + ".")
        elif key in known:
            yield key, value
        else:
            raise SettingsError(f"{origin}：没有设置项 {key}{_suggest(key, known)}")


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The environment is shared: a YINGQIAO_ name is refused only when it looks like one of ours misspelt."""
    by_env = {s.env: s for s in describe()}
    sections = tuple(f"{_ENV}{s.key.partition('.')[0].upper()}_" for s in describe() if "." in s.key)
    for name, value in environ.items():
        if name in by_env:
            setting = by_env[name]
            yield setting.key, _items(value) if setting.type.startswith("list") else value
        elif name.startswith(sections) or difflib.get_close_matches(name, by_env, n=1, cutoff=0.9):
            raise SettingsError(f"没有环境变量 {name}{_suggest(name, set(by_env))}")


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _suggest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"，是否想写 {near[0]}？" if near else ""


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *sections, name = key.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    return tree


def _in_words(error: msgspec.ValidationError) -> str:
    problem, _, place = str(error).partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    limit = re.search(r"([<>]=? ?[\d.]+)", problem)
    return f"设置项 {key} 的值不对：{'应 ' + limit[1] if limit else problem}"


_TYPE_NAMES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    tuple[str, ...]: "list of string",
}


def _describe(struct: type[msgspec.Struct], prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        key = prefix + field.name
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _describe(hint, key + ".")
            continue
        kind, meta = get_args(hint)
        env = _ENV + key.replace(".", "_").upper()
        secret = bool(meta.extra and meta.extra["secret"])
        yield Setting(key, env, _TYPE_NAMES[kind], field.default, meta.description or "", secret)
