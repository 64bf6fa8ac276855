"""The JSON API under /api: what the queries of the store show, with filters and pages; and what people do with
background work (POST).

Lists answer `{items, offset, limit, total, totalIsExact}` with `X-Total-Count` and `Link` headers, or CSV
by `?format=csv`; one thing answers an object. An unknown parameter or an unreadable value is a 400 that
says so in Chinese. Errors have the shape of all answers of the gateway: `{code: 0, message, content: null}`.
"""

from yingqiao.web.api.routes import routes

__all__ = ["routes"]
