"""Functions of baresip's C library that its Python binding does not offer.

They free an agent, dial with another From than the account's, reject a call with another code than
486, and tell the source of an INVITE.

The functions are baresip 4.10's own, exported by the binding's extension module. They may be called
on the stack's thread only, whose lock and timers belong to it: so a job waits until the stack
answers a PING, and runs inside that answer's callback, which is on that thread and in no loop over
the stack's lists. Prototypes: baresip.h, re_mem.h, re_list.h and the binding's own
(`bp_call_handle_find`: the handle of a call).

Agents and calls are named by handle: a Call-ID names two calls when a proxy has forked the INVITE.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import ctypes
import ipaddress
import os
from asyncio import wrap_future
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from baresip import BaresipError, Runtime, StaleHandleError, _native
from baresip._events import set_sink
from baresip._native import lib

from gateway.legs.sip.child.handles import AGENT, CALL, HandleTable

_AF_INET, _AF_INET6 = 2, 10
_SOCKADDR_SIZE = 128
_NO_VIDEO = 0
_ENCRYPTION = b"srtp"
"""Media encryption by SDES, if both sides want it."""

T = TypeVar("T")

_library = ctypes.CDLL(_native.__file__)
_pointer, _text = ctypes.c_void_p, ctypes.c_char_p


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


class _Slice(ctypes.Structure):
    """`struct pl` of re_fmt.h: a text and its length."""

    _fields_ = [("text", _text), ("length", ctypes.c_size_t)]

    @classmethod
    def of(cls, text: str) -> _Slice:
        """Return the slice of a text for one call: the C library copies it."""
        encoded = text.encode()
        return cls(encoded, len(encoded))


class _List(ctypes.Structure):
    """`struct list` of re_list.h."""

    _fields_ = [("head", _pointer), ("tail", _pointer), ("count", ctypes.c_size_t)]


_account_of = _function("ua_account", _pointer, _pointer)
_add_header = _function("ua_add_custom_hdr", ctypes.c_int, _pointer, _pointer, _pointer)
_agent_of = _function("call_get_ua", _pointer, _pointer)
_calls_of = _function("ua_calls", ctypes.POINTER(_List), _pointer)
_connect = _function("ua_connect", ctypes.c_int, _pointer, _pointer, _text, _text, ctypes.c_int)
_contact_user = _function("ua_local_cuser", _text, _pointer)
_destroy = _function("ua_destroy", ctypes.c_uint, _pointer)
_encrypt = _function("account_set_mediaenc", ctypes.c_int, _pointer, _text)
_handle_of = _function("bp_call_handle_find", ctypes.c_uint32, _pointer)
_hangup = _function("ua_hangup", None, _pointer, _pointer, ctypes.c_uint16, _text)
_references = _function("mem_nrefs", ctypes.c_uint32, _pointer)
_register = _function("ua_register", ctypes.c_int, _pointer)
_set_headers = _function("ua_set_custom_hdrs", ctypes.c_int, _pointer, _pointer)
_shown_contact = _function("ua_pub_gruu_set", None, _pointer, _pointer)
_source = _function("call_msg_src", ctypes.c_int, _pointer, _pointer)
_stop_registering = _function("ua_stop_register", None, _pointer)
_streams_of = _function("call_streaml", ctypes.POINTER(_List), _pointer)


class Invite(NamedTuple):
    """The data of an INVITE to be sent."""

    user: str
    """The user part of the caller, in From and Contact."""
    domain: str
    to_uri: str
    headers: Mapping[str, str]
    account: str
    """The user name of the account: the value that `show_contact` sets for other calls."""
    encrypted: bool
    """True if encrypted audio is offered."""


class StackThread:
    """The runner of jobs on the thread of a started runtime.

    One for a process, like the runtime.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Take over the binding's events.

        Raises OSError if the binding is not the version that this module knows.
        """
        self._runtime = runtime
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        self._table = HandleTable(_library, _native.__file__)
        self._next_sink: Any = set_sink(self._sink)  # type: ignore[no-untyped-call]

    # Agents.

    async def show_contact(self, agent: int, user: str) -> None:
        """Set `Contact: user` for the calls that come to an agent.

        The contact that it registers with stays known to it and the registrar only.
        """

        def job() -> None:
            _shown_contact(self._agent(agent), ctypes.byref(_Slice.of(user)))

        await self._run(job)

    async def register(self, agent: int) -> None:
        """Send a REGISTER. Raises BaresipError if it cannot be sent."""
        error = await self._run(lambda: _register(self._agent(agent)))
        if error:
            raise BaresipError(os.strerror(error))

    async def stop_registering(self, agent: int) -> None:
        """Remove an agent's registration, if the registrar has one; the outcome is not reported.

        The stack itself completes a REGISTER that is under way.
        """

        def job() -> None:
            with contextlib.suppress(StaleHandleError):
                _stop_registering(self._agent(agent))

        await self._run(job)

    async def destroy(self, agent: int) -> bool:
        """Destroy an agent and free its handle; return False while it has calls."""

        def job() -> bool:
            pointer = self._table.pointer(agent, AGENT)
            if pointer is None:
                return True
            if _calls_of(pointer).contents.count or _references(pointer) != 1:
                return False
            # Its last events still name the agent by its handle, so the handle is freed only after
            # them.
            _destroy(pointer)
            self._table.free(agent)
            return True

        return await self._run(job)

    async def handles(self) -> int:
        """Return the number of handles in use."""
        return await self._run(lambda: self._table.used)

    # Calls.

    async def dial(self, agent: int, invite: Invite) -> tuple[int, bool]:
        """Send an INVITE. Return the handle of its call, and whether `accept_encryption` is not
        needed.

        Raises BaresipError if it cannot be sent.
        """

        def job() -> tuple[int, bool]:
            pointer = self._agent(agent)
            call = _pointer()
            for name, value in invite.headers.items():
                slices = _Slice.of(name), _Slice.of(value)
                _add_header(pointer, *map(ctypes.byref, slices))
            if not invite.encrypted:
                _encrypt(_account_of(pointer), None)
            _shown_contact(pointer, ctypes.byref(_Slice.of(invite.user)))
            error = _connect(
                pointer,
                ctypes.byref(call),
                f"sip:{invite.user}@{invite.domain}".encode(),
                invite.to_uri.encode(),
                _NO_VIDEO,
            )
            _shown_contact(pointer, ctypes.byref(_Slice.of(invite.account)))
            _set_headers(pointer, None)
            # On a connection that is still being set up, the offer is written only once it is open.
            written = bool(error) or _streams_of(call).contents.count > 0
            if written:
                _encrypt(_account_of(pointer), _ENCRYPTION)
            if error:
                raise BaresipError(os.strerror(error))
            if not (handle := _handle_of(call)):
                _hangup(pointer, call, 0, None)
                raise BaresipError("the SIP stack has no handle left")
            return handle, written

        return await self._run(job)

    async def accept_encryption(self, agent: int) -> None:
        """Allow encrypted calls of an agent again, after a call that was dialled without
        encryption."""

        def job() -> None:
            with contextlib.suppress(StaleHandleError):
                _encrypt(_account_of(self._agent(agent)), _ENCRYPTION)

        await self._run(job)

    async def reject(self, call: int, code: int, reason: str) -> None:
        """Reject an incoming call with a final code; do nothing if it is gone."""

        def job() -> None:
            if (pointer := self._table.pointer(call, CALL)) is not None:
                _hangup(_agent_of(pointer), pointer, code, reason.encode("ascii", "replace"))

        await self._run(job)

    async def origin(self, call: int) -> tuple[str | None, str | None]:
        """Return the source of an incoming call's INVITE (`ip:port`), and the contact of its
        agent."""

        def job() -> tuple[str | None, str | None]:
            if (pointer := self._table.pointer(call, CALL)) is None:
                return None, None
            address = ctypes.create_string_buffer(_SOCKADDR_SIZE)
            source = None if _source(pointer, address) else _address(address.raw)
            contact: bytes = _contact_user(_agent_of(pointer)) or b""
            return source, contact.decode("utf-8", "replace")

        return await self._run(job)

    # Jobs.

    def _agent(self, handle: int) -> int:
        if (pointer := self._table.pointer(handle, AGENT)) is None:
            raise StaleHandleError("the agent is gone")
        return pointer

    async def _run(self, job: Callable[[], T]) -> T:
        result: concurrent.futures.Future[T] = concurrent.futures.Future()

        def on_thread() -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                result.set_result(job())
            except Exception as error:
                result.set_exception(error)

        self._jobs.append(on_thread)
        try:
            await self._runtime.cmd(lib.BP_CMD_PING)
        except BaresipError:
            # A later PING must not run a job that its caller has seen as failed.
            if result.cancel():
                raise
        return await wrap_future(result)

    def _sink(self, event: int, handle: int, payload: bytes | None) -> None:
        if event == lib.BP_EV_PONG:
            while self._jobs:
                self._jobs.popleft()()
        self._next_sink(event, handle, payload)


def _address(raw: bytes) -> str | None:
    """Return a `struct sockaddr_in` or `_in6` as text."""
    family, port = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:4], "big")
    if family == _AF_INET:
        return f"{ipaddress.IPv4Address(raw[4:8])}:{port}"
    if family == _AF_INET6:
        return f"[{ipaddress.IPv6Address(raw[8:24])}]:{port}"
    return None
