"""OpenAPI 3.1 of the HTTP interfaces the gateway serves to hospitals, generated from the edition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from yingqiao.spec import openapi_coss
from yingqiao.spec.model import Edition, Interface
from yingqiao.spec.rules import MESSAGES
from yingqiao.spec.schema import DIALECT, Schema, definition_name, definitions_of

COMPONENTS: Final = "#/components/schemas/"
ENVELOPE_TABLE: Final = "main_envelope"
_TURNED_AWAY: Final[Mapping[str, tuple[str, str, str]]] = {
    "400": ("Malformed", "not-json", "改正后重试"),
    "408": ("TooSlow", "too-slow", "重试"),
    "413": ("TooLarge", "too-large", "缩小后重试"),
    "429": ("TooMany", "too-many", "按 Retry-After 等待后重试"),
    "503": ("Later", "store-unavailable", "按 Retry-After 等待后重试"),
}
"""HTTP status -> response name, message, what to do: not judged, nothing of the request is kept (T11)."""

LISTS: Final = "images-list"
_QUESTION, _PROGRESS = "images_list_status.question", "images_list_status.content"
_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string"}
_STATUS_SCHEMAS: Final[dict[str, Schema]] = {
    _QUESTION: {
        "type": "object",
        "title": "影像地址列表进度：data 解密后",
        "properties": {
            "SERIESIUID": {"type": "string", "description": "序列号"},
            "STUDYIUID": {"type": "string", "description": "检查号：其全部序列的列表"},
        },
        "anyOf": [{"required": ["SERIESIUID"]}, {"required": ["STUDYIUID"]}],
    },
    _PROGRESS: {
        "type": "object",
        "title": "影像地址列表进度：应答的 content",
        "properties": {"lists": {"type": "array", "items": {"$ref": f"{COMPONENTS}images_list_status.list"}}},
        "required": ["lists"],
    },
    "images_list_status.list": {
        "type": "object",
        "title": "一个列表",
        "properties": {
            "SERIESIUID": _TEXT,
            "STUDYIUID": _TEXT,
            "complete": {"type": "boolean", "description": "全部取回"},
            "state": {**_TEXT, "description": "进度，中文"},
            "files": {**_COUNT, "description": "地址数"},
            "done": {**_COUNT, "description": "已取回"},
            "waiting": {**_COUNT, "description": "还会自动去取"},
            "refused": {**_COUNT, "description": "主机没有登记"},
            "failed": {**_COUNT, "description": "对方没有、拒绝，或内容无法使用"},
            "instances": {**_COUNT, "description": "取回的影像数"},
            "remaining": {
                "type": "array",
                "maxItems": 1000,
                "description": "还没有取到的地址与原因",
                "items": {
                    "type": "object",
                    "properties": {"url": _TEXT, "state": _TEXT, "reason": _TEXT},
                    "required": ["url", "state", "reason"],
                },
            },
        },
    },
}
"""Of `/images/list/status`, as web/list_status answers it."""


def openapi(edition: Edition) -> Schema:
    """Envelope, header, answers, examples; each operation points to its record by `x-yingqiao-record`."""
    served = [i for i in edition.interfaces.values() if i.served_by == "gateway" and i.envelope == "main"]
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": edition.title,
            "version": edition.id,
            "description": _about(edition),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "前置机"}],
        "tags": [
            {"name": "上传", "description": "医院推送检查、报告与影像地址"},
            {"name": "查询", "description": "医院询问自己推送的内容"},
            openapi_coss.TAG,
        ],
        "paths": {i.path: {i.method.lower(): _operation(edition, i)} for i in served}
        | _asked(edition, served)
        | openapi_coss.paths(edition),
        "components": {
            "parameters": {"encryption-type": _header(edition)},
            "schemas": _schemas(edition, served) | (_STATUS_SCHEMAS if _has_lists(served) else {}),
            "responses": {"Answer": _answer(edition), **_turned_away(edition)},
        },
    }


def _about(edition: Edition) -> str:
    return (
        f"{edition.issuer}，{edition.issued}。业务数据为 JSON，经 SM4/ECB/PKCS5 加密后以 Base64 放入 data；"
        "signature 是 data、hospitalCode、timestamp 三个值依次拼接后 SHA-1 的大写十六进制（三(一)、三(六)）。"
        "各操作的 x-yingqiao-record 指向解密后记录的严格写法，即应当发送的样子；接收更宽。"
        "code 为 1 表示已经持久保存。"
    )


def _operation(edition: Edition, interface: Interface) -> Schema:
    record = {"$ref": COMPONENTS + definition_name(interface.request, "")}
    operation: Schema = {
        "operationId": interface.id,
        "tags": ["上传"],
        "summary": interface.title,
        "description": f"{interface.clause}。按 {'、'.join(interface.keys)} 新增或更新，每次一条记录。",
        "parameters": [{"$ref": "#/components/parameters/encryption-type"}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _envelope_of(interface), "examples": _requests(edition)}
            },
        },
        "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            **{
                status: {"$ref": f"#/components/responses/{name}"}
                for status, (name, _, _) in _TURNED_AWAY.items()
            },
        },
        "security": [],
        "x-yingqiao-record": record,
        "x-yingqiao-clause": interface.clause,
    }
    if interface.aliases:
        operation["x-yingqiao-path-aliases"] = list(interface.aliases)
    return operation


def _has_lists(served: list[Interface]) -> bool:
    return any(i.id == LISTS for i in served)


def _asked(edition: Edition, served: list[Interface]) -> dict[str, Schema]:
    """Ours, not the standard's (T95): what became of the lists a hospital sent, asked in the same envelope."""
    if not _has_lists(served):
        return {}
    lists = next(i for i in served if i.id == LISTS)
    record = {"$ref": COMPONENTS + _QUESTION}
    operation = _operation(edition, lists) | {
        "operationId": f"{LISTS}-status",
        "tags": ["查询"],
        "summary": "影像地址列表的下载进度",
        "description": "规范之外的接口：SERIESIUID 或 STUDYIUID 给出一个即可，信封与 /images/list 相同；问的内容不留存。"
        "没有收到过这样的列表时 code 为 0。",
        "x-yingqiao-record": record,
        "x-yingqiao-content": {"$ref": COMPONENTS + _PROGRESS},
    }
    content = {"schema": {"$ref": operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]}}
    operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    for name in ("x-yingqiao-clause", "x-yingqiao-path-aliases"):
        operation.pop(name, None)
    return {f"{lists.path}/status": {"post": operation}}


def _envelope_of(interface: Interface) -> Schema:
    return {
        "$ref": COMPONENTS + definition_name(ENVELOPE_TABLE, "request"),
        "description": f"data 解密后为 {interface.request} 记录。",
    }


def _header(edition: Edition) -> Schema:
    field = edition.tables[ENVELOPE_TABLE].field("encryption-type")
    codes = edition.code_lists[field.code_list]
    return {
        "name": field.name,
        "in": "header",
        "required": False,
        "description": field.note,
        "schema": {"type": "string", "enum": list(codes.codes), "default": next(iter(codes.codes))},
    }


def _schemas(edition: Edition, served: list[Interface]) -> dict[str, Schema]:
    tables = dict.fromkeys([ENVELOPE_TABLE, *(i.request for i in served)])
    pending, schemas = list(tables), dict[str, Schema]()
    while pending:
        table = pending.pop(0)
        schemas.update(definitions_of(edition, table, COMPONENTS))
        targets = {f.items for f in edition.tables[table].fields if f.items and not f.items.startswith("#")}
        pending += sorted(targets - tables.keys())
        tables.update(dict.fromkeys(targets))
    schemas.pop(definition_name(ENVELOPE_TABLE, "header"))
    answer = schemas[definition_name(ENVELOPE_TABLE, "response")]
    answer["required"] = list(answer["properties"])
    # T09: declared a string, but the query interfaces put arrays there; the gateway answers real JSON.
    answer["properties"]["content"].pop("type")
    answer["properties"]["content"].pop("minLength")
    return schemas


def _answer(edition: Edition) -> Schema:
    shown: dict[str, tuple[int, dict[str, Any]]] = {
        "accepted": (1, {}),
        "accepted-with-warnings": (1, {"count": 2}),
        "bad-signature": (0, {}),
        "unknown-hospital": (0, {"code": "1214000040000000X7"}),
        "validation-failed": (0, {"first": "检查唯一标识 risStudyId 必填", "count": 3}),
    }
    return _response(edition, "已处理：code 1 已持久保存，0 被拒收，message 说明原因（T11）", shown)


def _turned_away(edition: Edition) -> dict[str, Schema]:
    return {
        name: _response(edition, f"未处理，可{mend}", {message: (0, dict.fromkeys(MESSAGES[message], 30))})
        for name, message, mend in _TURNED_AWAY.values()
    }


def _response(edition: Edition, description: str, shown: dict[str, tuple[int, dict[str, Any]]]) -> Schema:
    schema = {"$ref": COMPONENTS + definition_name(ENVELOPE_TABLE, "response")}
    examples = {
        name: {
            "summary": edition.messages[name],
            "value": {"code": code, "message": edition.messages[name].format(**places), "content": None},
        }
        for name, (code, places) in shown.items()
    }
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def _requests(edition: Edition) -> Schema:
    """The known-answer envelope of 三(八), where the edition's folder has it."""
    if edition.folder is None:
        return {}
    text = edition.folder.joinpath("examples", "crypto_vectors.json").read_text("utf-8")
    vector = json.loads(text)["envelope_signature"][0]
    value = {name: vector[name] for name in ("hospitalCode", "data", "timestamp", "signature")}
    return {"vector": {"summary": "三(八) 的密文与由它算出的签名", "value": value}}
