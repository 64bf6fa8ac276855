"""DCMTK's dcmqrscp as a second PACS: its own database, its own view of the standard."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.helpers.ports import free_port
from tests.peers.dcmtk import end, wait_for_port

_CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP {folder} RW (200, 1024mb) ANY
AETable END
"""


@contextlib.contextmanager
def dcmqrscp(
    folder: Path, files: Iterable[Path], destinations: Mapping[str, int], *options: str
) -> Iterator[int]:
    """The port of one that holds `files`; `destinations` of C-MOVE: AE title → loopback port."""
    assert shutil.which("dcmqrscp"), "DCMTK is missing: run scripts/peers.sh"
    storage = folder / "storage"
    storage.mkdir(parents=True)
    for file in files:
        shutil.copy(file, storage)
    stored = sorted(map(str, storage.iterdir()))
    if stored:
        subprocess.run(["dcmqridx", str(storage), *stored], check=True, capture_output=True)
    port = free_port()
    hosts = "\n".join(f"h{n} = ({aet}, 127.0.0.1, {p})" for n, (aet, p) in enumerate(destinations.items()))
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(_CONFIGURATION.format(port=port, hosts=hosts, folder=storage))
    with (folder / "log").open("wb") as log:
        command = ["dcmqrscp", "-v", "-c", str(configuration), *options]
        process = subprocess.Popen(
            command, env=os.environ | {"TCP_NODELAY": "1"}, stdout=log, stderr=log, cwd=folder
        )
    try:
        wait_for_port(port, process=process)
        yield port
    finally:
        end(process)
