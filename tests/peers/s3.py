"""An S3 service: moto's server, a process of its own, optionally checking signatures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.helpers.ports import free_port
from tests.peers.dcmtk import end, wait_for_port


@contextmanager
def s3_server() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MOTO_ALLOW_NONEXISTENT_REGION": "true"},
    )
    try:
        wait_for_port(port, process=process)
        yield port
    finally:
        end(process)


def put(port: int, bucket: str, objects: dict[str, bytes]) -> None:
    """A bucket with objects that anybody may read when their name starts with `public`."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120) as client:
        client.put(f"/{bucket}").raise_for_status()
        for key, data in objects.items():
            acl = {"x-amz-acl": "public-read"} if key.startswith("public") else {}
            client.put(f"/{bucket}/{key}", content=data, headers=acl).raise_for_status()
