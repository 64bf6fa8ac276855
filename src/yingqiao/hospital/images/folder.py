"""Images that lie in folders: their series are listed to the gateway, which fetches the files (四(二)2(3))."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog

from yingqiao.dicom.index import read_facts
from yingqiao.exchange.model import InstanceFacts
from yingqiao.hospital.config import Images
from yingqiao.hospital.errors import ConfigError, SpoolFullError
from yingqiao.hospital.images.pacs import age
from yingqiao.hospital.images.patient import with_patient
from yingqiao.hospital.queries import SeriesQuestion
from yingqiao.hospital.source import SourceUnavailableError
from yingqiao.hospital.spool.intake import keep_series
from yingqiao.hospital.spool.store import Spool
from yingqiao.store.errors import StoreError

log = structlog.get_logger(__name__)
SOURCE = "images"
_BATCH = 100
_META_AT = 144
"""Preamble, DICM and the group length element."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was when read."""

    size: int
    changed: float
    facts: InstanceFacts | None
    """None: no DICOM instance."""


class FolderLister:
    """Scans a folder now and then; each series whose files are settled goes into the spool when it changed."""

    def __init__(self, settings: Images, base: Path, spool: Spool, taken: Callable[[], None]) -> None:
        """Relative folders start from `base`. Raises ConfigError."""
        self._settings, self._spool, self._on_taken = settings, spool, taken
        self._root = base / settings.folder
        if not self._root.is_dir():
            raise ConfigError(f"images.folder 不是目录：{self._root}")
        self._seen: dict[Path, _Seen] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="images-folder", daemon=True)
        self._reason = ""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(15)

    def alarms(self) -> list[str]:
        return [f"影像目录：{self._reason}"] if self._reason else []

    def scan(self) -> int:
        """Looks at every file once, keeps what is new; how many series there are. Raises OSError, StoreError,
        SpoolFullError.
        """
        lists = self._lists()
        for start in range(0, len(lists), _BATCH):
            batch = with_patient(self._spool, lists[start : start + _BATCH])
            taken = keep_series(self._spool, SOURCE, batch)
            if taken.new or taken.changed:
                self._on_taken()
        return len(lists)

    def series(self, question: SeriesQuestion) -> Iterator[dict[str, Any]]:
        """Raises SourceUnavailableError."""
        try:
            lists = self._lists()
        except OSError as error:
            raise SourceUnavailableError(f"读不了影像目录：{error.strerror}") from error
        return (one for one in lists if _fits(one, question))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.scan()
                self._reason = ""
            except (OSError, StoreError, SpoolFullError) as error:
                self._reason = str(error)
                log.warning("folder.scan_failed", reason=str(error))
            except Exception as error:  # one odd file must not end the scanning unseen
                self._reason = f"本程序出错：{type(error).__name__}"
                log.exception("folder.scan_broken")
            self._stopping.wait(self._settings.scan_seconds)

    def _lists(self) -> list[dict[str, Any]]:
        """The data of /images/list of every settled series, in the order of their UIDs."""
        with self._guard:
            found: dict[Path, _Seen] = {}
            series: dict[str, list[tuple[Path, InstanceFacts]]] = {}
            growing: set[str] = set()
            for path in _files(self._root):
                seen = found[path] = self._look(path)
                if seen.facts is None or not seen.facts.series_uid:
                    continue
                series.setdefault(seen.facts.series_uid, []).append((path, seen.facts))
                if time.time() - seen.changed < self._settings.settle_seconds:
                    growing.add(seen.facts.series_uid)
            self._seen = found
        return [self._list(series[uid]) for uid in sorted(series) if uid not in growing]

    def _look(self, path: Path) -> _Seen:
        stat = path.stat()
        known = self._seen.get(path)
        if known is not None and (known.size, known.changed) == (stat.st_size, stat.st_mtime):
            return known
        return _Seen(stat.st_size, stat.st_mtime, read_file(path))

    def _list(self, files: list[tuple[Path, InstanceFacts]]) -> dict[str, Any]:
        base = self._settings.base_url.rstrip("/")
        paths = sorted(path.relative_to(self._root).as_posix() for path, _ in files)
        first = min(files, key=lambda one: one[0])[1]
        day = first.study_date
        return {
            "PATIENT_ID": first.patient_id,
            "MODALITY": first.modality,
            "PATIENTSEX": first.patient_sex,
            "ACCESS_NO": first.accession_number,
            "PATIENTNAME": first.patient_name,
            "PATIENTAGE": age(first.patient_birth_date, day),
            "STUDYIUID": first.study_uid,
            "STUDYDATE": f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 else day,
            "SERIESIUID": first.series_uid,
            "SERIESNO": first.series_number,
            "FILEPATH": [f"{base}/{quote(path)}" for path in paths],
        }


def read_file(path: Path) -> InstanceFacts | None:
    """The facts of a Part 10 file; None when it is none."""
    from pydicom.errors import InvalidDicomError  # a third of a second, which other modes need not wait for
    from pydicom.filereader import read_file_meta_info

    try:
        meta = read_file_meta_info(path)
        syntax, sop_class, sop_instance = (
            str(meta.get(name, ""))
            for name in ("TransferSyntaxUID", "MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID")
        )
        start = _META_AT + int(meta.FileMetaInformationGroupLength)
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as whole,
            whole[start:] as dataset,
        ):
            return read_facts(dataset, syntax, sop_class, sop_instance)
    except (InvalidDicomError, AttributeError, ValueError, EOFError, OSError):
        return None


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder) / name


def _fits(one: dict[str, Any], question: SeriesQuestion) -> bool:
    return (
        (not question.start or one["STUDYDATE"] >= question.start)
        and (not question.end or one["STUDYDATE"] < question.end)
        and (not question.accessions or one["ACCESS_NO"] in question.accessions)
        and question.study_uid in (None, one["STUDYIUID"])
        and question.series_uid in (None, one["SERIESIUID"])
    )
