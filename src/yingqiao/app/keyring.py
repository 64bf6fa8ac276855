"""The master keys as a file, a variable or a command gives them: one key a line, the first seals, all open.

A line is 64 hex digits and, after a blank, what the key is there for: nothing, `old` (opens only) or `next` (seals from
the next rotation on). A variable may separate keys by commas. Lines that begin with # are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from yingqiao.gm.keystore import KEY_LENGTH, key_id

OLD: Final = "old"
NEXT: Final = "next"
_LINE = re.compile(rf"([0-9A-Fa-f]{{{KEY_LENGTH * 2}}})(?:\s+({OLD}|{NEXT}))?")
_MOST = 16
WORDS = {"": "封存", OLD: "只解封", NEXT: "备用"}


class KeyRingError(ValueError):
    """The text is no list of master keys; Chinese, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class RingKey:
    raw: bytes
    word: str = ""

    def __repr__(self) -> str:
        return f"RingKey({self.id}, {self.word!r})"

    @property
    def id(self) -> str:
        return key_id(self.raw).hex()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`keys` has the one that seals first."""

    keys: tuple[RingKey, ...]

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Raises KeyRingError."""
        lines = [line.strip() for line in re.split(r"[\n,]", text)]
        keys = [_key(line) for line in lines if line and not line.startswith("#")]
        if not keys:
            raise KeyRingError(f"不是主密钥：应为 {KEY_LENGTH * 2} 位十六进制")
        if len(keys) > _MOST or len({key.id for key in keys}) < len(keys):
            raise KeyRingError(f"主密钥有重复，或多于 {_MOST} 把")
        if keys[0].word:
            raise KeyRingError("第一把主密钥用来封存，其后不能写 old 或 next")
        return cls((keys[0], *(RingKey(key.raw, key.word or OLD) for key in keys[1:])))

    def text(self) -> str:
        """As a file holds it."""
        return "\n".join(f"{key.raw.hex()} {key.word}".rstrip() for key in self.keys)

    @property
    def raw(self) -> tuple[bytes, ...]:
        return tuple(key.raw for key in self.keys)

    @property
    def next(self) -> RingKey | None:
        """The key prepared for the next rotation."""
        return next((key for key in self.keys if key.word == NEXT), None)

    def prepared(self, raw: bytes) -> KeyRing:
        """With `raw` to be the next."""
        return KeyRing((*self.keys, RingKey(raw, NEXT)))

    def turned(self, raw: bytes) -> KeyRing:
        """With `raw` to seal from now on, all others opening only."""
        others = (RingKey(key.raw, OLD) for key in self.keys if key.raw != raw)
        return KeyRing((RingKey(raw), *others))

    def without(self, gone: set[str]) -> KeyRing:
        """Without old keys of these ids; the one that seals and the next stay."""
        return KeyRing(tuple(key for key in self.keys if key.word != OLD or key.id not in gone))


def _key(line: str) -> RingKey:
    found = _LINE.fullmatch(line)
    if found is None:
        raise KeyRingError(f"不是主密钥：每行应为 {KEY_LENGTH * 2} 位十六进制，其后可写 old 或 next")
    return RingKey(bytes.fromhex(found[1]), found[2] or "")
