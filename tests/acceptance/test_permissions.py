"""Patient data on disk is nobody else's to read, whatever umask the gateway was started with."""

import stat

from tests.peers.gateway import RunningGateway


def test_nothing_in_the_data_folder_is_readable_by_others(shared_gateway: RunningGateway) -> None:
    paths = list(shared_gateway.data.rglob("*"))
    open_to_others = [p for p in paths if not p.is_symlink() and p.stat().st_mode & stat.S_IRWXO]
    assert paths
    assert open_to_others == []
