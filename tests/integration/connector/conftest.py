"""Hospitals whose connectors are stopped in the end."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.senders import HOSPITAL
from tests.helpers.connector import Hospital
from tests.peers.gateway import RunningGateway
from yingqiao.hospital.simulate.people import credit_code

HospitalMaker = Callable[..., Hospital]
_numbers = itertools.count(1)


@pytest.fixture
def make_hospital(tmp_path: Path) -> Iterator[HospitalMaker]:
    """Hospitals of a gateway; `own=True`: with a code of its own, on a gateway that serves other tests too."""
    made: list[Hospital] = []

    def make(gateway: RunningGateway | str, *, own: bool = False, **settings: Mapping[str, Any]) -> Hospital:
        url = gateway if isinstance(gateway, str) else gateway.url
        code = HOSPITAL
        if own and not isinstance(gateway, str):
            code = credit_code(f"{12149900000002000 + next(_numbers):017d}")
            gateway.add_hospital(code)
        hospital = Hospital(tmp_path / f"hospital{len(made)}", url, settings, code=code)
        made.append(hospital)
        return hospital

    yield make
    for hospital in made:
        if hospital.process is not None and hospital.process.poll() is None:
            hospital.stop(signal.SIGKILL)
