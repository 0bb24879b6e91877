"""A real edge on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.config import Config
from tests.sip.edge_messages import request
from tests.sip.edge_talkers import INSIDE, PEER, PUBLIC, Talker
from tests.support.ports import free_port

_ROOT = Path(__file__).parents[2]


class Edge:
    """`python -m gateway.edge` with these settings."""

    def __init__(self, children, log: Path, **settings):
        self.port, self.tls_port = free_port(), free_port()
        self.inside = (INSIDE, free_port())
        self.public = (PUBLIC, self.port)
        self.log = log
        environ = {
            "EDGE_PUBLIC_IP": PUBLIC,
            "EDGE_SIP_PORT": str(self.port),
            "EDGE_TLS_PORT": str(self.tls_port),
            "EDGE_INSIDE": f"{INSIDE}:{self.inside[1]}",
            "EDGE_CHILDREN": ",".join(children),
            "EDGE_PEERS": f"{PEER}/32",
            "EDGE_TLS_VERIFY": "no",
            "EDGE_REQUESTS_PER_S": "100000",
            "EDGE_STRANGERS_PER_S": "100000",
            "EDGE_INVITES_PER_S": "10000",
            "EDGE_INVITES_PER_TRUNK_S": "10000",
            "EDGE_INVITES_WITHOUT_TRUNK_S": "10000",
            "EDGE_INVITES_PER_SOURCE_S": "10000",
            "EDGE_REQUESTS_PER_NETWORK_S": "100000",
            "EDGE_INVITES_PER_NETWORK_S": "10000",
            "EDGE_INVITES_OF_NETWORKS_S": "10000",
            "EDGE_ALLOW_PRIVATE": "yes",
            **{f"EDGE_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway.edge"],
            cwd=_ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/tmp", "TMPDIR": str(log.parent), **environ},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._wait()

    def _wait(self):
        probe = Talker("127.0.0.90")
        try:
            for _ in range(60):
                if self.process.poll() is not None:
                    raise AssertionError(self.text())
                probe.send(request("OPTIONS", f"sip:{PUBLIC}:{self.port}", probe), self.public)
                with contextlib.suppress(AssertionError):
                    probe.expect(200, timeout=0.2)
                    return
            raise AssertionError(f"the edge does not answer:\n{self.text()}")
        finally:
            probe.close()

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_logged(self, text, timeout=3.0):
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if text in self.text():
                return
            time.sleep(0.05)
        raise AssertionError(f"not logged: {text}\n{self.text()[-3000:]}")

    def pids(self):
        found = [self.process.pid]
        with contextlib.suppress(OSError):
            path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            found += [int(pid) for pid in path.read_text().split()]
        return found

    def uri(self, user):
        return f"sip:{user}@{PUBLIC}:{self.port}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self._log.close()


def edge_and_gateway(log: Path, **settings) -> tuple[Edge, Config]:
    """An edge, and the settings of the gateway behind it."""
    port = free_port()
    edge = Edge([f"{INSIDE}:{port}"], log)
    defaults = {
        "account_sid": "AC" + "0" * 32,
        "auth_token": "t",
        "voice_url": "http://127.0.0.1:1/",
        "allow_private_trunks": True,
        "sip_port": port,
        "sip_edge": f"{INSIDE}:{edge.inside[1]}",
    }
    return edge, Config(**(defaults | settings))


def own_kb(pids):
    """Kilobytes that these processes have written to, and what they share counted once. Not what
    they have of files: libraries count for more as soon as others that use them have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", text, re.MULTILINE)))
    return total
