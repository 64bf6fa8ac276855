"""Messages between a pool and its workers: what a worker in a stranger's hands may say (D8)."""

from __future__ import annotations

import io
import pickle
import struct

import pytest

from yingqiao.sandbox import wire
from yingqiao.sandbox.wire import Pieces, WireError


def read_back(*values: object) -> list[object]:
    stream = io.BytesIO()
    wire.send(stream, list(values))
    stream.seek(0)
    return wire.receive(stream, 1 << 20, trusted=True)


def test_bytes_in_pieces_arrive_in_one():
    large = bytes(range(256)) * 300
    assert read_back("a", large, Pieces([b"x" * 70_000, b"", b"yz"]), ("\0raw",), {"k": 1}) == [
        "a",
        large,
        Pieces((b"x" * 70_000 + b"yz",)),
        ("\0raw",),
        {"k": 1},
    ]


@pytest.mark.parametrize("number", [1, -1, "0", None, 1.0])
@pytest.mark.parametrize("mark", ["\0raw", "\0pieces"])
def test_a_mark_for_bytes_that_did_not_come_is_no_answer(mark: str, number: object):
    """Found in review: it was an IndexError of the gateway's, not a worker that had crashed."""
    message = pickle.dumps(["done", (mark, number)], 5)
    stream = io.BytesIO(struct.pack(">QQ", len(message), 1) + message + struct.pack(">Q", 2) + b"ab")
    with pytest.raises(WireError):
        wire.receive(stream, 1 << 20, trusted=False)
