"""What the pages of the signing office ask: self-service of doctors, administration, revocation lists."""

from yingqiao.web.office.routes import DoorRule, office_routes

__all__ = ["DoorRule", "office_routes"]
