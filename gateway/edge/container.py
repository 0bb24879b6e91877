"""The command `python -m gateway.edge.container`: run the gateway and, with a public address, the
edge.

With `GATEWAY_PROCESSES` the gateway is a front with several processes, all of them behind the one
edge. Gateway and edge both end if one ends. On SIGTERM the gateway is stopped first: its last
messages go out through the edge.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress

from gateway.config import processes
from gateway.edge.settings import DEFAULT_CHILD, from_env

_PATIENCE = 20.0
"""Seconds that a part has to end before it is killed."""
_EDGES = ("PATH", "HOME", "LANG", "TMPDIR")
_EDGES_SECRETS = ("EDGE_TLS_KEY",)
_Part = tuple[list[str], dict[str, str]]
"""A command and its environment."""


def main() -> int:
    """Run the parts.

    Return the exit status of the first one to end; 2 if the settings are invalid.
    """
    environ = dict(os.environ)
    gateway = [sys.executable, "-m", "gateway"]
    if not environ.get("EDGE_PUBLIC_IP"):
        os.execve(sys.executable, gateway, for_the_gateway(environ))  # noqa: S606
    try:
        tell_the_gateway(environ)
    except ValueError as error:
        sys.stderr.write(f"edge: {error}\n")
        return 2
    edge = [sys.executable, "-m", "gateway.edge"]
    return asyncio.run(_both((gateway, for_the_gateway(environ)), (edge, for_the_edge(environ))))


def tell_the_gateway(environ: MutableMapping[str, str]) -> None:
    """Set the gateway's variables for the edge's address and its own.

    Raises ValueError if the two configurations do not fit.
    """
    children = environ.get("EDGE_CHILDREN", "")
    if not children:
        environ["EDGE_CHILDREN"] = _side_by_side(DEFAULT_CHILD, processes(environ))
    settings = from_env(environ)
    host, port = settings.children[0]
    if ",".join(f"{at}:{of}" for at, of in settings.children) != _side_by_side(
        (host, port), processes(environ)
    ):
        raise ValueError(
            "EDGE_CHILDREN must be as many addresses as GATEWAY_PROCESSES says, at ports side by "
            f"side: {_side_by_side((host, port), processes(environ))}"
        )
    fitting = {
        "GATEWAY_SIP_EDGE": f"{settings.inside[0]}:{settings.inside[1]}",
        "GATEWAY_SIP_HOST": host,
        "GATEWAY_SIP_PORT": str(port),
    }
    for name, value in fitting.items():
        if environ.setdefault(name, value) != value:
            raise ValueError(f"{name} must be {value}, as EDGE_INSIDE and EDGE_CHILDREN say")


def _side_by_side(first: tuple[str, int], count: int) -> str:
    """Return the addresses of the gateway processes, as `EDGE_CHILDREN` has them."""
    host, port = first
    return ",".join(f"{host}:{port + number}" for number in range(count))


def for_the_gateway(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the gateway's environment: everything but the edge's secrets."""
    return {name: value for name, value in environ.items() if name not in _EDGES_SECRETS}


def for_the_edge(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the edge's environment, without the gateway's secrets: the edge is open to the
    outside."""
    return {
        name: value
        for name, value in environ.items()
        if name in _EDGES or name.startswith(("EDGE_", "PYTHON"))
    }


async def _both(gateway: _Part, edge: _Part) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    # In sessions of their own, so that a Ctrl-C reaches only this process, which knows the order.
    parts = [
        await asyncio.create_subprocess_exec(*command, env=environ, start_new_session=True)
        for command, environ in (gateway, edge)
    ]
    ends = [asyncio.create_task(part.wait()) for part in parts]
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait([*ends, asked], return_when=asyncio.FIRST_COMPLETED)
    status = next((end.result() for end in ends if end.done()), 0)
    if not stopping.is_set():
        sys.stderr.write(f"edge: a part has ended with status {status}, so all ends\n")
        status = status or 1
    for part in parts:
        await _end(part)
    asked.cancel()
    return status if status >= 0 else 1


async def _end(part: asyncio.subprocess.Process) -> None:
    if part.returncode is not None:
        return
    part.terminate()
    try:
        await asyncio.wait_for(part.wait(), _PATIENCE)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(part.pid, signal.SIGKILL)
        await part.wait()


if __name__ == "__main__":
    sys.exit(main())
