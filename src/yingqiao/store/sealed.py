"""Every column that holds something sealed under the master key, as data. Rotation walks this list and nothing else.

A new sealed column needs one line here: where it is, what its seals are bound to, and which module seals it.
`tests/unit/store/test_sealed.py` fails for a column, or a module that seals, which has none. No sealed file exists outside
the database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Row

from yingqiao.gm.issuing import Profile
from yingqiao.gm.key_share import share_context
from yingqiao.store import applications as apps
from yingqiao.store import fetch_hosts as hosts
from yingqiao.store import tokens
from yingqiao.store.schema import (
    applications,
    authorities,
    cases,
    doctors,
    fetch_hosts,
    hospital_keys,
    personal_certificates,
    service_secrets,
    shared_keys,
    timestamp_authorities,
    unit_certificates,
)
from yingqiao.store.signing import authority as ca
from yingqiao.store.signing import cases as forms
from yingqiao.store.signing import doctors as people
from yingqiao.store.signing import personal
from yingqiao.store.signing import unit_certificates as units
from yingqiao.store.signing.shared_keys import user_of

Context = Callable[[Row[Any]], bytes | str]


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """`context` makes of a row, with the primary key and `needs`, what its seal is bound to; `words` for people."""

    column: Column[Any]
    words: str
    module: str
    """The module under `yingqiao` that seals what stands here."""
    context: Context
    needs: tuple[Column[Any], ...] = ()

    @property
    def place(self) -> str:
        return f"{self.column.table.name}.{self.column.name}"

    @property
    def id(self) -> Column[Any]:
        """The primary key: one column."""
        (only,) = self.column.table.primary_key.columns
        return only


def _always(text: str) -> Context:
    return lambda _: text


def _personal_certificate(row: Row[Any]) -> str:
    return ca.AUTOMATIC_KEY if row.profile == str(Profile.AUTOMATIC) else ca.ENCRYPTION_KEY


SEALED: tuple[SealedColumn, ...] = (
    SealedColumn(
        hospital_keys.c.sealed,
        "医院密钥",
        "store.hospitals",
        lambda row: str(row.hospital_code),
        (hospital_keys.c.hospital_code,),
    ),
    SealedColumn(
        fetch_hosts.c.sealed,
        "取影像的账号",
        "store.fetch_hosts",
        lambda row: hosts.SEAL_CONTEXT + row.hospital_code,
        (fetch_hosts.c.hospital_code,),
    ),
    SealedColumn(
        applications.c.sealed,
        "应用密钥",
        "store.applications",
        lambda row: apps.SEAL_CONTEXT + row.app_id,
    ),
    SealedColumn(
        applications.c.old_sealed,
        "应用的旧密钥",
        "store.applications",
        lambda row: apps.SEAL_CONTEXT + row.app_id,
    ),
    SealedColumn(
        timestamp_authorities.c.sealed_key, "时间戳私钥", "store.tokens", _always(tokens.SEAL_CONTEXT)
    ),
    SealedColumn(
        timestamp_authorities.c.sealed_root_key, "时间戳根私钥", "store.tokens", _always(tokens.SEAL_CONTEXT)
    ),
    SealedColumn(
        service_secrets.c.sealed,
        "服务自身的密钥",
        "store.signing.personal",
        lambda row: personal.OWN_CONTEXT + row.name,
    ),
    SealedColumn(doctors.c.sealed, "医师的个人信息", "store.signing.doctors", _always(people.SEAL_CONTEXT)),
    SealedColumn(cases.c.sealed, "申请表", "store.signing.cases", _always(forms.SEAL_CONTEXT)),
    SealedColumn(authorities.c.sealed, "CA 私钥", "store.signing.authority", _always(ca.CA_KEY)),
    SealedColumn(
        personal_certificates.c.sealed,
        "加密证书与自动签名的私钥",
        "store.signing.authority",
        _personal_certificate,
        (personal_certificates.c.profile,),
    ),
    SealedColumn(
        unit_certificates.c.sealed,
        "印章与制章者的私钥",
        "store.signing.unit_certificates",
        _always(units.SEAL_CONTEXT),
    ),
    SealedColumn(
        shared_keys.c.sealed,
        "协同签名的服务器分量",
        "store.signing.shared_keys",
        lambda row: share_context(row.id, user_of(row.doctor_id), bytes(row.public)),
        (shared_keys.c.doctor_id, shared_keys.c.public),
    ),
)
