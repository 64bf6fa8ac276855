"""The simulated hospital's image server: some studies are not pushed but listed, and fetched from here by HTTP."""

from __future__ import annotations

import io
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from pydicom.dataset import Dataset

EVERY = 4
"""Of the studies with images so many-th is listed instead of pushed."""


class ImageServer:
    """Serves instances on a free port of this machine. A context manager."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        files = self._files

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = files.get(self.path, b"")
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, name="images", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def offer(self, datasets: Sequence[Dataset]) -> list[dict[str, Any]]:
        """The datasets as files, and the data of /images/list for each of their series (四(二)2(3))."""
        series: dict[str, list[Dataset]] = {}
        for dataset in datasets:
            series.setdefault(str(dataset.SeriesInstanceUID), []).append(dataset)
        return [_list(own[0], [self._serve(dataset) for dataset in own]) for own in series.values()]

    def _serve(self, dataset: Dataset) -> str:
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        path = f"/{dataset.StudyInstanceUID}/{len(self._files)}.dcm"
        self._files[path] = file.getvalue()
        return self.url + path


def _list(first: Dataset, addresses: list[str]) -> dict[str, Any]:
    return {
        "PATIENT_ID": str(first.get("PatientID", "")) or "0",
        "MODALITY": str(first.get("Modality", "")) or "OT",
        "ACCESS_NO": str(first.get("AccessionNumber", "")) or "0",
        "PATIENTNAME": str(first.get("PatientName", "")) or "0",
        "PATIENTAGE": str(first.get("PatientAge", "")) or "0",
        "STUDYIUID": str(first.StudyInstanceUID),
        "STUDYDATE": str(first.get("StudyDate", "")),
        "SERIESIUID": str(first.SeriesInstanceUID),
        "SERIESNO": str(first.get("SeriesNumber", "")) or "1",
        "FILEPATH": addresses,
    }
