"""Operations of the API, declared once for both clients.

    class Calls(Group[Shell]):
        @operation
        def get(self, call_id: str) -> Request[Call]: ...

declares a request. In a group of a blocking client `calls.get(id)` returns the call; in one of an
asyncio client it is awaited. `@listed` does the same for lists that come in pages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload
from urllib.parse import quote

from chamade.decoding import Page
from chamade.http.request import Request
from chamade.http.shells import Awaiting, Blocking

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Item = TypeVar("Item")
Shell = TypeVar("Shell", bound=Blocking | Awaiting)


class Group(Generic[Shell]):
    """Operations on one kind of thing."""

    def __init__(self, shell: Shell) -> None:
        self._shell: Blocking | Awaiting = shell

    def ask(self, request: Request[Any]) -> Any:
        """Send a request; return the answer, or an awaitable for it."""
        return self._shell.ask(request)

    def pages(self, page_at: Callable[[str | None], Request[Page[Any]]]) -> Any:
        """Return the items of a list, as an iterator or an asynchronous one."""
        return self._shell.pages(page_at)


class operation(Generic[Arguments, Result]):
    """One request, one answer."""

    def __init__(self, build: Callable[Concatenate[Any, Arguments], Request[Result]]) -> None:
        self._build = build
        update_wrapper(self, build)  # type: ignore[arg-type]

    def request(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Request[Result]:
        """Return the request without sending it: `Calls.get.request(call_id)`."""
        return self._build(None, *args, **kwargs)

    @overload
    def __get__(self, group: None, owner: type) -> operation[Arguments, Result]: ...
    @overload
    def __get__(self, group: Group[Blocking], owner: type) -> Callable[Arguments, Result]: ...
    @overload
    def __get__(
        self, group: Group[Awaiting], owner: type
    ) -> Callable[Arguments, Coroutine[Any, Any, Result]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        if group is None:
            return self

        def ask(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
            return group.ask(self._build(group, *args, **kwargs))

        return update_wrapper(ask, self._build)


class listed(Generic[Arguments, Item]):
    """A list in pages. From its arguments, the declared function makes a function that returns the
    request for the page at a cursor.
    """

    def __init__(
        self,
        build: Callable[Concatenate[Any, Arguments], Callable[[str | None], Request[Page[Item]]]],
    ) -> None:
        self._build = build
        update_wrapper(self, build)  # type: ignore[arg-type]

    def request(
        self, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Callable[[str | None], Request[Page[Item]]]:
        """Return the request for the page at a cursor, without sending it."""
        return self._build(None, *args, **kwargs)

    @overload
    def __get__(self, group: None, owner: type) -> listed[Arguments, Item]: ...
    @overload
    def __get__(
        self, group: Group[Blocking], owner: type
    ) -> Callable[Arguments, Iterator[Item]]: ...
    @overload
    def __get__(
        self, group: Group[Awaiting], owner: type
    ) -> Callable[Arguments, AsyncIterator[Item]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        if group is None:
            return self

        def pages(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
            return group.pages(self._build(group, *args, **kwargs))

        return update_wrapper(pages, self._build)


def part(text: str) -> str:
    """Return `text` as one part of a path. Raises ValueError if it would make another path of
    it.
    """
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} is no id")
    return quote(text, safe="+")


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
