"""`python -m yingqiao.app.worker`: one HTTP process of a gateway; see supervisor."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable

import msgspec
import orjson

from yingqiao import logging
from yingqiao.app.background import PARTS
from yingqiao.app.http_side import Gauges, Listening, run_http, store_checks
from yingqiao.app.pulse import STATE_FILE, Pulse, checks_from_state
from yingqiao.app.stores import open_stores
from yingqiao.settings import Settings
from yingqiao.web.metrics import Metrics


def main() -> None:
    task = orjson.loads(sys.stdin.buffer.readline())
    settings = msgspec.convert(task["settings"], Settings)
    logging.configure(settings.log.level)
    listening = Listening(*(socket.socket(fileno=number) for number in task["sockets"]))
    metrics, gauges = Metrics(), Gauges()
    with open_stores(settings, migrate=False) as stores:
        stores.hospitals.start()
        pulse = Pulse(metrics, [stores.gauges, gauges.read], {})
        pulse.start()
        checks = store_checks(stores) | checks_from_state(stores.folder.run / STATE_FILE, PARTS)
        try:
            run_http(settings, stores, listening, metrics, checks, gauges, _ready, _stop_at_end_of_input)
        finally:
            pulse.close()
            stores.hospitals.close()


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _stop_at_end_of_input(stop: Callable[[], None]) -> None:
    def wait() -> None:
        sys.stdin.buffer.read()
        stop()

    threading.Thread(target=wait, name="life-line", daemon=True).start()


if __name__ == "__main__":
    main()
