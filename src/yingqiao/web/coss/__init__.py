"""coss: the electronic signature services for hospitals without their own (四(二)4): `services(parts)`."""

from yingqiao.web.coss.routes import CossParts, services

__all__ = ["CossParts", "services"]
