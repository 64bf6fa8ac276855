"""hospital.toml: the whole configuration of a connector, typed. docs/reference/hospital-toml.md lists every key."""

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

from yingqiao.exchange.windows import WindowError, parse_windows
from yingqiao.hospital.errors import ConfigError

_MIB = 1 << 20


def _help(text: str, **limits: Any) -> Meta:
    return Meta(description=text, **limits)


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Hospital(_Section, frozen=True, kw_only=True):
    """本院（[hospital]）"""

    code: Annotated[str, _help("统一社会信用代码（必填）", min_length=1, max_length=64)]
    name: Annotated[str, _help("名称，只用于显示")] = ""


class Gateway(_Section, frozen=True, kw_only=True):
    """前置机网关（[gateway]）"""

    url: Annotated[str, _help("网关地址，如 http://10.1.1.1:8080（必填）", pattern="^https?://")]
    key: Annotated[str, _help("SM4 密钥所在：env:变量名 或 file:文件（必填）")]
    parallel: Annotated[int, _help("同时发送的请求数", ge=1, le=128)] = 8
    backfill_parallel: Annotated[int, _help("其中补传最多占用几个", ge=1, le=128)] = 4
    timeout_seconds: Annotated[float, _help("连接、发送、等待应答各自的时限（秒）", gt=0)] = 30.0
    rest_seconds: Annotated[float, _help("网关连续失败后第一次暂停多久（秒），以后加倍", gt=0)] = 10.0
    rest_at_most_seconds: Annotated[float, _help("暂停的上限（秒）", gt=0)] = 300.0


class Spool(_Section, frozen=True, kw_only=True):
    """本地暂存（[spool]）"""

    folder: Annotated[str, _help("暂存目录（必填）；相对路径从配置文件所在目录算起")]
    max_bytes: Annotated[int, _help("暂存可占用的字节数；到达后不再读取来源、不再收影像", ge=_MIB)] = (
        20 * 1024 * _MIB
    )
    warn_ratio: Annotated[float, _help("占用达到此比例时告警", gt=0, le=1)] = 0.8
    reserve_bytes: Annotated[int, _help("磁盘剩余空间低于此值（字节）时同样停止", ge=0)] = 1024 * _MIB
    keep_days: Annotated[int, _help("已送达记录的内容保留多少天，供查询与重传；之后只留摘要", ge=1)] = 120


class Reading(_Section, frozen=True, kw_only=True):
    """读取来源（[reading]）"""

    poll_seconds: Annotated[float, _help("没有新记录时隔多久再读（秒）", gt=0)] = 5.0
    batch: Annotated[int, _help("一次最多读多少条", ge=1, le=10_000)] = 500
    first_days: Annotated[
        int, _help("第一次从头读来源时，早于多少天的记录不发送（要发送时另行补传）", ge=1)
    ] = 100


class Backfill(_Section, frozen=True, kw_only=True):
    """补传历史（[backfill]）；首次接入须上传最近三个月（四(一)）"""

    auto: Annotated[bool, _help("首次启动时自动安排补传")] = True
    months: Annotated[int, _help("自动补传最近几个月", ge=1, le=120)] = 3
    records_per_second: Annotated[float, _help("读取的最高速度（条/秒）；0 = 不限", ge=0)] = 0.0
    windows: Annotated[str, _help("允许补传的时段，如 工作日 20:00-07:00,周末；空 = 全天")] = ""
    queue: Annotated[int, _help("待发的补传记录达到此数时暂停读取", ge=1)] = 5_000


class Images(_Section, frozen=True, kw_only=True):
    """影像（[images]）"""

    mode: Annotated[
        str,
        _help(
            "none = 不经本程序 | forward = 接收 C-STORE 并转发 | folder = 列出目录中的文件 "
            "| pacs = 列出 PACS（[pacs]）中的影像",
            pattern="^(none|forward|folder|pacs)$",
        ),
    ] = "none"
    aet: Annotated[str, _help("forward：本程序的 AE 标题", min_length=1, max_length=16)] = "YQHOSPITAL"
    host: Annotated[str, _help("forward：监听地址")] = "0.0.0.0"  # noqa: S104 the PACS is another machine
    port: Annotated[int, _help("forward：监听端口；0 = 任选", ge=0, le=65535)] = 11113
    allow: Annotated[tuple[str, ...], _help("forward：可发送影像的 AE 标题；空 = 任何")] = ()
    gateway_aet: Annotated[str, _help("forward：网关的 AE 标题", max_length=16)] = "YINGQIAO"
    gateway_host: Annotated[str, _help("forward：网关的 DICOM 地址；空 = gateway.url 的主机")] = ""
    gateway_port: Annotated[int, _help("forward：网关的 DICOM 端口", ge=1, le=65535)] = 11112
    parallel: Annotated[int, _help("forward：同时转发的关联数", ge=1, le=32)] = 2
    keep_bytes: Annotated[int, _help("forward：已转发的影像保留多少字节，供重传；0 = 不保留", ge=0)] = (
        2048 * _MIB
    )
    folder: Annotated[str, _help("folder：影像文件所在目录")] = ""
    base_url: Annotated[str, _help("folder：同一目录对网关的地址，如 http://pacs/files")] = ""
    address: Annotated[
        str, _help("pacs：一幅影像的下载地址，{study}、{series}、{instance} 处代入 UID（如 WADO-URI）")
    ] = ""
    days: Annotated[int, _help("pacs：每次查询最近几天的影像；更早的，有检查的日子各查一次", ge=1, le=31)] = 3
    scan_seconds: Annotated[float, _help("folder、pacs：隔多久看一次（秒）", gt=0)] = 60.0
    settle_seconds: Annotated[float, _help("folder、pacs：多久未变才算写完、收完（秒）", ge=0)] = 120.0


class Pacs(_Section, frozen=True, kw_only=True):
    """PACS 的查询服务（[pacs]），供 /series/get"""

    host: Annotated[str, _help("地址；空 = 没有")] = ""
    port: Annotated[int, _help("端口", ge=1, le=65535)] = 104
    called_aet: Annotated[str, _help("PACS 的 AE 标题", max_length=16)] = ""
    calling_aet: Annotated[str, _help("本程序的 AE 标题", max_length=16)] = "YQHOSPITAL"
    charset: Annotated[str, _help("查询用的字符集；空 = GB18030")] = ""


class Serve(_Section, frozen=True, kw_only=True):
    """供网关查询的接口（[serve]）：/exam/get、/report/get、/series/get（四(二)3）"""

    port: Annotated[int, _help("端口；0 = 不开放", ge=0, le=65535)] = 0
    host: Annotated[str, _help("监听地址")] = "0.0.0.0"  # noqa: S104 the gateway is another machine
    encryption: Annotated[
        str, _help("与网关约定的加密方式（T100）：sm4 | plain | either", pattern="^(sm4|plain|either)$")
    ] = "sm4"
    seal_content: Annotated[bool, _help("应答的 content 也用 SM4 加密（规范的应答是明文，须与网关约定）")] = (
        False
    )
    page_size_at_most: Annotated[int, _help("pageSize 的上限", ge=1, le=10_000)] = 1_000
    window_seconds: Annotated[float, _help("时间戳可与本机时间相差多少（秒）", ge=1)] = 600.0


class Reconcile(_Section, frozen=True, kw_only=True):
    """每日对账（[reconcile]），四(二)5"""

    enabled: Annotated[bool, _help("每天自动对账")] = True
    at: Annotated[str, _help("几点（北京时间）对前一天的账", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "02:00"
    url: Annotated[str, _help("对账接口所在地址；空 = gateway.url（T153）")] = ""
    send_hospital_code: Annotated[bool, _help("请求外层另带 hospitalCode（T150）")] = False
    margin_days: Annotated[int, _help("向来源询问时前后各多问几天，以免漏掉跨日完成的检查", ge=0, le=31)] = 1
    catch_up_days: Annotated[int, _help("停机后最多补对几天的账", ge=1, le=31)] = 7
    again_hours: Annotated[
        float,
        _help("已对过账的日子（catch_up_days 之内）隔多久再核一次（小时），数目变了或上次有缺就再报送", gt=0),
    ] = 6.0


class Log(_Section, frozen=True, kw_only=True):
    """日志（[log]）：JSON，写到标准错误，不含患者信息"""

    level: Annotated[str, _help("debug | info | warning | error", pattern="^(debug|info|warning|error)$")] = (
        "info"
    )


class Config(_Section, frozen=True, kw_only=True):
    """hospital.toml；`[[source]]` 各表见映射的说明"""

    hospital: Hospital
    gateway: Gateway
    spool: Spool
    reading: Reading = Reading()
    backfill: Backfill = Backfill()
    images: Images = Images()
    pacs: Pacs = Pacs()
    serve: Serve = Serve()
    reconcile: Reconcile = Reconcile()
    log: Log = Log()
    source: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One key as documented; `default` is msgspec.NODEFAULT when it must be given."""

    name: str
    default: Any
    help: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, and the folder its relative paths start from."""

    config: Config
    folder: Path

    @property
    def spool_folder(self) -> Path:
        return self.folder / self.config.spool.folder


def read_config(path: Path) -> Loaded:
    """Raises ConfigError naming file and key."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"读不了配置文件 {path}：{error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"配置文件 {path} 不是合法的 TOML：{error}") from error
    try:
        config = msgspec.convert(tree, Config)
        _check(config)
    except (msgspec.ValidationError, ConfigError) as error:
        raise ConfigError(f"{path}：{_in_words(str(error))}") from error
    return Loaded(config, path.resolve().parent)


def _check(config: Config) -> None:
    """What no single key says. Raises ConfigError."""
    try:
        parse_windows(config.backfill.windows)
    except WindowError as error:
        raise ConfigError(f"backfill.windows 的值不对：{error}") from error
    if config.images.mode == "folder":
        for name in ("folder", "base_url"):
            if not getattr(config.images, name):
                raise ConfigError(f"images.mode = folder 时必须写 images.{name}")
    if config.images.mode == "pacs":
        if not config.pacs.host:
            raise ConfigError("images.mode = pacs 时必须写 pacs.host")
        if "://" not in config.images.address or "{instance}" not in config.images.address:
            raise ConfigError(
                "images.mode = pacs 时必须写 images.address，如 http://pacs/wado?…&objectUID={instance}"
            )
    if config.pacs.host and not config.pacs.called_aet:
        raise ConfigError("写了 pacs.host 就必须写 pacs.called_aet")


def _in_words(problem: str) -> str:
    said, _, place = problem.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `(.*)`", said):
        name = f"{key}.{unknown[1]}" if key else unknown[1]
        known = [one.name for one in keys()] + [*_sections()]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        return f"没有配置项 {name}" + (f"，是否想写 {near[0]}？" if near else "")
    if missing := re.search(r"missing required field `(.*)`", said):
        return f"缺少配置项 {key + '.' if key else ''}{missing[1]}"
    return f"配置项 {key} 的值不对：{said}" if key else said


def _sections() -> Mapping[str, Any]:
    return {name: hint for name, hint in get_type_hints(Config).items() if name != "source"}


def keys() -> Iterator[Key]:
    """Every key beside those of `[[source]]`, in the order of the sections."""
    for section, struct in _sections().items():
        hints = get_type_hints(struct, include_extras=True)
        for field in msgspec.structs.fields(struct):
            meta = get_args(hints[field.name])[1]
            yield Key(f"{section}.{field.name}", field.default, meta.description)
