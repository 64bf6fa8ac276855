"""What only grows is a counter, the rest are gauges (Prometheus: names of counters end in _total)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from yingqiao.web.metrics import Metrics


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.text().decode().splitlines())


def test_what_grows_is_a_counter() -> None:
    metrics = Metrics()
    for number in (0, 3, 3, 10):
        metrics.stand({"dicom_instances_received_total": number, "index_queue": number})
    metrics.stand({"index_queue": 2})
    assert {
        "# TYPE yingqiao_dicom_instances_received_total counter",
        "yingqiao_dicom_instances_received_total 10.0",
        "# TYPE yingqiao_index_queue gauge",
        "yingqiao_index_queue 2.0",
    } <= lines(metrics)


def test_a_counter_never_falls() -> None:
    metrics = Metrics()
    for number in (5, 2, 6):
        metrics.stand({"commitment_requests_total": number})
    assert "yingqiao_commitment_requests_total 6.0" in lines(metrics)


def test_labels_of_gauges() -> None:
    metrics = Metrics()
    metrics.stand(
        {"register_as_of_seconds{register=hospitals}": 5, "register_as_of_seconds{register=applications}": 7}
    )
    assert {
        'yingqiao_register_as_of_seconds{register="hospitals"} 5.0',
        'yingqiao_register_as_of_seconds{register="applications"} 7.0',
    } <= lines(metrics)


def test_the_oldest_register_of_several_processes_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of when a change is known everywhere; of connections it is their sum."""
    program = (
        "from yingqiao.web.metrics import Metrics; import sys; metrics = Metrics(); "
        "metrics.stand({'register_as_of_seconds{register=hospitals}': float(sys.argv[1]), 'http_connections': 2.0}); "
        "print(metrics.text().decode()); sys.stdout.flush(); sys.stdin.read()"
    )
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    command = [sys.executable, "-c", program]
    with subprocess.Popen([*command, "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        while "yingqiao_http_connections" not in first.stdout.readline():
            """Until its numbers are in its file."""
        second = subprocess.run([*command, "9"], capture_output=True, text=True, input="", check=True)
        assert first.stdin is not None
        first.stdin.close()
        first.stdout.read()
    assert 'yingqiao_register_as_of_seconds{register="hospitals"} 7.0' in second.stdout
    assert "yingqiao_http_connections 4.0" in second.stdout
