"""Applications on the administration page: handed in by operators, decided by approvers, seen within one's hospital."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from yingqiao.sandbox import Line
from yingqiao.signing.certificates.identity import masked_id_number, masked_mobile
from yingqiao.signing.enrolment import pictures, sheets
from yingqiao.signing.enrolment.annexes import FORMS
from yingqiao.signing.enrolment.case import CaseState, shown_name
from yingqiao.signing.enrolment.form import FieldKind, Form
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.signing.cases import KeptCase
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.staff import Account, Role
from yingqiao.web.balance_files import NoFontError
from yingqiao.web.office.bounded import bounded
from yingqiao.web.office.door import Asked, Door, TurnedAway, audit, base64_of, need_staff
from yingqiao.web.office.files import csv_file, file_answer
from yingqiao.web.office.paper import blank, printed

_SUBMIT_MOST = 16 * 1024 * 1024
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_COLUMNS = {
    "id": "编号",
    "formTitle": "表单",
    "hospitalName": "医疗机构",
    "applicant": "申请人",
    "stateWords": "状态",
    "submittedBy": "提交人",
    "submittedAt": "提交时间",
    "decidedBy": "处理人",
    "decidedAt": "处理时间",
    "reason": "退回原因",
}


def case_routes(office: Office, door: Door, opened: Line) -> list[BaseRoute]:
    cases = AdminCases(office, opened)
    return [
        door.get("/web/api/admin/forms", cases.forms),
        door.get("/web/api/admin/forms/{form}/template.xlsx", cases.template),
        door.get("/web/api/admin/forms/{form}/blank.pdf", cases.blank),
        door.get("/web/api/admin/cases", cases.all),
        door.get("/web/api/admin/cases.csv", cases.as_csv),
        door.post("/web/api/admin/cases", cases.submit, most=_SUBMIT_MOST),
        door.post("/web/api/admin/sheet", cases.import_sheet, most=_SUBMIT_MOST),
        door.get("/web/api/admin/cases/{id:int}", cases.show),
        door.get("/web/api/admin/cases/{id:int}/form.pdf", cases.paper),
        door.get("/web/api/admin/cases/{id:int}/pictures/{name}", cases.picture),
        door.post("/web/api/admin/cases/{id:int}/{act}", cases.decide),
    ]


class AdminCases:
    """Handlers of the door."""

    def __init__(self, office: Office, opened: Line) -> None:
        self._office = office
        self._opened = opened

    def forms(self, asked: Asked) -> list[dict[str, Any]]:
        need_staff(self._office, asked)
        return [_form_shown(form) for form in FORMS.values()]

    def template(self, asked: Asked) -> Response:
        need_staff(self._office, asked)
        form = _form(asked.path["form"])
        return file_answer(sheets.template(form), _XLSX, f"{form.title}.xlsx")

    def blank(self, asked: Asked) -> Response:
        """The empty form on paper."""
        need_staff(self._office, asked)
        form = _form(asked.path["form"])
        try:
            return file_answer(blank(form), "application/pdf", f"{form.title}.pdf")
        except NoFontError as error:
            raise TurnedAway(503, "no-font", str(error)) from error

    def all(self, asked: Asked) -> list[dict[str, Any]]:
        account = need_staff(self._office, asked)
        return [case_shown(one) for one in self._found(account, asked, 2000)]

    def as_csv(self, asked: Asked) -> Response:
        account = need_staff(self._office, asked)
        return csv_file([case_shown(one) for one in self._found(account, asked, 10_000)], _COLUMNS, "cases")

    def show(self, asked: Asked) -> dict[str, Any]:
        account = need_staff(self._office, asked)
        case = self._case(account, asked)
        entries = {
            field.name: bool(case.entries.get(field.name))
            if field.kind is FieldKind.PICTURE
            else case.entries.get(field.name, "")
            for field in case.form.fields
        }
        audit("case.look", account.name, case.id, case.hospital_code)
        return case_shown(case) | {"entries": entries}

    def submit(self, asked: Asked) -> dict[str, Any]:
        """`{"form", "hospital", "entries"}`; pictures among the entries are base64."""
        account = need_staff(self._office, asked, Role.OPERATOR)
        form, hospital = _form(asked.text("form")), _hospital(account, asked)
        entries = asked.body.get("entries")
        if not isinstance(entries, dict):
            raise TurnedAway(400, "bad-request", "缺少 entries")
        number = self._submit(form, hospital, entries, account.name)
        return {"id": number}

    def import_sheet(self, asked: Asked) -> dict[str, Any]:
        """`{"form", "hospital", "name", "content", "commit"}`: every row with its problems; without `commit`, or with a
        problem anywhere, nothing is handed in.
        """
        account = need_staff(self._office, asked, Role.OPERATOR)
        form, hospital = _form(asked.text("form")), _hospital(account, asked)
        if form.has_pictures:
            raise SigningRefused("sheet-form", "采样表带有图片，请逐人填写")
        rows = sheets.read_sheet(
            form, base64_of(asked.text("content", _SUBMIT_MOST)), sheets.shape_of(asked.text("name"))
        )
        wrong = sum(bool(row.problems) for row in rows)
        made: list[int] = []
        if asked.body.get("commit") is True and not wrong:
            made = [self._submit(form, hospital, row.entries, account.name) for row in rows]
        return {"rows": [_row_shown(form, row) for row in rows], "wrong": wrong, "made": made}

    def decide(self, asked: Asked) -> dict[str, Any]:
        """approve, reject (with `reason`) or withdraw."""
        act = asked.path["act"]
        role = {"approve": Role.APPROVER, "reject": Role.APPROVER, "withdraw": Role.OPERATOR}.get(act)
        if role is None:
            raise TurnedAway(404, "not-found", "没有这个操作")
        account = need_staff(self._office, asked, role)
        case, cases = self._case(account, asked), self._office.cases
        if act == "approve":
            after = cases.approve(case.id, account.name)
        elif act == "reject":
            after = cases.reject(case.id, account.name, asked.text("reason", 1000))
        else:
            after = cases.withdraw(case.id, account.name)
        audit(f"case.{act}", account.name, case.id, case.hospital_code)
        return case_shown(after)

    def paper(self, asked: Asked) -> Response:
        account = need_staff(self._office, asked)
        case = self._case(account, asked)
        held = {
            field.name: self._picture(case.entries.get(field.name, ""))
            for field in case.form.fields
            if field.kind is FieldKind.PICTURE
        }
        try:
            content = bounded(
                self._opened, printed, case, {name: content for name, content in held.items() if content}
            )
        except NoFontError as error:
            raise TurnedAway(503, "no-font", str(error)) from error
        audit("case.print", account.name, case.id, case.hospital_code)
        return file_answer(content, "application/pdf", f"{case.form.title}-{case.id}.pdf")

    def picture(self, asked: Asked) -> Response:
        case = self._case(need_staff(self._office, asked), asked)
        field = case.form.field(asked.path["name"])
        if field is None or field.kind is not FieldKind.PICTURE:
            raise TurnedAway(404, "not-found", "没有这张图片")
        content = self._picture(case.entries.get(field.name, ""))
        if not content:
            raise TurnedAway(404, "not-found", "没有这张图片")
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(content, headers=headers, media_type=pictures.media_type(content))

    def _submit(self, form: Form, hospital: str, entries: Mapping[str, Any], by: str) -> int:
        number = submit(self._office, form, hospital, entries, by)
        audit("case.submit", by, number, hospital)
        return number

    def _found(self, account: Account, asked: Asked, limit: int) -> list[KeptCase]:
        state, form = asked.query.get("state") or None, asked.query.get("form") or None
        if state is not None and state not in tuple(CaseState):
            raise TurnedAway(400, "bad-request", "没有这个状态")
        return self._office.cases.list(
            state=CaseState(state) if state else None,
            hospital_code=account.hospital_code or asked.query.get("hospital") or None,
            form=form,
            limit=limit,
        )

    def _case(self, account: Account, asked: Asked) -> KeptCase:
        """Another hospital's is as if it were not there."""
        case = self._office.cases.get(asked.path["id"] if asked.path["id"] < 2**31 else 0)
        if account.hospital_code not in (None, case.hospital_code):
            raise SigningRefused("no-case", f"没有申请 {case.id}")
        return case

    def _picture(self, digest: str) -> bytes:
        try:
            with self._office.objects.open(digest) as stream:
                return stream.read(pictures.MAX_BYTES + 1)
        except (OSError, ValueError):
            return b""


def submit(office: Office, form: Form, hospital: str, given: Mapping[str, Any], by: str) -> int:
    """Hands in an application whose pictures are base64 (or bytes): those are checked and kept. Its number.

    Raises SigningRefused, FormRefused, StoreUnavailable.
    """
    entries = dict(given)
    for field in form.fields:
        if field.kind is FieldKind.PICTURE and (value := entries.get(field.name)):
            content = value if isinstance(value, bytes) else base64_of(str(value))
            pictures.media_type(content)
            entries[field.name] = office.objects.put(content)
    return office.cases.submit(form.id, hospital, entries, by)


def case_shown(case: KeptCase) -> dict[str, Any]:
    """An application as lists show it."""
    return {
        "id": case.id,
        "form": case.form.id,
        "formTitle": case.form.title,
        "hospital": case.hospital_code,
        "hospitalName": case.hospital_name,
        "applicant": case.applicant,
        "state": case.case.state.value,
        "stateWords": case.case.state.words,
        "submittedBy": shown_name(case.case.submitted_by),
        "submittedAt": case.case.submitted_at,
        "decidedBy": shown_name(case.case.decided_by),
        "decidedAt": case.case.decided_at,
        "reason": case.case.reason,
        "doctorId": case.doctor_id,
    }


def _row_shown(form: Form, row: sheets.SheetRow) -> dict[str, Any]:
    masks = {FieldKind.ID_NUMBER: masked_id_number, FieldKind.MOBILE: masked_mobile}
    shown = {}
    for field in form.fields:
        text = row.entries.get(field.name, "")
        shown[field.name] = masks[field.kind](text) if text and field.kind in masks else text
    problems = [{"field": p.field, "label": p.label, "reason": p.reason} for p in row.problems]
    return {"line": row.line, "entries": shown, "problems": problems}


def _form_shown(form: Form) -> dict[str, Any]:
    return {
        "id": form.id,
        "annex": form.annex,
        "title": form.title,
        "aliases": form.aliases,
        "rules": (*form.rules, *form.attachments),
        "declarations": form.declarations,
        "fields": [
            {
                "name": field.name,
                "label": field.label,
                "kind": field.kind.value,
                "required": field.required,
                "most": field.most,
                "choices": field.choices,
                "hint": field.hint,
                "part": field.part,
            }
            for field in form.fields
        ],
    }


def _form(form_id: str) -> Form:
    form = FORMS.get(form_id)
    if form is None:
        raise TurnedAway(404, "no-form", "没有这张表单")
    return form


def _hospital(account: Account, asked: Asked) -> str:
    return account.hospital_code or asked.text("hospital", 64)
