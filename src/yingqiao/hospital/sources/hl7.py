"""HL7 v2 over MLLP as a source: ORM^O01 brings exams, ORU^R01 reports. AA only after the records are durable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from yingqiao.hospital.mapping import TableMapping, Tally
from yingqiao.hospital.source import Keep, SourceRecord, SourceUnavailableError, Table, Trouble
from yingqiao.hospital.sources.hl7_message import Hl7Error, Message, Row, acknowledge, orders, parse, whole
from yingqiao.hospital.sources.mllp import Limits, MllpServer
from yingqiao.hospital.sources.preview import PreviewRow
from yingqiao.hospital.sources.records import Mapper

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class MessageConfig:
    """Which messages bring one table's records."""

    kinds: frozenset[str]
    """`ORM^O01`, `ORU^R01` …"""
    per_order: bool
    """A record for each ORC/OBR group, rather than one for the message."""
    mapping: TableMapping


@dataclass
class Hl7Listener:
    """A `Listener`."""

    name: str
    host: str
    port: int
    charset: str
    limits: Limits
    configs: Mapping[Table, MessageConfig]
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._mappers = {t: Mapper(t, c.mapping, self.tally) for t, c in self.configs.items()}
        self._server: MllpServer | None = None
        self._keep: Keep | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(self.configs)

    def mapping(self, table: Table) -> TableMapping:
        return self.configs[table].mapping

    def start(self, keep: Keep) -> None:
        """Listens; `port` becomes the real one when it was 0. Raises SourceUnavailableError when it cannot."""
        self._keep = keep
        try:
            self._server = MllpServer(self.host, self.port, self.limits, self._answer, self._refuse)
        except OSError as error:
            raise SourceUnavailableError(f"不能监听 {self.host}:{self.port}：{error.strerror}") from error
        self.port = self._server.port

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def preview(self, table: Table, limit: int, samples: tuple[Path, ...] = ()) -> Iterator[PreviewRow]:
        """Messages in files, framed by MLLP or bare, mapped. Raises Hl7Error, OSError."""
        for path in samples:
            message = parse(path.read_bytes().strip(b"\x0b\x1c\r\n"), self.charset)
            for number, row in enumerate(self._rows(table, message)[:limit], 1):
                mapped = self.configs[table].mapping.apply(row)
                yield PreviewRow(f"{path.name} 第 {number} 条", tuple(row.paths()), mapped)

    def _rows(self, table: Table, message: Message) -> list[Row]:
        config = self.configs[table]
        if message.kind not in config.kinds:
            return []
        return orders(message) if config.per_order else [whole(message)]

    def _answer(self, raw: bytes) -> bytes:
        """AA once everything is kept, AE when it could not be mapped or kept, AR when it was not understood."""
        try:
            message = parse(raw, self.charset)
        except Hl7Error as error:
            log.warning("mllp.not_understood", source=self.name, reason=str(error))
            return self._refuse(str(error))
        rows = [(table, row) for table in self.configs for row in self._rows(table, message)]
        if not rows:
            return acknowledge(message, "AR", f"不处理 {message.kind} 消息")
        return self._take(message, rows)

    def _take(self, message: Message, rows: list[tuple[Table, Row]]) -> bytes:
        try:
            where = f"消息 {message.control_id}"
            told = [self._mappers[table].take(row, where, message.control_id) for table, row in rows]
            assert self._keep is not None  # noqa: S101 -- nothing arrives before start
            self._keep(told)
        except Exception:  # the sender must be told, whatever the spool met
            log.exception("mllp.not_kept", source=self.name)
            return acknowledge(message, "AE", "暂时不能保存，请稍后重发")
        return _verdict(message, told)

    def _refuse(self, reason: str) -> bytes:
        return acknowledge(None, "AR", reason)


def _verdict(message: Message, told: list[SourceRecord | Trouble]) -> bytes:
    troubles = [one.reason for one in told if isinstance(one, Trouble)]
    return acknowledge(message, "AE", "；".join(troubles)) if troubles else acknowledge(message, "AA", "")
