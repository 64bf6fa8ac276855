"""A mapped row as the seam has it: a record, or a trouble that says where it is."""

from __future__ import annotations

from yingqiao.hospital.mapping import Mapped, Row, TableMapping, Tally
from yingqiao.hospital.source import SourceRecord, Table, Trouble


class Mapper:
    """Applies the mapping of one table, counting what it finds in `tally`."""

    def __init__(self, table: Table, mapping: TableMapping, tally: Tally) -> None:
        self.table = table
        self.mapping = mapping
        self._tally = tally

    def take(self, row: Row, where: str, position: str) -> SourceRecord | Trouble:
        """What became of a row."""
        mapped = self.mapping.apply(row)
        self._tally.add(self.table.value, mapped.findings)
        return self.settle(mapped, where, position)

    def settle(self, mapped: Mapped, where: str, position: str) -> SourceRecord | Trouble:
        """A record when it has its key and nothing is broken, else a trouble."""
        key = mapped.values.get(self.mapping.key_field)
        if mapped.broken:
            return Trouble(self.table, where, mapped.broken, position)
        if not isinstance(key, str):
            return Trouble(self.table, where, f"没有 {self.mapping.key_field}（唯一标识）", position)
        return SourceRecord(self.table, key, mapped.values, position)
