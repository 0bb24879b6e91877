"""Remember the calls that `serve` has, in a file that outlives the process.

Nothing in the API tells whether an active call has an agent, and whoever connects takes the call
from the agent that has it. So a restarted program takes back only calls that its own file names,
and a lock on the file shows that the process before is gone.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from chamade.closing import Closing
from chamade.errors import ChamadeError

log = logging.getLogger("chamade")


class Served(Closing):
    """The calls that a program has accepted and not finished. `left`: those of the process before,
    which has ended without hanging up. Without a file nothing is remembered.

    Raises ChamadeError if a process that is alive uses the file, or if it cannot be used.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._lock = threading.Lock()
        self._database = None if path is None else _locked(path)
        self.left: tuple[str, ...] = ()
        if self._database is not None:
            rows = self._database.execute("SELECT call_id FROM served ORDER BY rowid")
            self.left = tuple(call_id for (call_id,) in rows)

    def add(self, call_id: str) -> None:
        """Remember a call, which this process has accepted."""
        self._write("INSERT OR IGNORE INTO served VALUES (?)", call_id)

    def discard(self, call_id: str) -> None:
        """Forget a call, which is finished."""
        self._write("DELETE FROM served WHERE call_id = ?", call_id)

    def close(self) -> None:
        """Let another process use the file."""
        if self._database is not None:
            self._database.close()

    def _write(self, statement: str, call_id: str) -> None:
        if self._database is None:
            return
        try:
            with self._lock:
                self._database.execute(statement, (call_id,))
        except sqlite3.Error as error:
            # A full disk is no reason to hang up: the call is only not taken back after a crash.
            log.warning("%s: not noted: %s", call_id, error)


def _locked(path: str | Path) -> sqlite3.Connection:
    """Open the file, locked until it is closed or the process ends, however it ends."""
    database = None
    try:
        database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        # It has to survive the process, not the machine: no call waits that long for its agent.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("CREATE TABLE IF NOT EXISTS served (call_id TEXT PRIMARY KEY)")
        database.execute("COMMIT")
    except sqlite3.Error as error:
        if database is not None:
            database.close()
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        why = "another process serves with this file" if busy else str(error)
        raise ChamadeError(f"{path}: {why}") from None
    return database
