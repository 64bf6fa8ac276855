"""Filter options of the lists, made from the same words as the API's parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
import msgspec

from yingqiao.cli.output import Shape, show_rows
from yingqiao.exchange.clock import clock
from yingqiao.store.queries import Page
from yingqiao.store.queries.common import LIMIT_AT_MOST
from yingqiao.store.queries.words import Word, WordError

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


def filter_options(
    words: Sequence[Word], read: Callable[[Mapping[str, str]], _T], *, paging: bool = True
) -> Callable[[_F], _F]:
    """Adds an option for every word, --limit and --offset unless told otherwise; the command receives the filter
    as `wanted`."""
    places = {word.option.lstrip("-").replace("-", "_"): word.name for word in words}

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            given = {name: kwargs.pop(place) for place, name in places.items()}
            try:
                kwargs["wanted"] = read({name: text for name, text in given.items() if text is not None})
            except WordError as error:
                raise click.UsageError(str(error)) from error
            return function(*args, **kwargs)

        decorated: Any = wrapped
        pages = (
            click.option(
                "--limit",
                type=click.IntRange(1, LIMIT_AT_MOST),
                default=50,
                show_default=True,
                help="最多列出多少条",
            ),
            click.option(
                "--offset", type=click.IntRange(0), default=0, show_default=True, help="跳过前面多少条"
            ),
        )
        filters = (click.option(word.option, metavar="TEXT", help=word.help) for word in words)
        for option in reversed([*filters, *(pages if paging else ())]):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def show_page(page: Page[Any], columns: Mapping[str, str], shape: Shape) -> None:
    """A list as a table or CSV with times in words, or as JSON exactly as the API answers its items."""
    if shape is Shape.JSON:
        show_rows((msgspec.to_builtins(item) for item in page.items), columns, shape)
    else:
        show_rows((readable(item) for item in page.items), columns, shape)


def readable(item: msgspec.Struct) -> dict[str, Any]:
    """A struct by its member names, Unix milliseconds as Beijing time."""
    return {name: _readable(name, getattr(item, name)) for name in item.__struct_fields__}


def _readable(name: str, value: object) -> object:
    is_time = name.endswith(("_at", "_since")) and isinstance(value, int)
    return clock(value) if is_time else value  # type: ignore[arg-type]
