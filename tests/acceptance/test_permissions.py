"""Patient data on disk is nobody else's to read, whatever umask the gateway was started with."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.peers.gateway import RunningGateway


def test_nothing_in_the_data_folder_is_readable_by_others(shared_gateway: RunningGateway) -> None:
    modes = dict(_modes(shared_gateway.data))
    open_to_others = [path for path, mode in modes.items() if mode & stat.S_IRWXO]
    assert modes
    assert open_to_others == []


def _modes(folder: Path) -> Iterator[tuple[Path, int]]:
    """Of what is there: a running gateway also removes files."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place) / name
            with suppress(FileNotFoundError):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode):
                    yield path, mode
