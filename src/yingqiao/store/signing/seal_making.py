"""A seal made from two approved applications: annex 5 says for whom and how long, annex 6 what it looks like."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from yingqiao.gm import certificates, crl
from yingqiao.signing.certificates.authority import Subject
from yingqiao.signing.certificates.states import add_months
from yingqiao.signing.enrolment.case import CaseState
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds, moment
from yingqiao.signing.seals import making
from yingqiao.signing.seals.application import BUSINESSES, FIRST, LOST, REPLACEMENTS, STAMP, UNIT, months_of
from yingqiao.signing.seals.making import Holders, Kind
from yingqiao.signing.seals.states import Act, Change
from yingqiao.store.database import Database
from yingqiao.store.objects import Objects
from yingqiao.store.signing.cases import Cases, KeptCase
from yingqiao.store.signing.seals_registry import KeptSeal, SealRegistry, record_made
from yingqiao.store.signing.unit_certificates import UnitCertificates

_MOST_PICTURE = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Making:
    """What the maker decides. `name` empty: the unit's, with the kind. `certificates`: of keys elsewhere, DER; without
    any, a key and certificate are made here. `replaces`: the seal renewed by this.
    """

    unit_case: int
    stamp_case: int
    name: str = ""
    kind: Kind = Kind.OFFICIAL
    holders: Holders = Holders.CERTIFICATES
    certificates: Sequence[bytes] = field(default=(), repr=False)
    replaces: int | None = None


class SealMaking:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key; `make`
    DeviceError, when the maker's key or the CA's is in a device: then nothing was made.
    """

    def __init__(
        self,
        database: Database,
        registry: SealRegistry,
        units: UnitCertificates,
        cases: Cases,
        objects: Objects,
        months: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._registry = registry
        self._units = units
        self._cases = cases
        self._objects = objects
        self._months = months
        self._now_ms = now_ms

    def ready(self, hospital_code: str | None = None) -> list[KeptCase]:
        """Approved applications of annexes 5 and 6 from which a seal may be made, newest first."""
        used = {one.unit_case for one in self._registry.list(hospital_code)}
        found = []
        for form in (UNIT.id, STAMP.id):
            listed = self._cases.list(state=CaseState.APPROVED, hospital_code=hospital_code, form=form)
            found += [one for one in listed if one.id not in used and _makes_seal(one)]
        return found

    def make(self, wanted: Making, by: str) -> KeptSeal:
        """The seal, in force from now on; the one it renews ends. Who handed in an application does not make the seal."""
        unit, stamp = self._case(wanted.unit_case, UNIT.id), self._case(wanted.stamp_case, STAMP.id)
        _refuse_mismatch(unit, stamp, wanted, by)
        picture = self._picture(stamp.entries["result"])
        lost = unit.entries["business"] == LOST
        try:
            with self._database.write() as connection:
                number = self._made(connection, wanted, unit, stamp, picture, by)
                if wanted.replaces is not None:
                    self._renew(connection, wanted.replaces, unit, number, by, lost=lost)
        except IntegrityError as error:
            raise SigningRefused("case-used", "该申请已制作过印章，或原印章已更新") from error
        if lost and wanted.replaces is not None:
            self._publish_revoked(wanted.replaces)
        return self._registry.get(number)

    def _made(
        self,
        connection: Connection,
        wanted: Making,
        unit: KeptCase,
        stamp: KeptCase,
        picture: bytes,
        by: str,
    ) -> int:
        now, months = self._now(), months_of(unit.entries, self._months)
        maker = self._units.maker(connection)
        own = None
        if wanted.certificates:
            held = tuple(wanted.certificates)
            last = max(certificates.parse(one).not_after for one in held)
            end = min(add_months(now, months), last)
        else:
            named = Subject(unit.entries["unitName"], credit_code=unit.entries["creditCode"])
            own = self._units.issue(connection, unit.hospital_code, named, months)
            held, end = (own.certificate.raw,), own.certificate.not_after
        order = making.Order(
            es_id=making.new_es_id(now),
            name=_name(wanted, unit),
            kind=wanted.kind,
            picture=picture,
            width=int(stamp.entries["width"]),
            height=int(stamp.entries["height"]),
            holders=held,
            holders_as=wanted.holders,
            start=now,
            end=end.astimezone(UTC),
        )
        esl = making.make_seal(order, maker.authority, maker.certificate, now)
        row = _row(order, esl, unit, stamp) | {
            "maker_id": maker.id,
            "certificate_id": own.id if own is not None else None,
            "replaces": wanted.replaces,
            "made_by": by,
            "made_at": self._now_ms(),
        }
        return record_made(
            connection, row, Change(Act.MAKE, by, moment(self._now_ms()), f"申请 {unit.id}、{stamp.id}")
        )

    def _publish_revoked(self, seal_id: int) -> None:
        before = self._registry.get(seal_id).certificate_id
        if before is not None:
            with contextlib.suppress(
                SigningRefused
            ):  # told in the log; the seal is made, and the list follows
                self._units.publish_revoked(before)

    def _renew(
        self, connection: Connection, number: int, unit: KeptCase, by_seal: int, by: str, *, lost: bool
    ) -> None:
        """The seal before ends. Its certificate is revoked when it was lost: someone may have the key."""
        before = self._registry.find(connection, number)
        if before.hospital_code != unit.hospital_code:
            raise SigningRefused("no-seal", f"没有印章 {number}")
        self._registry.append(
            connection, before, Act.RENEW, by, f"{unit.entries['business']}，新印章 {by_seal}"
        )
        if lost and before.certificate_id is not None:
            self._units.revoke(connection, before.certificate_id, crl.Reason.KEY_COMPROMISE)

    def _case(self, number: int, form: str) -> KeptCase:
        case = self._cases.get(number)
        if case.form.id != form:
            raise SigningRefused("case-form", f"申请 {number} 是《{case.form.title}》，不是所需的表单")
        if case.case.state is not CaseState.APPROVED:
            raise SigningRefused("not-approved", f"申请 {number} {case.case.state.words}，须先通过审批")
        return case

    def _picture(self, digest: str) -> bytes:
        with contextlib.suppress(OSError, ValueError), self._objects.open(digest) as stream:
            return stream.read(_MOST_PICTURE)
        raise SigningRefused("no-picture", "采样表的印章图片不在对象存储中")

    def _now(self) -> datetime:
        return moment(self._now_ms()).replace(microsecond=0).astimezone(UTC)


def _makes_seal(case: KeptCase) -> bool:
    return case.form is STAMP or case.entries.get("business") in (FIRST, *REPLACEMENTS)


def _refuse_mismatch(unit: KeptCase, stamp: KeptCase, wanted: Making, by: str) -> None:
    business = unit.entries["business"]
    if by in (unit.case.submitted_by, stamp.case.submitted_by):
        raise SigningRefused("four-eyes", "提交人不能制作自己申请的印章，请由另一人制作")
    if unit.hospital_code != stamp.hospital_code or unit.entries["unitName"] != stamp.entries["unitName"]:
        raise SigningRefused("case-mismatch", "申请表与采样表的医疗机构或单位名称不同")
    if business not in (FIRST, *REPLACEMENTS):
        rest = "、".join(one for one in BUSINESSES if one not in (FIRST, *REPLACEMENTS))
        raise SigningRefused("business", f"业务类型“{business}”不制作印章（{rest}在印章上办理）")
    if (business in REPLACEMENTS) != (wanted.replaces is not None):
        words = "须指明被更新的印章" if business in REPLACEMENTS else "不能更新已有的印章"
        raise SigningRefused("business", f"业务类型“{business}”{words}")


def _name(wanted: Making, unit: KeptCase) -> str:
    name = wanted.name.strip()
    if len(name) > 100 or any(ord(character) < 32 for character in name) or name.isdigit():
        raise SigningRefused("seal-name", "印章名称至多 100 个字，不能只有数字")
    return name or unit.entries["unitName"] + ("" if wanted.kind is Kind.OFFICIAL else wanted.kind.words)


def _row(order: making.Order, esl: bytes, unit: KeptCase, stamp: KeptCase) -> dict[str, Any]:
    return {
        "es_id": order.es_id,
        "hospital_code": unit.hospital_code,
        "name": order.name,
        "kind": int(order.kind),
        "width": order.width,
        "height": order.height,
        "esl": esl,
        "holders": int(order.holders_as),
        "unit_case": unit.id,
        "stamp_case": stamp.id,
        "valid_from": milliseconds(order.start),
        "valid_to": milliseconds(order.end),
    }
