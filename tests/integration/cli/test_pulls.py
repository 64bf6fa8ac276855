"""`yingqiao pacs pull --wait`: it ends, whatever happens to the gateway."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.integration.store.link_world import HOSPITAL
from yingqiao.app.folder import StartError, has_gateway, lock_folder
from yingqiao.app.pacs_asks import wait_for
from yingqiao.app.stores import Stores, open_stores
from yingqiao.exchange.pacs import NewPacsNode, parse_address
from yingqiao.settings import Settings
from yingqiao.store.pacs import add_node
from yingqiao.store.pull_requests import Wanted, ask
from yingqiao.store.pulls import WorkSeen
from yingqiao.store.schema import work
from yingqiao.store.work import destinations


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with open_stores(Settings(data=str(tmp_path / "data")), create=True) as opened:
        opened.hospitals.add(HOSPITAL, "某某医院", "0123456789ABCDEFFEDCBA9876543210")
        add_node(opened.database, NewPacsNode(HOSPITAL, "main", parse_address("PACS@127.0.0.1:1")))
        yield opened


def asked(stores: Stores) -> list[str]:
    with stores.database.write() as connection:
        return ask(connection, HOSPITAL, Wanted(study="1.2.3"))


def test_without_a_gateway_it_says_so(stores: Stores) -> None:
    keys = asked(stores)
    assert not has_gateway(stores.folder)
    with pytest.raises(StartError, match=r"没有网关.*已记入账本") as raised:
        wait_for(stores, keys, lambda *_: None, patience_s=0.2)
    assert raised.value.unavailable


def test_with_one_it_waits_and_says_what_for(stores: Stores) -> None:
    """The destination is paused; then somebody does the work."""
    keys = asked(stores)
    with stores.database.write() as connection:
        assert destinations.hold(connection, f"{HOSPITAL}/pacs/main")
    told: list[str] = []

    def tell(seen: WorkSeen, waits_for: str) -> None:
        told.append(waits_for)
        with stores.database.write() as connection:
            connection.execute(update(work).where(work.c.key == seen.key).values(state="done"))

    lock = lock_folder(stores.folder)
    try:
        assert has_gateway(stores.folder)
        (seen,) = wait_for(stores, keys, tell, patience_s=0.0)
    finally:
        os.close(lock)
    assert seen.state == "done"
    assert told == ["目的地已暂停", ""]
