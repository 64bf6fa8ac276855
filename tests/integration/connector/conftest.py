"""Hospitals whose connectors are stopped in the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.connector import Hospital
from tests.peers.gateway import RunningGateway

HospitalMaker = Callable[..., Hospital]


@pytest.fixture
def make_hospital(tmp_path: Path) -> Iterator[HospitalMaker]:
    made: list[Hospital] = []

    def make(gateway: RunningGateway | str, **settings: Mapping[str, Any]) -> Hospital:
        url = gateway if isinstance(gateway, str) else gateway.url
        hospital = Hospital(tmp_path / f"hospital{len(made)}", url, settings)
        made.append(hospital)
        return hospital

    yield make
    for hospital in made:
        if hospital.process is not None and hospital.process.poll() is None:
            hospital.stop(signal.SIGKILL)
