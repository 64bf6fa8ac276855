"""The journal of seals: every use before it happens and how it ended; nothing is ever taken out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import insert, select, update

from yingqiao.signing.errors import SigningRefused
from yingqiao.store.database import Database
from yingqiao.store.schema import seal_uses, seals
from yingqiao.store.text import storable

_LONGEST_MATTER, _LONGEST_WHO, _LONGEST_REASON = 128, 128, 500


class Result(StrEnum):
    BEGUN = "begun"
    SEALED = "sealed"
    FAILED = "failed"

    @property
    def words(self) -> str:
        return {"begun": "未完成", "sealed": "已盖章", "failed": "失败"}[self.value]


@dataclass(frozen=True, slots=True)
class Use:
    """One line. `document` is the SM3 of what was given to be sealed, hex; times Unix ms."""

    id: int
    seal_id: int
    es_id: str
    name: str
    hospital_code: str
    who: str
    at: int
    document: str
    matter: str
    channel: str
    result: Result
    reason: str
    ended_at: int | None


class SealUses:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    def begin(self, seal_id: int, who: str, document: bytes, matter: str, channel: str) -> int:
        """Durable when this returns: only then may anything be sealed."""
        if len(document) != 32:
            raise SigningRefused("document", "文档杂凑值应为 32 字节的 SM3")
        if len(matter) > _LONGEST_MATTER:
            raise SigningRefused("matter", f"业务标识至多 {_LONGEST_MATTER} 个字符")
        row = {
            "seal_id": seal_id,
            "who": storable(who)[:_LONGEST_WHO],
            "at": self._now_ms(),
            "document": document,
            "matter": storable(matter),
            "channel": channel,
            "result": str(Result.BEGUN),
            "reason": "",
        }
        with self._database.write() as connection:
            made = connection.execute(insert(seal_uses).values(row)).inserted_primary_key
        return int(made[0]) if made else 0

    def end(self, number: int, result: Result, reason: str = "") -> None:
        """How it ended; said once."""
        still = (seal_uses.c.id == number) & (seal_uses.c.result == str(Result.BEGUN))
        said = {
            "result": str(result),
            "reason": storable(reason)[:_LONGEST_REASON],
            "ended_at": self._now_ms(),
        }
        with self._database.write() as connection:
            connection.execute(update(seal_uses).where(still).values(said))

    def list(
        self,
        *,
        seal_id: int | None = None,
        hospital_code: str | None = None,
        document: bytes | None = None,
        limit: int = 10_000,
    ) -> list[Use]:
        """Newest first."""
        u, s = seal_uses.c, seals.c
        query = (
            select(seal_uses, s.es_id, s.name, s.hospital_code)
            .join(seals, s.id == u.seal_id)
            .order_by(u.id.desc())
            .limit(limit)
        )
        wanted = {u.seal_id: seal_id, s.hospital_code: hospital_code, u.document: document}
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        with self._database.read() as connection:
            return [
                Use(
                    row.id,
                    row.seal_id,
                    row.es_id,
                    row.name,
                    row.hospital_code,
                    row.who,
                    row.at,
                    row.document.hex(),
                    row.matter,
                    row.channel,
                    Result(row.result),
                    row.reason,
                    row.ended_at,
                )
                for row in connection.execute(query)
            ]
