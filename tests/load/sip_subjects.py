"""The subjects of the `sip` bench: each answers every call and sends its audio back."""

from __future__ import annotations

import http.client
import json
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

from common import control
from local.layout import ROOT
from tests.load.bench_trunks import contacts, registrar
from tests.load.c_programs import compile_c
from tests.load.former_gateway import CHILDREN, Former, former_gateway
from tests.load.programs import Process, children_of, running, wait_until
from tests.load.trunk_list import TrunkList
from tests.sip.peers.processes import listens
from tests.support.ports import HOST, free_port, free_ports

NUMBER = "+15550001111"
TRUNKS = 6
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
    users: list[str] = field(default_factory=lambda: [NUMBER])
    """The users that are called, in turn."""
    children: list[int] = field(default_factory=list)
    helpers: list[int] = field(default_factory=list)
    """Processes that are none of its own: they count as load."""
    lag_ms: Callable[[], float | None] = lambda: None
    turn_ms: Callable[[], float | None] = lambda: None

    @property
    def own(self) -> list[int]:
        """Return its processes."""
        return [self.main, *self.children]


@contextmanager
def gateway(work: Path) -> Iterator[Subject]:
    """Ours, as it is deployed, with a stub for the application and its WebSockets.

    Its calls come by trunks, as a carrier's do: without one it takes fewer.
    """
    trunks, sip_port = TrunkList(secrets.token_hex(16)), free_port()
    with registrar(trunks, TRUNKS) as made, _beside(work, trunks) as (voice_url, echo):
        base = voice_url.rpartition("/")[0]
        settings = _settings(voice_url, sip_port) | {
            "GATEWAY_CONTROL_URL": base,
            "GATEWAY_CONTROL_SECRET": trunks.secret,
            "GATEWAY_ALLOW_PRIVATE_TRUNKS": "1",
        }
        with _gateway_process(work, settings) as process:
            asking = _Asking(int(settings["GATEWAY_PORT"]))
            yield Subject(
                ports=[sip_port],
                users=contacts(made, TRUNKS),
                main=process.pid,
                helpers=[echo],
                lag_ms=asking.lag_ms,
                turn_ms=asking.turn_ms,
            )


@contextmanager
def former(work: Path) -> Iterator[Subject]:
    """The gateway as it was before, with SIP in child processes. Raises CannotBuild."""
    # A stack listens for TLS at the port after its own.
    sip_port = free_ports(2 * CHILDREN)
    with former_gateway(work) as built, _beside(work, None) as (voice_url, echo):
        settings = _settings(voice_url, sip_port) | {"GATEWAY_SIP_CHILDREN": str(CHILDREN)}
        with _gateway_process(work, settings, built) as process:
            asking = _Asking(int(settings["GATEWAY_PORT"]))
            yield Subject(
                ports=list(range(sip_port, sip_port + 2 * CHILDREN, 2)),
                main=process.pid,
                children=children_of(process.pid),
                helpers=[echo],
                lag_ms=asking.lag_ms,
                turn_ms=asking.turn_ms,
            )


def _settings(voice_url: str, sip_port: int) -> dict[str, str]:
    return {
        "GATEWAY_ACCOUNT_SID": "AC" + secrets.token_hex(16),
        "GATEWAY_AUTH_TOKEN": secrets.token_hex(16),
        "GATEWAY_VOICE_URL": voice_url,
        "GATEWAY_HOST": HOST,
        "GATEWAY_PORT": str(free_port()),
        "GATEWAY_SIP_PORT": str(sip_port),
    }


@contextmanager
def _gateway_process(
    work: Path, settings: dict[str, str], built: Former | None = None
) -> Iterator[Process]:
    """Run a gateway until the end of the block: ours, or the former one."""
    log, http_port = work / "sip-gateway.log", int(settings["GATEWAY_PORT"])
    folder, python = built or (ROOT, Path(sys.executable))
    with running([python, "-m", "gateway"], log, settings, folder=folder) as process:
        wait_until(lambda: listens(http_port, "tcp"), process, log)
        yield process


@contextmanager
def _beside(work: Path, trunks: TrunkList | None) -> Iterator[tuple[str, int]]:
    """Run the application that every gateway needs: the URL of its webhook, and the process that
    echoes media streams.
    """
    port, log = free_port(), work / "sip-echo.log"
    program = compile_c("sip_echo", work / "build")
    twiml = _TWIML.format(url=f"ws://{HOST}:{port}/")
    with _application(twiml, trunks) as voice_url, running([program, str(port)], log) as echo:
        wait_until(lambda: listens(port, "tcp"), echo, log)
        yield voice_url, echo.pid


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
    "former": former,
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
def _application(twiml: str, trunks: TrunkList | None) -> Iterator[str]:
    """The URL of a webhook that answers every call with the same document; trunks are beside it."""
    xml = twiml.encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            status, kind, body = 200, "text/xml", xml
            if trunks is not None and self.path.startswith("/gateway/trunks/"):
                given = self.headers[control.HEADER]
                status, document = trunks.answer(self.path, asked, given)
                kind, body = "application/json", json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
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
