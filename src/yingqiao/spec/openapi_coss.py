"""The coss part of the OpenAPI document: four services signed by HMAC (四(二)4)."""

from __future__ import annotations

from typing import Any, Final

from yingqiao.spec.model import Edition, Interface
from yingqiao.spec.schema import Schema, definition_name, definitions_of

COMMON: Final = "coss_common"
TAG: Final = {"name": "电子签名", "description": "签名任务与时间戳，请求须带 HMAC 签名"}
_SIGNED: Final = (
    "signature 是 Base64(HMAC-SHA256(secureCode, StringA))：StringA 为除 signature 外全部非空参数按名称 ASCII 顺序以 & 连接的 "
    "k=v，值按 JSON 中的写法，UTF-8，不做 URL 编码。"
)
_TURNED_AWAY: Final = {
    "405": "不是 POST",
    "408": "请求体没有及时收齐，可重试",
    "413": "请求体超过上限",
    "415": "不支持压缩的请求体",
    "429": "请求过多，按 Retry-After 等待后重试",
    "503": "暂时不能处理，按 Retry-After 等待后重试",
}


def served(edition: Edition) -> list[Interface]:
    """The coss interfaces of the edition."""
    return [i for i in edition.interfaces.values() if i.envelope == "coss" and i.path.startswith("/coss/")]


def paths(edition: Edition) -> dict[str, Schema]:
    """Path -> path item."""
    return {i.path: {i.method.lower(): _operation(edition, i)} for i in served(edition)}


def _operation(edition: Edition, interface: Interface) -> Schema:
    answer = _answer(edition, interface)
    turned = {status: _response(words, answer) for status, words in _TURNED_AWAY.items()}
    return {
        "operationId": interface.id,
        "tags": [TAG["name"]],
        "summary": interface.title,
        "description": f"{interface.clause}。{_SIGNED}",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _request(edition, interface)}},
        },
        "responses": {"200": _response("已处理：status 200 为成功，其他见 message", answer), **turned},
        "security": [],
        "x-yingqiao-clause": interface.clause,
    }


def _request(edition: Edition, interface: Interface) -> Schema:
    """The common parameters and the service's own; further ones are signed, and otherwise ignored."""
    parts = [_definition(edition, table, "request") for table in (COMMON, interface.request)]
    return {
        "type": "object",
        "title": f"{interface.title} request",
        "properties": {name: kind for part in parts for name, kind in part["properties"].items()},
        "required": [name for part in parts for name in part.get("required", ())],
    }


def _answer(edition: Edition, interface: Interface) -> Schema:
    data = dict(_definition(edition, interface.response, "response"))
    data.pop("additionalProperties", None)
    data["type"] = ["object", "null"]
    properties: dict[str, Any] = {
        "status": {"type": "integer", "description": "结果码，200 为成功（T117）"},
        "message": {"type": "string"},
        "transId": {"type": "string", "description": "请求中有时原样返回"},
        "data": data,
    }
    return {"type": "object", "properties": properties, "required": ["status", "message", "data"]}


def _definition(edition: Edition, table: str, group: str) -> Schema:
    found: Schema = definitions_of(edition, table, "#/components/schemas/")[definition_name(table, group)]
    return found


def _response(words: str, schema: Schema) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
