"""Offline issuing (annex 7, 离线场景) on the administration page: requests out, certificates made elsewhere in."""

from __future__ import annotations

import base64
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.trust import MAX_BUNDLE, Bundle, read_bundle
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.staff import Role
from yingqiao.web.office.door import Asked, Door, TurnedAway, audit, need_staff

_MOST = MAX_BUNDLE * 4 // 3 + 4096


def import_routes(office: Office, door: Door) -> list[BaseRoute]:
    offline = AdminImport(office)
    return [
        door.get("/web/api/admin/requests.pem", offline.requests),
        door.post("/web/api/admin/certificates/import", offline.take, most=_MOST),
    ]


class AdminImport:
    """Handlers of the door; for administrators of all hospitals, whose requests lie together."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def requests(self, asked: Asked) -> Response:
        """PKCS#10 in PEM, one after the other."""
        name = self._administrator(asked)
        waiting = self._office.authority.waiting_requests()
        audit("certificate.requests", name, len(waiting))
        headers = {"content-disposition": 'attachment; filename="requests.pem"', "cache-control": "no-store"}
        return Response(
            "".join(_pem(der) for _, der in waiting), headers=headers, media_type="application/x-pem-file"
        )

    def take(self, asked: Asked) -> dict[str, Any]:
        """`{"content"}`: a file in base64 (DER, PEM, p7b), certificates and lists. What is refused is said for each (a
        list has no `serial`), the others are taken.
        """
        name = self._administrator(asked)
        try:
            raw = base64.b64decode(asked.text("content", _MOST), validate=True)
        except ValueError as error:
            raise TurnedAway(400, "bad-request", "文件内容不是 Base64") from error
        made: list[int] = []
        refused: list[dict[str, str]] = []
        given = read_bundle(raw)
        lists = self._lists(given, name, refused)
        for one in given.certificates:
            try:
                issued = self._office.authority.import_certificate(one.raw)
            except SigningRefused as error:
                refused.append({"serial": one.serial_hex, "reason": error.reason})
                continue
            audit("certificate.import", name, issued.id)
            made.append(issued.id)
        return {"made": made, "lists": lists, "refused": refused}

    def _lists(self, given: Bundle, name: str, refused: list[dict[str, str]]) -> list[int]:
        taken = []
        for one in given.lists:
            try:
                number = self._office.authority.lists.take(one.raw)
            except SigningRefused as error:
                refused.append({"serial": "", "reason": error.reason})
                continue
            audit("ca.import-list", name, number)
            taken.append(number)
        return taken

    def _administrator(self, asked: Asked) -> str:
        account = need_staff(self._office, asked, Role.ADMIN)
        if account.hospital_code is not None:
            raise TurnedAway(403, "role", "此操作须由全部医疗机构的管理员进行")
        return account.name


def _pem(der: bytes) -> str:
    body = base64.b64encode(der).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n"
