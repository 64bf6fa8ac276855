"""The limit of open files: as high as allowed, and a warning when it is too low for the settings."""

import json
import subprocess
import sys

import pytest

CODE = """
import json, resource, sys
from yingqiao.app.descriptors import raise_limit
from yingqiao.settings import HttpSettings, Settings
resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))
print(json.dumps(raise_limit(Settings(http=HttpSettings(max_connections={connections})))))
print(json.dumps(resource.getrlimit(resource.RLIMIT_NOFILE)))
"""


@pytest.mark.parametrize(
    ("hard", "connections", "warned"), [(900, 100, True), (6000, 100, False), (6000, 5500, True)]
)
def test_the_soft_limit_becomes_the_hard_one(hard: int, connections: int, warned: bool) -> None:
    """`serve` would otherwise stop accepting at 1,024 open files, the usual soft limit."""
    code = CODE.format(hard=hard, connections=connections)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert ("gateway.few_descriptors" in done.stdout) == warned
    assert json.loads(lines[-1]) == [hard, hard]
    assert json.loads(lines[-2]) == hard
