"""Bodies at rest."""

from __future__ import annotations

import threading

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from yingqiao.store.compression import compress, decompress
from yingqiao.store.errors import StoredBodyBroken


@settings(deadline=None)
@given(st.binary(max_size=5000))
def test_there_and_back(raw: bytes) -> None:
    assert decompress(compress(raw)) == raw


def test_the_frame_names_its_dictionary() -> None:
    header = zstandard.get_frame_parameters(compress(b"{}"))
    assert header.dict_id != 0
    assert header.has_checksum


def test_records_become_much_smaller() -> None:
    body = (
        '{"patName":"张三","sex":"1","hospitalCode":"H1","studyUid":"1.2.3","reportDoctor":"李四"}'.encode()
    )
    assert len(compress(body)) < len(body) * 0.8


def test_frames_without_our_dictionary_are_read() -> None:
    assert decompress(zstandard.compress(b"abc")) == b"abc"


@pytest.mark.parametrize("broken", [b"", b"\x28\xb5", b"not zstd at all", compress(b"a" * 1000)[:-3]])
def test_broken_frames(broken: bytes) -> None:
    with pytest.raises(StoredBodyBroken):
        decompress(broken)


def test_one_flipped_bit_is_found() -> None:
    frame = bytearray(compress(bytes(range(256)) * 4))
    frame[-1] ^= 1
    with pytest.raises(StoredBodyBroken):
        decompress(bytes(frame))


def test_decompression_is_bounded() -> None:
    bomb = compress(bytes(10_000_000))
    assert len(bomb) < 5000
    with pytest.raises(StoredBodyBroken):
        decompress(bomb, limit=1_000_000)
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(10_000_000))
    with pytest.raises(StoredBodyBroken):
        decompress(silent, limit=1_000_000)


def test_a_dictionary_that_is_not_here() -> None:
    samples = [b"sample %d of something" % n * 9 for n in range(500)]
    foreign = zstandard.ZstdCompressor(dict_data=zstandard.train_dictionary(4096, samples)).compress(
        b"x" * 99
    )
    with pytest.raises(StoredBodyBroken):
        decompress(foreign)


def test_many_threads() -> None:
    wrong: list[int] = []

    def run(seed: int) -> None:
        for number in range(200):
            raw = f'{{"patName":"{seed}-{number}"}}'.encode() * 50
            if decompress(compress(raw)) != raw:
                wrong.append(seed)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
