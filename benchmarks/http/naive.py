"""What one writes in an afternoon: FastAPI, pydantic, pure-Python gmssl, SQLAlchemy, a commit a request.

`python -m benchmarks.http.naive PORT DATABASE_FILE` serves POST /exam-sync.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from gmssl.sm4 import SM4_DECRYPT, CryptSM4
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, create_engine, event, insert

from benchmarks.http.bodies import KEY_HEX


class Envelope(BaseModel):
    hospitalCode: str  # noqa: N815 the standard's name
    data: str
    timestamp: str
    signature: str


def make_app(database: Path) -> FastAPI:
    engine = create_engine(f"sqlite:///{database}")

    @event.listens_for(engine, "connect")
    def durable(connection: object, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    metadata = MetaData()
    exams = Table(
        "exams",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("key", String),
        Column("body", Text),
    )
    metadata.create_all(engine)
    app = FastAPI()

    @app.post("/exam-sync")
    def exam_sync(envelope: Envelope) -> dict[str, object]:
        joined = envelope.data + envelope.hospitalCode + envelope.timestamp
        if hashlib.sha1(joined.encode()).hexdigest().upper() != envelope.signature:
            return {"code": 0, "message": "签名校验失败", "content": None}
        cipher = CryptSM4()
        cipher.set_key(bytes.fromhex(KEY_HEX), SM4_DECRYPT)
        record = json.loads(cipher.crypt_ecb(base64.b64decode(envelope.data)))
        with engine.begin() as connection:
            connection.execute(insert(exams).values(key=record["risStudyId"], body=json.dumps(record)))
        return {"code": 1, "message": "上传成功", "content": None}

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(Path(sys.argv[2])), port=int(sys.argv[1]), log_level="warning", access_log=False)
