"""Bodies of submissions at rest: zstd level 3 with a dictionary trained on records of the standard.

The dictionary's id is in every frame. A dictionary once shipped stays for ever; a better one is added
beside it
(`scripts/train_dictionary.py`) and used for new frames.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import zstandard

from yingqiao.store.errors import StoredBodyBroken

LEVEL = 3
CURRENT = "records-1.zdict"
MAX_BODY = 256 * 1024 * 1024

_local = threading.local()  # a compressor or decompressor shared by threads crashes


def compress(raw: bytes) -> bytes:
    """One zstd frame that says its length, its dictionary and a checksum of `raw`."""
    try:
        compressor: zstandard.ZstdCompressor = _local.compressor
    except AttributeError:
        compressor = _local.compressor = zstandard.ZstdCompressor(
            level=LEVEL, dict_data=_for_compression(), write_checksum=True
        )
    return compressor.compress(raw)


def decompress(frame: bytes, limit: int = MAX_BODY) -> bytes:
    """The bytes of a frame made by `compress`. Raises StoredBodyBroken, also when they would exceed
    `limit` bytes."""
    try:
        header = zstandard.get_frame_parameters(frame)
        if header.content_size > limit:
            raise StoredBodyBroken(f"a frame of {header.content_size} bytes, more than the {limit} allowed")
        return _decompressor(header.dict_id).decompress(frame, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise StoredBodyBroken(f"not a readable zstd frame: {error}") from error


def _decompressor(dictionary_id: int) -> zstandard.ZstdDecompressor:
    try:
        by_id: dict[int, zstandard.ZstdDecompressor] = _local.decompressors
    except AttributeError:
        by_id = _local.decompressors = {}
    if dictionary_id not in by_id:
        by_id[dictionary_id] = zstandard.ZstdDecompressor(dict_data=_dictionary(dictionary_id))
    return by_id[dictionary_id]


@cache
def _for_compression() -> zstandard.ZstdCompressionDict:
    dictionary = zstandard.ZstdCompressionDict(_folder().joinpath(CURRENT).read_bytes())
    dictionary.precompute_compress(level=LEVEL)
    return dictionary


@cache
def _dictionary(dictionary_id: int) -> zstandard.ZstdCompressionDict | None:
    if dictionary_id == 0:
        return None
    for file in _folder().iterdir():
        if file.name.endswith(".zdict"):
            dictionary = zstandard.ZstdCompressionDict(file.read_bytes())
            if dictionary.dict_id() == dictionary_id:
                return dictionary
    raise StoredBodyBroken(f"no dictionary {dictionary_id} in this program")


def _folder() -> Traversable:
    return files("yingqiao.store").joinpath("dictionaries")
