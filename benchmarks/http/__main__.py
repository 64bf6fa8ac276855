"""`python -m benchmarks.http [--seconds N] [--rows …]`: needs wrk and PostgreSQL."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.http import servers
from benchmarks.http.bodies import write_exams, write_reports
from benchmarks.http.load import Measured, run_load

EXAMS, REPORTS = 4000, 120


class Bench:
    """Rows in order, each on fresh data in `folder`."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self.folder, self.seconds = folder, seconds
        self.exams, self.reports = folder / "exams", folder / "reports"
        self.exam_bytes = write_exams(self.exams, EXAMS)
        self.rows: dict[str, Measured] = {}

    def no_store(self) -> None:
        with servers.gateway(self.folder / "off", STORE="off") as (url, pid):
            self._exams("不存储，1 进程，64 连接", url, 64, [pid])

    def sqlite(self) -> None:
        with servers.gateway(self.folder / "sqlite") as (url, pid):
            self._exams("SQLite FULL，1 进程，64 连接", url, 64, [pid])

    def postgres(self) -> None:
        with servers.postgres(self.folder / "pg") as (server, database):
            where = server.url(server.new_database())
            with servers.gateway(self.folder / "on-pg", "--database", where, "--workers", "2") as (url, pid):
                self._exams("PostgreSQL，2 进程，64 连接", url, 64, [pid, database])
                self._exams("PostgreSQL，2 进程，256 连接", url, 256, [pid, database])

    def reports_with_pdf(self) -> None:
        write_reports(self.reports, REPORTS)
        with servers.postgres(self.folder / "pg2") as (server, database):
            where = server.url(server.new_database())
            with servers.gateway(self.folder / "pdf", "--database", where, "--workers", "2") as (url, pid):
                name = "报告含 1 MB PDF，PostgreSQL，2 进程，16 连接"
                self._run(name, url, "/report/sync", self.reports, 16, [pid, database])

    def naive(self) -> None:
        with servers.naive(self.folder / "naive") as (url, pid):
            self._exams("朴素 FastAPI + gmssl + 逐条提交，64 连接", url, 64, [pid])

    def _exams(self, name: str, url: str, connections: int, processes: list[int]) -> None:
        self._run(name, url, "/exam-sync", self.exams, connections, processes)

    def _run(
        self, name: str, url: str, route: str, bodies: Path, connections: int, processes: list[int]
    ) -> None:
        self.rows[name] = row = run_load(url, route, bodies, connections, self.seconds, processes)
        print(_line(name, row), flush=True)


def _line(name: str, row: Measured) -> str:
    width = 46 - sum(ord(c) > 0x2000 for c in name)
    bad = f"  拒收 {row.refused} 错误 {row.errors}" if row.refused or row.errors else ""
    times = f"{row.p50_ms:>9.1f}{row.p99_ms:>9.1f}{row.cpu_us:>9.0f}"
    return f"{name:<{width}}{row.per_second:>9.0f}{times}{bad}"


def _ratios(rows: dict[str, Measured]) -> None:
    floor = rows.get("不存储，1 进程，64 连接")
    for name, row in rows.items():
        if floor and row is not floor and "64 连接" in name:
            print(f"{name}：不存储的 {row.per_second / floor.per_second:.0%}")


def main() -> None:
    known: dict[str, Callable[[Bench], None]] = {
        "no-store": Bench.no_store,
        "sqlite": Bench.sqlite,
        "postgres": Bench.postgres,
        "reports": Bench.reports_with_pdf,
        "naive": Bench.naive,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="per row")
    parser.add_argument("--rows", nargs="+", choices=known, default=list(known))
    parser.add_argument(
        "--folder", type=Path, help="on the disk to be measured; default: the temporary folder"
    )
    asked = parser.parse_args()
    packages = " ".join(f"{name} {version(name)}" for name in ("uvicorn", "uvloop", "httptools", "orjson"))
    print(f"{platform.machine()}，{os.cpu_count()} 核 · Python {platform.python_version()} · {packages}")
    folder = Path(tempfile.mkdtemp(prefix="yingqiao-bench-", dir=asked.folder))
    try:
        bench = Bench(folder, asked.seconds)
        print(f"检查 {bench.exam_bytes} 字节/请求；每行 {asked.seconds} 秒")
        print(f"{'':<46}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}")
        for name in asked.rows:
            known[name](bench)
        _ratios(bench.rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
