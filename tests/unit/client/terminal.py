"""The command line as a process, against an API that answers what a test says."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.engine import ROOT
from tests.unit.client.conftest import KEY

WITHIN_S = 30


@contextlib.contextmanager
def serving(answers: dict[tuple[str, str], list[object]]):
    """An API: its environment. The last answer to a request is given again."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            left = answers[self.command, urlsplit(self.path).path]
            shown = left.pop(0) if len(left) > 1 else left[0]
            status, shown = shown if isinstance(shown, tuple) else (200, shown)
            body = json.dumps(shown).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield environment(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def environment(url: str) -> dict[str, str]:
    """The environment of a command, without what would set the width or the colours."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept, "PYTHONPATH": str(ROOT / "client"), "TERM": "xterm-256color", "LANG": "C.UTF-8",
        "CHAMADE_API_URL": url, "CHAMADE_API_KEY": KEY,
    }  # fmt: skip


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "chamade", *words]


def in_pipe(env, *words: str, **settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), env=env, capture_output=True, text=True, timeout=WITHIN_S, check=False,
        stdin=subprocess.DEVNULL, **settings,
    )  # fmt: skip


def on_terminal(env, columns: int, rows: int, *words: str) -> str:
    """What a command prints on a terminal of that size, until it ends with exit code 0."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        command(*words), env=env, stdin=its, stdout=its, stderr=subprocess.DEVNULL
    )
    os.close(its)
    printed, until = b"", time.monotonic() + WITHIN_S
    try:
        while select.select([ours], [], [], max(0.0, until - time.monotonic()))[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                break
            if not part:
                break
            printed += part
        assert process.wait(WITHIN_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return printed.decode().replace("\r\n", "\n")
