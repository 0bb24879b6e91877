"""The subjects of the `sip` bench: each answers every call and sends its audio back."""

from __future__ import annotations

import http.client
import re
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.load.programs import running, wait_until
from tests.sip.peers.processes import listens
from tests.support.ports import HOST, free_port

NUMBER = "+15550001111"
MODULES = Path("/usr/lib/baresip/modules")

_TWIML = "<Response><Connect><Stream url='{url}'/></Connect></Response>"
_LAG = re.compile(r"^gateway_sip_lag_ms ([\d.]+)$", re.MULTILINE)
_LAST_LAG = re.compile(r"(?:^|\n)([\d.]+)\n$")
_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
net_interface {host}
call_local_timeout 120
call_max_calls 0
audio_player none
audio_source none
audio_alert none
audio_level no
rtp_ports 10000-19999
rtcp_mux no
jitter_buffer_delay 5-10
rtp_stats no
statmode_default off
module_path {modules}
module g711.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app echo.so
ringback_disabled yes
"""
_ACCOUNT = "<sip:{number}@{host}:{port}>;regint=0;answermode=manual;audio_codecs=pcmu\n"


@dataclass(frozen=True)
class Subject:
    """One that takes calls. `lag_ms` is the worst tick of the last ten seconds, `turn_ms` how long
    its event loop takes to get to a request; None: it does not say."""

    ports: list[int]
    """Return the ports that callers call, in turn."""
    main: int
    helpers: list[int] = field(default_factory=list)
    """Processes that are none of its own: they count as load."""
    lag_ms: Callable[[], float | None] = lambda: None
    turn_ms: Callable[[], float | None] = lambda: None


@contextmanager
def gateway(work: Path) -> Iterator[Subject]:
    """Ours, as it is deployed, with a stub for the application and its WebSockets."""
    http_port, sip_port, echo_port = free_port(), free_port(), free_port()
    log, echo_log = work / "sip-gateway.log", work / "sip-echo.log"
    echo_command = [sys.executable, "-m", "tests.load.sip_echo", str(echo_port)]
    with (
        _application(_TWIML.format(url=f"ws://{HOST}:{echo_port}/")) as voice_url,
        running(echo_command, echo_log) as echo,
    ):
        wait_until(lambda: listens(echo_port, "tcp"), echo, echo_log)
        settings = {
            "GATEWAY_ACCOUNT_SID": "AC" + secrets.token_hex(16),
            "GATEWAY_AUTH_TOKEN": secrets.token_hex(16),
            "GATEWAY_VOICE_URL": voice_url,
            "GATEWAY_HOST": HOST,
            "GATEWAY_PORT": str(http_port),
            "GATEWAY_SIP_PORT": str(sip_port),
        }
        with running([sys.executable, "-m", "gateway"], log, settings) as process:
            wait_until(lambda: listens(http_port, "tcp"), process, log)
            asking = _Asking(http_port)
            yield Subject(
                ports=[sip_port],
                main=process.pid,
                helpers=[echo.pid],
                lag_ms=asking.lag_ms,
                turn_ms=asking.turn_ms,
            )


@contextmanager
def library(work: Path) -> Iterator[Subject]:
    """Our libraries of SIP and RTP, and nothing around them."""
    port, log = free_port(), work / "sip-library.log"
    with running([sys.executable, "-m", "tests.load.sip_library", str(port)], log) as process:
        wait_until(lambda: listens(port), process, log)

        def lag_ms() -> float | None:
            found = _LAST_LAG.search(log.read_text(errors="replace"))
            return float(found[1]) if found else None

        yield Subject(ports=[port], main=process.pid, lag_ms=lag_ms)


@contextmanager
def peer(work: Path) -> Iterator[Subject]:
    """Debian's baresip with its module `echo`."""
    port, log = free_port(), work / "sip-peer.log"
    with tempfile.TemporaryDirectory(prefix="baresip-") as name:
        folder = Path(name)
        (folder / "config").write_text(_CONFIG.format(host=HOST, port=port, modules=MODULES))
        account = _ACCOUNT.format(number=NUMBER, host=HOST, port=port)
        (folder / "accounts").write_text(account)
        (folder / "contacts").write_text("")
        with running(["baresip", "-f", folder], log) as process:
            wait_until(lambda: listens(port), process, log)
            time.sleep(0.5)  # its modules come after its port
            yield Subject(ports=[port], main=process.pid)


SUBJECTS: dict[str, Callable[[Path], AbstractContextManager[Subject]]] = {
    "library": library,
    "gateway": gateway,
    "peer": peer,
}


def missing() -> list[str]:
    """Programs that the bench needs and this machine lacks; `peer` is left out without its own."""
    return [name for name in ("sipp",) if shutil.which(name) is None]


def has_peer() -> bool:
    """Return whether there is a baresip that echoes."""
    return shutil.which("baresip") is not None and (MODULES / "echo.so").exists()


class _Asking:
    """One kept connection to the gateway's HTTP."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=10)

    def lag_ms(self) -> float | None:
        """Return how late the clock of the audio was lately, at worst."""
        found = _LAG.search(self._get("/metrics"))
        return float(found[1]) if found else None

    def turn_ms(self) -> float:
        """Return the time that the smallest request takes."""
        began = time.monotonic()
        self._get("/healthz")
        return (time.monotonic() - began) * 1000

    def _get(self, path: str) -> str:
        self._connection.request("GET", path)
        return self._connection.getresponse().read().decode()


@contextmanager
def _application(twiml: str) -> Iterator[str]:
    """The URL of a webhook that answers every call with the same document."""
    body = twiml.encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not a word."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}/voice"
    finally:
        server.shutdown()
        server.server_close()
