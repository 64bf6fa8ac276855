from pathlib import Path

import pytest

from tests.unit.spec.folder import Folder
from yingqiao.spec import Edition, load_edition


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def edition() -> Edition:
    return load_edition()
