"""Commands start fast: what only the gateway needs is not loaded by a command that looks something up."""

import subprocess
import sys

import pytest

GATEWAY_ONLY = [
    "alembic",
    "httpx",
    "prometheus_client",
    "psycopg",
    "pydicom",
    "pynetdicom",
    "starlette",
    "uvicorn",
    "uvloop",
    "yingqiao.web",
]


@pytest.mark.parametrize(
    "words", [["exams", "list"], ["submissions", "list"], ["studies", "list"], ["reports", "list"]]
)
def test_a_list_loads_nothing_of_the_gateway(words: list[str], tmp_path) -> None:
    yingqiao = [sys.executable, "-c", "from yingqiao.cli import main; main()"]
    where = ["--data", str(tmp_path)]
    subprocess.run([*yingqiao, "hospitals", "list", *where], check=True, capture_output=True)
    code = (
        "import sys; from yingqiao.cli import main\n"
        f"main({[*words, *where]!r}, standalone_mode=False)\n"
        f"print([name for name in {GATEWAY_ONLY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_connector_loads_no_simulator() -> None:
    """It starts on a hospital's old machine, and after every power cut."""
    heavy = ["alembic", "dbos", "numpy", "pydicom", "pynetdicom", "starlette", "yingqiao.app.stores"]
    code = (
        "import sys; from yingqiao.cli import main\n"
        "main(['hospital', 'run', '--help'], standalone_mode=False)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
