"""One code path for the blocking and the async face: a call is a generator that asks for what it needs done.

It yields a `Request` and is sent the `Response`, or yields a `Pause`; what fails on the wire is thrown into it. What to
say, when to say it again and how to read the answer is written once; only sending and sleeping have two colours
(transport.py).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Request:
    """A POST (T07)."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    """Looked up by names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Talk = Generator[Request | Pause, Any, T]
"""A `Request` is answered with a `Response`, a `Pause` with None."""


class BlockingFace(Protocol):
    def speak(self, talk: Talk[T], /) -> T: ...


class AsyncFace(Protocol):
    def speak(self, talk: Talk[T], /) -> Coroutine[Any, Any, T]: ...


class spoken(Generic[P, T]):  # noqa: N801 -- a decorator
    """A method written as a talk: on a blocking face it returns the result, on an async one a coroutine of it."""

    def __init__(self, make: Callable[Concatenate[Any, P], Talk[T]]) -> None:
        @wraps(make)
        def call(face: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return face.speak(make(face, *args, **kwargs))

        self._call = call
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, face: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, face: BlockingFace, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, face: AsyncFace, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, face: Any, owner: type) -> Any:
        return self._call if face is None else MethodType(self._call, face)
