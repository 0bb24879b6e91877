"""The binding's table of handles: finds the agent or call of a handle, and frees handles.

The binding has 1,023 handles for agents and calls together. It frees a call's handle when the call
closes, and an agent's never. So the table itself (`g_slots`, baresip-python 0.5.2) is found by its
symbol, and the entry of a destroyed agent is cleared in the way the binding clears a call's: no
pointer, no kind, the generation raised by one, so that old handles point to nothing any more.

All of this runs on the stack's thread only. `tests/unit/gateway/sip/test_agents.py` checks the
layout.
"""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path
from typing import NamedTuple

HANDLES = 1023
"""Agents and calls that the binding can have at the same time."""

AGENT, CALL = 1, 2
"""Kinds of entries."""

_TABLE = "g_slots"
_INDEX_BITS = 24
_SYMTAB = 2
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


class _Slot(ctypes.Structure):
    """`struct bp_slot` of the binding."""

    _fields_ = [
        ("pointer", ctypes.c_void_p),
        ("kind", ctypes.c_int),
        ("generation", ctypes.c_uint8),
    ]


class _Symbol(NamedTuple):
    address: int
    size: int


class HandleTable:
    """The table of the loaded library. Raises OSError if the table is not where we look for it."""

    def __init__(self, library: ctypes.CDLL, path: str) -> None:
        found = _symbols(Path(path).read_bytes(), {_TABLE, "bp_cmd"})
        table, anchor = found.get(_TABLE), found.get("bp_cmd")
        if table is None or anchor is None or table.size != (HANDLES + 1) * ctypes.sizeof(_Slot):
            raise OSError(f"{path} has no table of {HANDLES} handles: another version than ours?")
        loaded = ctypes.cast(library.bp_cmd, ctypes.c_void_p).value or 0
        slots = _Slot * (HANDLES + 1)
        self._slots = slots.from_address(loaded - anchor.address + table.address)

    def pointer(self, handle: int, kind: int) -> int | None:
        """Return the pointer to the agent or call of a handle; None if it is gone."""
        slot = self._slot(handle)
        if slot is None or slot.kind != kind:
            return None
        return slot.pointer or None

    def free(self, handle: int) -> None:
        """Free a handle. Its agent or call must have been destroyed."""
        if (slot := self._slot(handle)) is not None:
            slot.pointer, slot.kind = None, 0
            slot.generation += 1  # wraps at 256, as the binding has it

    @property
    def used(self) -> int:
        """Return the number of handles in use."""
        return sum(1 for slot in self._slots if slot.pointer)

    def _slot(self, handle: int) -> _Slot | None:
        index, generation = handle & ((1 << _INDEX_BITS) - 1), handle >> _INDEX_BITS
        if not 1 <= index <= HANDLES or self._slots[index].generation != generation:
            return None
        return self._slots[index]


def _symbols(elf: bytes, wanted: set[str]) -> dict[str, _Symbol]:
    """Return the symbols of a 64-bit little-endian ELF file, its local ones included."""
    if elf[:6] != b"\x7fELF\x02\x01":
        return {}
    header = _HEADER.unpack_from(elf)
    offset, size, count = header[6], header[11], header[12]
    sections = [_SECTION.unpack_from(elf, offset + n * size) for n in range(count)]
    found = {}
    for _, kind, _, _, begin, length, link, _, _, _ in sections:
        if kind != _SYMTAB:
            continue
        names = sections[link][4]
        for name_at, _, _, _, address, bytes_ in _SYMBOL.iter_unpack(elf[begin : begin + length]):
            at = names + name_at
            name = elf[at : elf.index(b"\0", at)].decode("ascii", "replace")
            if name in wanted:
                found[name] = _Symbol(address, bytes_)
    return found
