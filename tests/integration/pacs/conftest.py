"""A PACS of each kind, and gateways' pulling sides, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.pacs.rig import Rig, rigs
from tests.peers.pacs import Dcmqrscp, OrthancPacs


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    yield from rigs(tmp_path)


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()


@pytest.fixture
def make_orthanc(tmp_path: Path) -> Iterator[Callable[..., OrthancPacs]]:
    made: list[OrthancPacs] = []

    def make(**settings: Any) -> OrthancPacs:
        aet = settings.pop("aet", "ORTHANC")
        pacs = OrthancPacs(tmp_path / f"orthanc{len(made)}", aet=aet, settings=settings)
        made.append(pacs)
        return pacs.start()

    yield make
    for pacs in made:
        pacs.stop()


@pytest.fixture
def make_dcmqrscp(tmp_path: Path) -> Iterator[Callable[..., Dcmqrscp]]:
    made: list[Dcmqrscp] = []

    def make(**given: Any) -> Dcmqrscp:
        pacs = Dcmqrscp(tmp_path / f"qrscp{len(made)}", **given)
        made.append(pacs)
        return pacs.start()

    yield make
    for pacs in made:
        pacs.stop()
