"""The log's disk may be full, its reader gone: lines are lost and counted, never the work."""

import io
import json
import time

import structlog
from msgspec import Struct

from yingqiao import logging


class Line(Struct):
    n: int
    time: float | str = 1.0
    event: str = "http.request"


class Full(io.StringIO):
    """A stream that takes nothing while `full`."""

    full = True
    refused = 0

    def write(self, text: str) -> int:
        if self.full:
            self.refused += text.count("\n")
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_an_event_that_cannot_be_written_raises_nothing():
    stream = Full()
    logging.configure("info", stream)
    try:
        structlog.get_logger("x").error("store.away")
        stream.full = False
        structlog.get_logger("x").error("store.back")
    finally:
        logging.configure()
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["store.back"]


def test_the_request_log_goes_on_when_there_is_room_again():
    stream = Full()
    log = logging.RequestLog(stream, interval_s=0.01)
    log.start()
    for number in range(3):
        log.write(Line(number))
    deadline = time.monotonic() + 60
    while stream.refused < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    stream.full = False
    log.write(Line(3))
    log.close()
    log._thread.join(60)  # close itself waits for a few seconds only
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("n") for line in lines] == [3, None]
    assert lines[0]["time"] == "1970-01-01T00:00:01.000Z"
    assert (lines[1]["event"], lines[1]["count"]) == ("logging.lines_dropped", 3)
