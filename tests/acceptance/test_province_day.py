"""A province's day: hospitals with RIS and modalities, connectors, one gateway; faults and kills; in the end every
balance is even and says what the simulators' own records say. No manual step (issue: "How good").
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.connector import until
from tests.helpers.days import wait_for_a_day_that_lasts
from tests.helpers.province import Province, check
from tests.peers.gateway import GatewayMaker


@pytest.fixture
def make_province(tmp_path: Path, make_gateway: GatewayMaker) -> Iterator[Callable[..., Province]]:
    made: list[Province] = []

    def make(count: int, exams: int, *, faulty: float, seconds: float) -> Province:
        province = Province(tmp_path, make_gateway(hospital=False, start=False))
        made.append(province)
        province.open(count, exams, faulty=faulty, seconds=seconds)
        province.gateway.start()
        return province

    yield make
    for province in made:
        province.close()


def settle(province: Province, seconds: float) -> None:
    """Every hospital's day is even and true, within the time."""
    deadline = time.monotonic() + seconds
    for site in province.sites:
        assert until(lambda site=site: province.is_even(site), max(1.0, deadline - time.monotonic()), 1.0), (
            site.number,
            site.truth(),
            province.balance(site)["now"],
            site.log[-3000:],
        )
    for site in province.sites:
        check(province, site)


def test_a_small_province(make_province: Callable[..., Province]):
    """Three hospitals, sixty exams, every kind of fault, one kill of everybody."""
    wait_for_a_day_that_lasts()
    province = make_province(3, 20, faulty=0.35, seconds=8)
    province.live()
    for site in province.sites:
        time.sleep(1.5)
        site.kill()
    province.kill_gateway()
    assert until(province.is_over, 300)
    settle(province, 300)


@pytest.mark.long
@pytest.mark.parametrize(("hospitals", "exams", "minutes"), [(6, 150, 15), (20, 500, 90)])
def test_a_province_day(hospitals: int, exams: int, minutes: float, make_province: Callable[..., Province]):
    """20 hospitals, 10,000 exams and reports, 20,000 small instances, 2 % faults, gateway and connectors killed at
    random; and a tenth of it.
    """
    province = make_province(hospitals, exams, faulty=0.02 if exams > 300 else 0.06, seconds=exams / 2)
    rng = random.Random(4)
    deadline = time.monotonic() + minutes * 60
    province.live()
    while not province.is_over() and time.monotonic() < deadline:
        time.sleep(rng.uniform(2, 10))
        province.kill_someone(rng, 0.15)
    assert province.is_over()
    settle(province, max(60, deadline - time.monotonic()))
    assert province.gateway_kills
    print(
        f"{hospitals} hospitals, {hospitals * exams} exams: {province.gateway_kills} kills of the gateway, "
        f"{sum(site.kills for site in province.sites)} of connectors"
    )
