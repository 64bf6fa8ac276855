"""What an /images/list request asks for, and what it is answered (四(二)2(3), T90, T94, T95). Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from yingqiao.exchange.findings import Collector
from yingqiao.exchange.model import ImageList, ListedFile
from yingqiao.exchange.record import Texts
from yingqiao.exchange.values import shorten
from yingqiao.spec import Table

Reach = Callable[[str], str]
"""An address as sent -> why it will not be fetched, Chinese; '' when it will be."""
MAX_UID = 64
MAX_REFUSED_SHOWN = 1000
"""Refused addresses listed in an answer; the rest is counted."""


def nothing_registered(_: str) -> str:
    """The reach of a hospital without registered hosts."""
    return "该机构还没有登记允许下载的主机"


def images_of(
    hospital_code: str, values: Mapping[str, Any], reach: Reach, table: Table, found: Collector
) -> ImageList:
    """The list in the validated values of table images_list; what refuses it or some addresses goes to
    `found`.
    """
    text = Texts(values)
    addresses: tuple[str, ...] = values.get("FILEPATH", ())
    if not addresses:
        mend = "请把该序列全部文件的完整地址放入 FILEPATH"
        found.add(table.field("FILEPATH"), "addresses", "没有文件地址", mend, ("T94",))
    series_uid = text("SERIESIUID")
    if len(series_uid) > MAX_UID:
        problem = f"长度 {len(series_uid)}，超过 DICOM UID 的 {MAX_UID}，无法作为标识"
        found.add(table.field("SERIESIUID"), "key", problem, "请发送完整的 Series Instance UID", ("T95",))
    files = tuple(_file(address, reach(address)) for address in addresses)
    _say_refused(files, table, found)
    return ImageList(
        hospital_code=hospital_code,
        series_uid=series_uid,
        study_uid=text("STUDYIUID"),
        accession_number=text("ACCESS_NO"),
        patient_id=text("PATIENT_ID"),
        patient_name=text("PATIENTNAME"),
        modality=text("MODALITY"),
        study_date=text("STUDYDATE"),
        files=files,
    )


def _file(address: str, refused: str) -> ListedFile:
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).digest()
    return ListedFile(address, digest, refused)


def _say_refused(files: tuple[ListedFile, ...], table: Table, found: Collector) -> None:
    """A finding per address; when one reason holds for very many, the collector counts what is beyond its
    bound.
    """
    field = table.field("FILEPATH")
    for file in files:
        if file.refused:
            problem = f"{shorten(file.url, 200)}：{file.refused}"
            found.add(field, "url-host", problem, "请联系平台登记该主机，登记后会自动下载", ("T94",))


def refusal_of(images: ImageList) -> str:
    """The answer's message when none of the addresses will be fetched."""
    reason, count = Counter(file.refused for file in images.files).most_common(1)[0]
    return f"{len(images.files)} 个地址都不能下载：{reason}" + (f"（{count} 个）" if count > 1 else "")


def receipt(images: ImageList, already_there: Collection[bytes] = ()) -> dict[str, Any]:
    """What an answer's content says of the addresses. `already_there`: digests of those the list had
    before, waiting or done; they count neither as accepted nor as refused.
    """
    refused = [file for file in images.files if file.refused and file.digest not in already_there]
    known = sum(file.digest in already_there for file in images.files)
    said: dict[str, Any] = {
        "accepted": len(images.files) - known - len(refused),
        "alreadyThere": known,
        "refused": [{"url": file.url, "reason": file.refused} for file in refused[:MAX_REFUSED_SHOWN]],
    }
    if len(refused) > MAX_REFUSED_SHOWN:
        said["refusedCount"] = len(refused)
    return said
