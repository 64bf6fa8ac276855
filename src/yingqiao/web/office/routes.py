"""All routes of the signing office."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from starlette.routing import BaseRoute

from yingqiao.sandbox import Line
from yingqiao.store.signing.office import Office
from yingqiao.web.office.admin_cases import case_routes
from yingqiao.web.office.admin_import import import_routes
from yingqiao.web.office.admin_people import people_routes
from yingqiao.web.office.admin_seals import seal_routes
from yingqiao.web.office.door import Door
from yingqiao.web.office.revocation import crl_route
from yingqiao.web.office.self_service import self_service_routes


@dataclass(frozen=True, slots=True)
class DoorRule:
    """What the operator decides for the doors."""

    logins_per_minute: float = 20.0
    trusted_proxies: Collection[str] = ()
    tls: bool = False


def office_routes(office: Office, rule: DoorRule, pictures: Line) -> list[BaseRoute]:
    """/crl/…, /web/api/self/…, /web/api/admin/…; what people upload is opened by `pictures`."""
    own = Door("yingqiao_doctor", rule.logins_per_minute, rule.trusted_proxies, tls=rule.tls)
    admin = Door("yingqiao_staff", rule.logins_per_minute, rule.trusted_proxies, tls=rule.tls)
    return [
        crl_route(office),
        *self_service_routes(office, own),
        *people_routes(office, admin),
        *import_routes(office, admin),
        *case_routes(office, admin, pictures),
        *seal_routes(office, admin, pictures),
    ]
