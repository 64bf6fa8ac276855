"""Electronic seals on the administration page: sampled, made, stopped, renewed, handed out; their uses (annexes 5 and 6)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from yingqiao.gm.crl import Reason
from yingqiao.sandbox import Line
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.making import Holders, Kind
from yingqiao.signing.seals.sampling import Ink, Wish, sample
from yingqiao.signing.seals.sampling.opening import MAX_BYTES
from yingqiao.signing.seals.states import Act
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.seal_making import Making
from yingqiao.store.signing.seal_uses import Use
from yingqiao.store.signing.seals_registry import KeptSeal
from yingqiao.store.signing.staff import Account, Role
from yingqiao.web.balance_files import NoFontError
from yingqiao.web.office.admin_cases import case_shown
from yingqiao.web.office.admin_people import REASONS
from yingqiao.web.office.bounded import bounded
from yingqiao.web.office.door import Asked, Door, TurnedAway, audit, audited, base64_of, need_staff
from yingqiao.web.office.files import csv_file, file_answer, xlsx_bytes
from yingqiao.web.office.seal_paper import seal_sheet
from yingqiao.web.office.seals_shown import (
    SEAL_COLUMNS,
    USE_COLUMNS,
    maker_shown,
    seal_shown,
    use_shown,
    whole_seal_shown,
)

_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PHOTO_MOST: Final = MAX_BYTES * 4 // 3 + 4096
_ACTS: Final = {
    Act.SUSPEND: (),
    Act.LOSE: (),
    Act.RESUME: (Role.APPROVER,),
    Act.REVOKE: (Role.APPROVER, Role.ADMIN),
}
"""Who may: everybody stops a seal, starting it again takes an approver."""


MAKERS: Final = "/web/api/admin/seal-makers"


def seal_routes(office: Office, door: Door, pictures: Line) -> list[BaseRoute]:
    desk, root = AdminSeals(office, pictures), "/web/api/admin/seals"
    return [
        door.post(f"{root}/sample", desk.sample, most=_PHOTO_MOST),
        door.get(root, desk.all),
        door.get(f"{root}.csv", desk.as_csv),
        door.get(f"{root}/ready", desk.ready),
        door.post(root, desk.make, most=1024 * 1024),
        door.get(f"{root}/{{id:int}}", desk.show),
        door.get(f"{root}/{{id:int}}/picture.png", desk.picture),
        door.get(f"{root}/{{id:int}}/seal.esl", desk.esl),
        door.get(f"{root}/{{id:int}}/form.pdf", desk.paper),
        door.get(f"{root}/{{id:int}}/uses", desk.uses),
        door.get(f"{root}/{{id:int}}/uses.csv", desk.uses_csv),
        door.get(f"{root}/{{id:int}}/uses.xlsx", desk.uses_xlsx),
        door.post(f"{root}/{{id:int}}/wallet", desk.wallet, tries=True),
        door.post(f"{root}/{{id:int}}/{{act}}", desk.change),
        door.get(MAKERS, desk.makers),
        door.post(f"{MAKERS}/{{id:int}}/revoke", desk.revoke_maker),
    ]


class AdminSeals:
    """Handlers of the door."""

    def __init__(self, office: Office, pictures: Line) -> None:
        self._office = office
        self._pictures = pictures

    def sample(self, asked: Asked) -> dict[str, Any]:
        """`{"picture", "width"?, "height"?, "dpi"?, "ink"?, "clearing"?}`: the seal's picture, to be looked at."""
        need_staff(self._office, asked, Role.OPERATOR)
        content = base64_of(asked.text("picture", _PHOTO_MOST))
        done = bounded(self._pictures, sample, content, _wish(asked))
        return {
            "png": b64encode(done.png).decode(),
            "before": b64encode(done.before).decode(),
            "width": done.width,
            "height": done.height,
            "pixels": done.pixels,
            "colour": done.colour,
            "notes": done.notes,
        }

    def all(self, asked: Asked) -> list[dict[str, Any]]:
        account, now = need_staff(self._office, asked), self._office.now_ms()
        return [seal_shown(one, now) for one in self._office.seals.list(account.hospital_code)]

    def as_csv(self, asked: Asked) -> Response:
        return csv_file(self.all(asked), SEAL_COLUMNS, "seals")

    def ready(self, asked: Asked) -> list[dict[str, Any]]:
        """Approved applications from which a seal may be made."""
        account = need_staff(self._office, asked)
        return [
            case_shown(one)
            | {"business": one.entries.get("business", ""), "unitName": one.entries.get("unitName", "")}
            for one in self._office.seal_making.ready(account.hospital_code)
        ]

    def make(self, asked: Asked) -> dict[str, Any]:
        """`{"unitCase", "stampCase", "name"?, "kind"?, "holders"?, "replaces"?, "certificates"?}`."""
        account = need_staff(self._office, asked, Role.APPROVER)
        wanted = _making(asked)
        for number in (wanted.unit_case, wanted.stamp_case):
            case = self._office.cases.get(number)
            if account.hospital_code not in (None, case.hospital_code):
                raise SigningRefused("no-case", f"没有申请 {number}")
        seal = self._office.seal_making.make(wanted, account.name)
        audit("seal.make", account.name, seal.id, seal.hospital_code)
        return seal_shown(seal, self._office.now_ms())

    def show(self, asked: Asked) -> dict[str, Any]:
        return whole_seal_shown(self._office, self._seal(need_staff(self._office, asked), asked))

    def picture(self, asked: Asked) -> Response:
        seal = self._seal(need_staff(self._office, asked), asked)
        headers = {"cache-control": "private, max-age=600", "x-content-type-options": "nosniff"}
        return Response(seal.picture, headers=headers, media_type="image/png")

    def esl(self, asked: Asked) -> Response:
        """The SESeal: public, without any key."""
        seal = self._seal(need_staff(self._office, asked), asked)
        return file_answer(seal.esl, "application/octet-stream", f"{seal.name}.esl")

    def paper(self, asked: Asked) -> Response:
        account = need_staff(self._office, asked)
        seal = self._seal(account, asked)
        try:
            content = bounded(self._pictures, seal_sheet, whole_seal_shown(self._office, seal), seal.picture)
        except NoFontError as error:
            raise TurnedAway(503, "no-font", str(error)) from error
        audit("seal.print", account.name, seal.id, seal.hospital_code)
        return file_answer(content, "application/pdf", f"电子印章登记表-{seal.id}.pdf")

    def uses(self, asked: Asked) -> list[dict[str, Any]]:
        return [use_shown(one) for one in self._uses(asked, 1000)]

    def uses_csv(self, asked: Asked) -> Response:
        return csv_file(map(use_shown, self._uses(asked, 100_000)), USE_COLUMNS, "seal-uses")

    def uses_xlsx(self, asked: Asked) -> Response:
        rows = [use_shown(one) for one in self._uses(asked, 100_000)]
        return file_answer(xlsx_bytes(rows, USE_COLUMNS, "印章使用记录"), _XLSX, "印章使用记录.xlsx")

    def wallet(self, asked: Asked) -> Response:
        """The seal with its key under a PIN, for the seal client."""
        account = need_staff(self._office, asked, Role.APPROVER)
        seal = self._seal(account, asked)
        content = self._office.seals.export(seal.id, asked.text("pin", 64), account.name)
        audit("seal.export", account.name, seal.id, seal.hospital_code)
        return file_answer(content, "application/json", f"{seal.name}.seal.json")

    def change(self, asked: Asked) -> dict[str, Any]:
        """suspend, lost, resume or revoke, with `reason`."""
        name = asked.path["act"]
        if name not in tuple(_ACTS):
            raise TurnedAway(404, "not-found", "没有这个操作")
        act = Act(name)
        account = need_staff(self._office, asked, *_ACTS[act])
        seal = self._seal(account, asked)
        with audited(f"seal.{act}", account.name, seal.id, seal.hospital_code):
            after = self._office.seals.change(seal.id, act, account.name, asked.text("reason", 1000))
        return seal_shown(after, self._office.now_ms())

    def makers(self, asked: Asked) -> list[dict[str, Any]]:
        """The gateway's own seal makers, newest first."""
        self._whole_gateway(asked)
        return [maker_shown(one) for one in self._office.units.makers()]

    def revoke_maker(self, asked: Asked) -> dict[str, Any]:
        """`reason`, a CRLReason: at once and for ever, as of any certificate of the CA."""
        account, reason = self._whole_gateway(asked), asked.body.get("reason")
        if not isinstance(reason, int) or reason not in tuple(REASONS):
            raise TurnedAway(400, "bad-request", "没有这个吊销原因")
        number = asked.path["id"] if asked.path["id"] < 2**31 else 0
        with audited("seal-maker.revoke", account.name, number, ""):
            return maker_shown(self._office.units.revoke_maker(number, Reason(reason)))

    def _whole_gateway(self, asked: Asked) -> Account:
        """Makers make the seals of all hospitals."""
        account = need_staff(self._office, asked, Role.ADMIN)
        if account.hospital_code is not None:
            raise TurnedAway(403, "role", "制章者证书由不限医院的管理员办理")
        return account

    def _uses(self, asked: Asked, limit: int) -> list[Use]:
        seal = self._seal(need_staff(self._office, asked), asked)
        return self._office.seals.uses.list(seal_id=seal.id, limit=limit)

    def _seal(self, account: Account, asked: Asked) -> KeptSeal:
        """Another hospital's is as if it were not there."""
        number = asked.path["id"] if asked.path["id"] < 2**31 else 0
        seal = self._office.seals.get(number)
        if account.hospital_code not in (None, seal.hospital_code):
            raise SigningRefused("no-seal", f"没有印章 {number}")
        return seal


def _wish(asked: Asked) -> Wish:
    ink = asked.body.get("ink", Ink.AUTO)
    if ink not in tuple(Ink):
        raise TurnedAway(400, "bad-request", "没有这种提取方式")
    clearing = _number(asked, "clearing", 100)
    return Wish(
        _number(asked, "width", 10_000),
        _number(asked, "height", 10_000),
        _number(asked, "dpi", 10_000),
        Ink(ink),
        50 if clearing is None else clearing,
    )


def _making(asked: Asked) -> Making:
    unit, stamp = _number(asked, "unitCase"), _number(asked, "stampCase")
    kind, holders = asked.body.get("kind", 1), asked.body.get("holders", 1)
    if unit is None or stamp is None or kind not in tuple(Kind) or holders not in tuple(Holders):
        raise TurnedAway(400, "bad-request", "缺少申请表或采样表，或没有这个种类")
    given = asked.body.get("certificates") or []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise TurnedAway(400, "bad-request", "certificates 应为 Base64 的证书列表")
    name = asked.text("name", 200) if "name" in asked.body else ""
    return Making(
        unit,
        stamp,
        name,
        Kind(kind),
        Holders(holders),
        tuple(base64_of(one) for one in given),
        _number(asked, "replaces"),
    )


def _number(asked: Asked, name: str, most: int = 2**31 - 1) -> int | None:
    value = asked.body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise TurnedAway(400, "bad-request", f"{name} 应为不大于 {most} 的整数")
    return value
