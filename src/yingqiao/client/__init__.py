"""The standard's protocol as caller: push records to a gateway, with typed answers and designed errors."""

from yingqiao.client.answer import Answer
from yingqiao.client.errors import ClientError, Misunderstood, Refused, Unavailable
from yingqiao.client.gateway import AsyncGateway, Gateway

__all__ = ["Answer", "AsyncGateway", "ClientError", "Gateway", "Misunderstood", "Refused", "Unavailable"]
