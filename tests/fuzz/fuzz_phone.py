"""Coverage-guided fuzzing of the phone API's bodies against real services on SQLite: an answer, or a refusal of ours.

`python -m tests.fuzz.fuzz_phone -max_total_time=60 [corpus folder]` (needs atheris). The first byte names the service;
in the body `@token`, `@key`, `@ticket` and `@job` stand for real ones, so that inputs get past the door.
"""

from __future__ import annotations

import atexit
import base64
import json
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orjson

from tests.fuzz import instrumented
from tests.fuzz.bounds import told

with instrumented.imports():
    from tests.integration.signing.test_phone import World
    from yingqiao.gm.errors import GmError
    from yingqiao.signing.errors import SigningRefused
    from yingqiao.store.database import open_database
    from yingqiao.web.coss.given import read
    from yingqiao.web.service import Posted
    from yingqiao.web.visit import Visit

NAMES = (
    *(
        "getServiceInfo",
        "ticket",
        "phoneCode",
        "phoneDownload",
        "lookActivation",
        "makeKey",
        "offer",
        "finish",
    ),
    *(
        "challenge",
        "jobs",
        "job",
        "refuse",
        "certificates",
        "seal",
        "setSeal",
        "autoSign",
        "setAutoSign",
        "logout",
    ),
)


@cache
def _world() -> tuple[World, dict[bytes, bytes]]:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    database = open_database(folder.name)
    database.migrate()
    world = World(database, Path(folder.name))
    phone = world.activated()
    number, ticket = world.push(authorizedUserId="U7")
    code = world.desk.activations.give(
        world.enrol(idNumber="440524198001010013", mobile="13900139000", userId="U8")
    )
    real = {
        "@token": phone.token,
        "@key": phone.key_id,
        "@ticket": ticket,
        "@job": f"job:{number}",
        "@code": code[0],
    }
    return world, {mark.encode(): value.encode() for mark, value in real.items()}


def one_input(data: bytes) -> None:
    if not data:
        return
    world, real = _world()
    name, body = NAMES[data[0] % len(NAMES)], data[1:]
    for mark, value in real.items():
        body = body.replace(mark, value)
    if name == "logout" and real[b"@token"] in body:
        return  # the rest would stay outside
    answers = world.phone_answers
    try:
        said = answers[name](read(body), Posted((body,), "10.0.0.1", "", Visit(name, "10.0.0.1")))
    except (SigningRefused, GmError) as refused:
        told(refused.code, refused.reason)
        return
    orjson.dumps(said)


def corpus() -> Iterator[bytes]:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
    point = base64.b64encode(b"\x04" + bytes(132)).decode()
    bodies: dict[str, dict[str, object]] = {
        "ticket": {"o": "@ticket", "token": "@token"},
        "phoneCode": {"mobile": "13800138000", "o": "x"},
        "phoneDownload": {"mobile": "13800138000", "verificationCode": "123456"},
        "lookActivation": {"code": "@code"},
        "makeKey": {"code": "@code", "device": "d", "session": "s", "offer": point},
        "offer": {"keyId": "@key", "job": "@job", "token": "@token", "offer": point},
        "finish": {"keyId": "@key", "job": "@job", "token": "@token", "finish": point},
        "challenge": {"keyId": "@key"},
        "jobs": {"token": "@token", "search": "影", "state": "FINISH"},
        "job": {"token": "@token", "id": "SD_x"},
        "refuse": {"token": "@token", "id": "SD_x", "reason": "不"},
        "setSeal": {"token": "@token", "picture": picture},
        "setAutoSign": {"token": "@token", "enabled": True, "until": 1_795_000_060_000},
    }
    for number, name in enumerate(NAMES):
        body = bodies.get(name, {"token": "@token"})
        yield bytes([number]) + json.dumps(body, ensure_ascii=False).encode()
        for member in body:
            for value in (None, 0, "", [], {}, True, "A" * 400, "\ud7ff", 1e308):
                yield bytes([number]) + json.dumps(body | {member: value}, ensure_ascii=False).encode()


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
