"""Two things that baresip's C library can do and its Python binding does not offer: to turn a
caller away with another code than 486, and to say where an INVITE came from.

The functions are baresip 4.10's own, exported by the binding's extension module. They may be called
on the stack's thread only, whose lock and timers belong to it: so a job waits until the stack
answers a PING, and runs inside that answer's callback, which is on that thread and in no loop over
the stack's lists. Prototypes: baresip.h (`ua_hangup`, `uag_list`, `ua_calls`, `call_msg_src`) and
the binding's own (`bp_call_handle_find`: the handle of a call).

A call is looked up by its handle: a Call-ID names two of them when a proxy has forked the INVITE.
"""

from __future__ import annotations

import collections
import concurrent.futures
import ctypes
import ipaddress
from asyncio import wrap_future
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from baresip import Runtime, _native
from baresip._events import set_sink
from baresip._native import lib

_AF_INET, _AF_INET6 = 2, 10
_SOCKADDR_SIZE = 128

T = TypeVar("T")

_library = ctypes.CDLL(_native.__file__)
_pointer = ctypes.c_void_p


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


class _Element(ctypes.Structure):
    """`struct le` of re_list.h."""


class _List(ctypes.Structure):
    """`struct list` of re_list.h."""

    _fields_ = [("head", ctypes.POINTER(_Element)), ("tail", _pointer), ("count", ctypes.c_size_t)]


_Element._fields_ = [
    ("prev", ctypes.POINTER(_Element)),
    ("next", ctypes.POINTER(_Element)),
    ("list", _pointer),
    ("data", _pointer),
]

_agents = _function("uag_list", ctypes.POINTER(_List))
_calls_of = _function("ua_calls", ctypes.POINTER(_List), _pointer)
_handle_of = _function("bp_call_handle_find", ctypes.c_uint32, _pointer)
_ua_of = _function("call_get_ua", _pointer, _pointer)
_contact_user = _function("ua_cuser", ctypes.c_char_p, _pointer)
_source = _function("call_msg_src", ctypes.c_int, _pointer, _pointer)
_hangup = _function("ua_hangup", None, _pointer, _pointer, ctypes.c_uint16, ctypes.c_char_p)


class StackThread:
    """Runs jobs on the thread of a runtime that has been started. One a process, as the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        self._next_sink: Any = set_sink(self._sink)  # type: ignore[no-untyped-call]

    async def reject(self, handle: int, code: int, reason: str) -> None:
        """Answers an incoming call with a final code; nothing if it is gone."""

        def job() -> None:
            if (call := _find(handle)) is not None:
                _hangup(_ua_of(call), call, code, reason.encode("ascii", "replace"))

        await self._run(job)

    async def origin(self, handle: int) -> tuple[str | None, str | None]:
        """Where an incoming call's INVITE came from (`ip:port`), and the contact of its agent."""

        def job() -> tuple[str | None, str | None]:
            if (call := _find(handle)) is None:
                return None, None
            address = ctypes.create_string_buffer(_SOCKADDR_SIZE)
            source = None if _source(call, address) else _address(address.raw)
            contact: bytes = _contact_user(_ua_of(call)) or b""
            return source, contact.decode("utf-8", "replace")

        return await self._run(job)

    async def _run(self, job: Callable[[], T]) -> T:
        result: concurrent.futures.Future[T] = concurrent.futures.Future()

        def on_thread() -> None:
            try:
                result.set_result(job())
            except Exception as error:
                result.set_exception(error)

        self._jobs.append(on_thread)
        await self._runtime.cmd(lib.BP_CMD_PING)
        return await wrap_future(result)

    def _sink(self, event: int, handle: int, payload: bytes | None) -> None:
        if event == lib.BP_EV_PONG:
            while self._jobs:
                self._jobs.popleft()()
        self._next_sink(event, handle, payload)


def _find(handle: int) -> int | None:
    """The call of that handle. On the stack's thread only, where its lists hold still."""
    agents = _each(_agents())
    calls = (call for agent in agents for call in _each(_calls_of(agent)))
    return next((call for call in calls if _handle_of(call) == handle), None)


def _each(entries: Any) -> Iterator[int]:
    """What a list holds."""
    element = entries.contents.head if entries else None
    while element:
        yield element.contents.data
        element = element.contents.next


def _address(raw: bytes) -> str | None:
    """A `struct sockaddr_in` or `_in6` as text."""
    family, port = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:4], "big")
    if family == _AF_INET:
        return f"{ipaddress.IPv4Address(raw[4:8])}:{port}"
    if family == _AF_INET6:
        return f"[{ipaddress.IPv6Address(raw[8:24])}]:{port}"
    return None
