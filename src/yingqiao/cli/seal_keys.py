"""What a seal is put with at a command line: a seal of the registry, a wallet, or files; and whose time stamps."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from yingqiao.app.signing_office import open_office
from yingqiao.app.stamping import own_stamps
from yingqiao.cli.journal import who
from yingqiao.cli.options import stores
from yingqiao.cli.output import Exit, fail
from yingqiao.client.seal_wallet import WalletFile
from yingqiao.client.stamping import PATH, StampService, address_of
from yingqiao.gm import armor, pkcs8, sm2, sm3
from yingqiao.settings import Settings
from yingqiao.signing.seals.sealing import Sealer
from yingqiao.signing.seals.stamps import Stamp

OWN = "own"
APP, SECRET, CA = "YINGQIAO_STAMP_APP", "YINGQIAO_STAMP_SECRET", "YINGQIAO_STAMP_CA"


@dataclass(frozen=True, slots=True)
class Keys:
    """What was said of the key; one of the three."""

    seal: str | None
    matter: str
    wallet: Path | None
    esl: Path | None
    certificate: Path | None
    key: Path | None


@contextmanager
def opened(keys: Keys, stamp: str | None, settings: Settings, data: bytes) -> Iterator[Sealer]:
    """`stamp`: `own`, an address, '' for none, None: own ones of a registered seal where there are any.

    Raises GmError, SigningRefused.
    """
    if keys.seal is not None:
        with _registered(settings, keys.seal, keys.matter, stamp, data) as sealer:
            yield sealer
    elif stamp == OWN:
        with stores(settings) as found:
            yield _given(keys, own_stamps(found, settings.coss) or _no_authority())
    else:
        yield _given(keys, _elsewhere(stamp) if stamp else None)


@contextmanager
def _registered(
    settings: Settings, seal: str, matter: str, stamp: str | None, data: bytes
) -> Iterator[Sealer]:
    """By the registry: journaled before and after."""
    with stores(settings) as found:
        if stamp is None or stamp == OWN:
            stamps: Stamp | None = own_stamps(found, settings.coss)
            if stamps is None and stamp == OWN:
                _no_authority()
        else:
            stamps = _elsewhere(stamp) if stamp else None
        registry = open_office(settings, found).seals
        with registry.use(seal, who(), sm3.digest(data), matter, "cli") as used:
            yield Sealer(used.esl, used.certificate, used.sign, stamp=stamps)


def _given(keys: Keys, stamp: Stamp | None) -> Sealer:
    return _from_wallet(keys.wallet, stamp) if keys.wallet is not None else _from_files(keys, stamp)


def _from_wallet(file: Path, stamp: Stamp | None) -> Sealer:
    """Every PIN tried is counted in the file."""
    held = WalletFile(file)
    shown = held.look()
    try:
        private = held.open(_pin("印章 PIN"))
    except OSError as error:
        fail(f"写不了 {file}：{error.strerror}", Exit.USE)
    return Sealer(shown.esl, shown.certificate, lambda message: sm2.sign(private, message), stamp=stamp)


def _from_files(keys: Keys, stamp: Stamp | None) -> Sealer:
    if keys.esl is None or keys.certificate is None or keys.key is None:
        fail("请给出 --seal，或 --wallet，或 --esl、--certificate 与 --key", Exit.USE)
    private = _private(keys.key)
    holder = armor.unwrap_one(keys.certificate.read_bytes())
    esl = armor.unwrap_one(keys.esl.read_bytes())
    return Sealer(esl, holder, lambda message: sm2.sign(private, message), stamp=stamp)


def _no_authority() -> Stamp:
    fail("数据目录中没有时间戳证书，请先用 yingqiao tsa init 或 tsa import")


def _elsewhere(url: str) -> Stamp:
    """A gateway's, by an application's secret: never an argument, those show in the list of processes."""
    app_id, secret, ca = (os.environ.get(name, "") for name in (APP, SECRET, CA))
    if not app_id or not secret:
        fail(f"--stamp 为地址时，请用环境变量 {APP} 与 {SECRET} 给出应用标识与密钥", Exit.USE)
    try:
        address_of(url, PATH)
        pem = Path(ca).read_text("ascii") if ca else ""
    except ValueError as error:
        fail(f"--stamp：{error}", Exit.USE)
    except OSError as error:
        fail(f"{CA}：读不了 {ca}：{error.strerror}", Exit.USE)
    return StampService(url, app_id, secret.encode(), pem)


def _private(file: Path) -> sm2.PrivateKey:
    """Raises GmError."""
    raw = armor.unwrap_one(file.read_bytes())
    if pkcs8.is_encrypted(raw):
        raw = pkcs8.decrypt(raw, _pin().encode())
    return sm2.PrivateKey.from_pkcs8(raw)


def _pin(what: str = "私钥口令") -> str:
    """Never an argument: those show in the list of processes."""
    if "YINGQIAO_PIN" in os.environ:
        return os.environ["YINGQIAO_PIN"]
    if not sys.stdin.isatty():
        fail(f"需要{what}：请设环境变量 YINGQIAO_PIN", Exit.USE)
    return str(click.prompt(what, hide_input=True))
