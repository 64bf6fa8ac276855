"""Where a person wants the seal: places as the page is shown, millimetres from its left and top. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from yingqiao.seal_client.errors import Refused

MAX_KEYWORD = 64
_MOST = 1000
_FARTHEST = 20_000.0

_Millimetres = Annotated[float, Meta(ge=-_FARTHEST, le=_FARTHEST)]


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Upper left corner of the seal on a page (from 1)."""

    page: Annotated[int, Meta(ge=1, le=100_000)]
    x: _Millimetres
    y: _Millimetres


class Paging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A paging seal (骑缝章): the edge, and how far along it, None = the middle; which pages, how many a seal."""

    side: Literal["right", "left", "top", "bottom"] = "right"
    offset: _Millimetres | None = None
    which: Literal["all", "odd", "even", "duplex", "facing"] = "all"
    group: Annotated[int, Meta(ge=2, le=1000)] | None = None


class Wishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One act of sealing."""

    points: Annotated[tuple[Point, ...], Meta(max_length=_MOST)] = ()
    paging: Paging | None = None


def read_wishes(value: Any) -> Wishes:
    """Raises Refused 400."""
    try:
        wishes = msgspec.convert(value, Wishes)
    except msgspec.ValidationError as error:
        raise Refused(400, "bad-request", f"盖章位置不对：{error}") from None
    if not wishes.points and wishes.paging is None:
        raise Refused(400, "no-place", "还没有选择盖章位置")
    return wishes
