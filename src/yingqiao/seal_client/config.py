"""seal-client.toml: all a desk's seal client is told, typed. docs/reference/seal-client.md lists every key."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from yingqiao.client.sef import SealVerifier
from yingqiao.client.stamping import StampService, address_of
from yingqiao.exchange.fetch import AllowedHost, FetchError, HostOptions, parse_address
from yingqiao.seal_client.errors import ConfigError
from yingqiao.seal_client.guards import read_origin
from yingqiao.signing.seals.pdf.limits import Limits

_MIB = 1 << 20
_INSIDE = "/x"
"""Makes a folder's address one of a file, which is what can be parsed."""
PORT = 21051
"""The standard's (四(二)4(6))."""


def _help(text: str, **limits: Any) -> Meta:
    return Meta(description=text, **limits)


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Client(_Section, frozen=True, kw_only=True):
    """签章客户端（[client]）"""

    origins: Annotated[
        tuple[str, ...],
        _help(
            "可以嵌入或打开签章页面的 PACS 网页来源 http(s)://主机[:端口]；桌面程序写 file: 或 app://名称（必填）"
        ),
    ]
    port: Annotated[int, _help("端口；规范规定 21051。0 = 任选（只供测试）", ge=0, le=65535)] = PORT
    wallets: Annotated[str, _help("印章钱包所在目录；相对路径从配置文件所在目录算起")] = "wallets"
    state: Annotated[str, _help("本程序记录 PIN 试错与用章流水的目录")] = "state"
    sessions: Annotated[int, _help("同时打开的文件数上限，超过时关闭最久未用的", ge=1, le=256)] = 16
    idle_minutes: Annotated[float, _help("打开的文件多久没有操作就从内存中丢弃（分钟）", gt=0)] = 60.0


class Open(_Section, frozen=True, kw_only=True):
    """打开文件（[open]）"""

    hosts: Annotated[
        tuple[str, ...],
        _help(
            "saveType=net：fileUrl 可以指向哪里，http(s)://主机[:端口][/目录]，转向也只限于此；空 = 不取网络文件"
        ),
    ] = ()
    folders: Annotated[
        tuple[str, ...], _help("saveType=local：可以打开哪些目录下的 PDF；空 = 不开本地文件")
    ] = ()
    max_bytes: Annotated[int, _help("文件上限（字节）", ge=1024, le=1024 * _MIB)] = 100 * _MIB
    seconds: Annotated[float, _help("取回一个文件的时限（秒）", gt=0)] = 120.0
    ca: Annotated[str, _help("信任的 CA 证书文件（PEM），用于医院自建的 HTTPS；空 = 用系统的")] = ""


class Save(_Section, frozen=True, kw_only=True):
    """保存（[save]）"""

    hosts: Annotated[tuple[str, ...], _help("saveType=net：savePath 可以指向哪里；空 = 同 open.hosts")] = ()
    folders: Annotated[tuple[str, ...], _help("saveType=local：可以写入哪些目录；空 = 同 open.folders")] = ()
    method: Annotated[
        str, _help("上传方式：multipart = POST 表单 | put = PUT 文件本身", pattern="^(multipart|put)$")
    ] = "multipart"
    field: Annotated[str, _help("multipart 中文件一项的名称", min_length=1, max_length=64)] = "file"
    seconds: Annotated[float, _help("上传的时限（秒）", gt=0)] = 120.0


class Seal(_Section, frozen=True, kw_only=True):
    """盖章（[seal]）"""

    pin_tries: Annotated[int, _help("PIN 连续输错几次后锁定", ge=1, le=20)] = 5
    lock_minutes: Annotated[float, _help("首次锁定的时间（分钟），再错则逐次加倍，最长一天", gt=0)] = 15.0
    reason: Annotated[str, _help("写入 PDF 签名的签署原因；空 = 不写", max_length=128)] = ""
    seconds: Annotated[float, _help("解析与盖章一个文件的时限（秒）", gt=0)] = 120.0


class Stamp(_Section, frozen=True, kw_only=True):
    """时间戳（[stamp]）：向网关的 createAndGetTssInfo 要，盖在签章值上"""

    url: Annotated[str, _help("网关的地址 http(s)://主机[:端口]；空 = 不加时间戳")] = ""
    app: Annotated[str, _help("网关上登记的应用标识（`yingqiao apps add`）", max_length=128)] = ""
    secret_file: Annotated[
        str, _help("写有应用密钥的文件，只许使用者可读；相对路径从配置文件所在目录算起")
    ] = "stamp.secret"  # noqa: S105 a name of a file
    silent: Annotated[
        str,
        _help(
            "时间戳服务没有应答时：refuse = 不盖章 | seal = 盖章而没有时间戳，并告诉医生",
            pattern="^(refuse|seal)$",
        ),
    ] = "refuse"
    seconds: Annotated[float, _help("等候时间戳的时限（秒）", gt=0, le=120)] = 10.0


class Verify(_Section, frozen=True, kw_only=True):
    """已有签章的可信（[verify]）：把打开的文件交给网关的 SEF_VerifySeal 判断"""

    url: Annotated[str, _help("网关的地址 http(s)://主机[:端口]；空 = 不问，只判断签章是否完好")] = ""
    seconds: Annotated[float, _help("等候网关判断的时限（秒）", gt=0, le=300)] = 30.0


class KeyDevice(_Section, frozen=True, kw_only=True):
    """密码设备（[device]）：私钥在智能密码钥匙等设备里，由对话程序使用"""

    command: Annotated[str, _help("对话程序及其参数，见[密码设备](key-device.md)；空 = 没有设备")] = ""
    seals: Annotated[
        str, _help("设备中印章的公开部分所在目录：密钥名.esl 与 密钥名.cer；相对路径从配置文件所在目录算起")
    ] = "seals"
    seconds: Annotated[float, _help("设备应答的时限（秒）", gt=0, le=120)] = 10.0


class Log(_Section, frozen=True, kw_only=True):
    """日志（[log]）：JSON，写到标准错误，不含患者信息、地址与 PIN"""

    level: Annotated[str, _help("debug | info | warning | error", pattern="^(debug|info|warning|error)$")] = (
        "info"
    )


class Config(_Section, frozen=True, kw_only=True):
    """seal-client.toml"""

    client: Client
    open: Open = Open()
    save: Save = Save()
    seal: Seal = Seal()
    stamp: Stamp = Stamp()
    verify: Verify = Verify()
    device: KeyDevice = KeyDevice()
    log: Log = Log()


@dataclass(frozen=True, slots=True)
class Key:
    """One key as documented; `default` is msgspec.NODEFAULT when it must be given."""

    name: str
    default: Any
    help: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration as it is used: origins read, hosts and folders found."""

    config: Config
    origins: tuple[str, ...]
    wallets: Path
    state: Path
    open_hosts: tuple[AllowedHost, ...]
    save_hosts: tuple[AllowedHost, ...]
    open_folders: tuple[Path, ...]
    save_folders: tuple[Path, ...]
    stamp: StampService | None
    stamp_secret: Path
    verifier: SealVerifier | None
    device_seals: Path

    @property
    def limits(self) -> Limits:
        """Of PDF files."""
        return Limits(bytes=self.config.open.max_bytes)


def read_config(path: Path) -> Loaded:
    """Raises ConfigError naming file and key."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"读不了配置文件 {path}：{error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"配置文件 {path} 不是合法的 TOML：{error}") from error
    try:
        return load(msgspec.convert(tree, Config), path.resolve().parent)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}：{_in_words(str(error))}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}：{error}") from error


def load(config: Config, folder: Path) -> Loaded:
    """`folder`: where relative paths start. Raises ConfigError."""
    ca = _certificates(config.open.ca, folder)
    options = HostOptions(ca=ca)
    open_hosts = _hosts(config.open.hosts, "open.hosts", options)
    open_folders = _folders(config.open.folders, "open.folders")
    return Loaded(
        config,
        origins=_origins(config.client.origins),
        wallets=folder / config.client.wallets,
        state=folder / config.client.state,
        open_hosts=open_hosts,
        save_hosts=_hosts(config.save.hosts, "save.hosts", options) or open_hosts,
        open_folders=open_folders,
        save_folders=_folders(config.save.folders, "save.folders") or open_folders,
        stamp=_stamp(config.stamp, folder, ca),
        stamp_secret=folder / config.stamp.secret_file,
        verifier=_verifier(config.verify, ca),
        device_seals=folder / config.device.seals,
    )


def keys() -> Iterator[Key]:
    """Every key, in the order of the sections."""
    for section, struct in get_type_hints(Config).items():
        hints = get_type_hints(struct, include_extras=True)
        for field in msgspec.structs.fields(struct):
            meta = get_args(hints[field.name])[1]
            yield Key(f"{section}.{field.name}", field.default, meta.description)


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(read_origin(text) for text in texts))
    except ValueError as error:
        raise ConfigError(f"client.origins 的值不对：{error}") from error


def _hosts(texts: tuple[str, ...], key: str, options: HostOptions) -> tuple[AllowedHost, ...]:
    """Hosts of a hospital's own network may be inside: whoever writes this file knows which they are."""
    found = []
    for text in texts:
        try:
            address = parse_address(text.rstrip("/") + _INSIDE)
        except FetchError as error:
            raise ConfigError(f"{key} 的值 {text!r} 不对：{error.reason}") from error
        if address.scheme not in ("http", "https") or address.query or address.user is not None:
            raise ConfigError(f"{key} 的值 {text!r} 应为 http(s)://主机[:端口][/目录]")
        found.append(
            AllowedHost(
                *(address.scheme, address.host, address.port, address.path.removesuffix(_INSIDE) or "/"),
                private=True,
                options=options,
            )
        )
    return tuple(found)


def _folders(texts: tuple[str, ...], key: str) -> tuple[Path, ...]:
    for text in texts:
        if not Path(text).is_absolute() or Path(text) == Path(Path(text).anchor):
            raise ConfigError(f"{key} 的值 {text!r} 应为绝对路径，且不是整个磁盘")
    return tuple(Path(os.path.normpath(text)) for text in texts)


def _stamp(said: Stamp, folder: Path, ca: str) -> StampService | None:
    if not said.url:
        return None
    if not said.app:
        raise ConfigError("stamp.app：请写网关上登记的应用标识")
    try:
        secret = (folder / said.secret_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"stamp.secret_file：读不了 {said.secret_file}（应用密钥）") from error
    if not secret:
        raise ConfigError(f"stamp.secret_file：{said.secret_file} 是空的")
    return StampService(_url(said.url, "stamp.url"), said.app, secret.encode(), ca, said.seconds)


def _verifier(said: Verify, ca: str) -> SealVerifier | None:
    return SealVerifier(_url(said.url, "verify.url"), ca, said.seconds) if said.url else None


def _url(text: str, key: str) -> str:
    try:
        address_of(text, "/")
    except ValueError as error:
        raise ConfigError(f"{key} 的值 {error}") from error
    return text


def _certificates(name: str, folder: Path) -> str:
    if not name:
        return ""
    try:
        text = (folder / name).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"open.ca：读不了 {name}（PEM）") from error
    if "BEGIN CERTIFICATE" not in text:
        raise ConfigError(f"open.ca：{name} 里没有 PEM 证书")
    return text


def _in_words(problem: str) -> str:
    said, _, at = problem.partition(" - at `$")
    key = at.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `(.*)`", said):
        name = f"{key}.{unknown[1]}" if key else unknown[1]
        known: Mapping[str, Any] = dict.fromkeys([one.name for one in keys()] + [*get_type_hints(Config)])
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        return f"没有配置项 {name}" + (f"，是否想写 {near[0]}？" if near else "")
    if missing := re.search(r"missing required field `(.*)`", said):
        return f"缺少配置项 {key + '.' if key else ''}{missing[1]}"
    return f"配置项 {key} 的值不对：{said}" if key else said
