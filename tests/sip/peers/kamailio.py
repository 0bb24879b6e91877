"""Kamailio as a carrier: subscribers register, dial out by prefix, and get their calls."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self

from tests.sip.peers.processes import Program, listens
from tests.support.ports import HOST, free_port

CONFIG = Path(__file__).with_name("kamailio.cfg")
STARTS_WITHIN_S = 10.0
PATIENCE_S = 10.0
_POLL_S = 0.01
_MARK = "@@\t"
_TLS = """\
enable_tls=yes
listen=tls:127.0.0.1:{port}
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{folder}/carrier.pem")
modparam("tls", "private_key", "{folder}/carrier.key")
"""
_NAMES = f"IP:{HOST},DNS:localhost,DNS:trunk.example"


@dataclass(frozen=True)
class Request:
    """A REGISTER or INVITE that came, and what the carrier said: a code, or "routed"."""

    at: float
    method: str
    answer: str
    user: str
    uri: str
    contact: str
    expires: str
    transport: str


class Carrier:
    """One carrier.

    >>> async with Carrier({"acct42": "s3cret"}, dids={"+15551230000": "acct42"}) as carrier:
    ...     await carrier.route("+1555000", to=uas.address)  # doctest: +SKIP
    ...     await carrier.registers("acct42")
    ...     caller = Sipp.uac("hangs_up", carrier.pstn_port, number="+15551230000")

    `expires`: what it grants, at least and at most, in seconds. `wrong_password`: 403, or 401 for a
    carrier that asks again for ever. `did_in_uri`: an incoming INVITE names the number in its
    request URI, not the registered contact's user. `tls`: listens on `tls_port` as well, with a
    certificate that `ca_file` vouches for; one of its own, or that in a folder that `certificates`
    has filled.
    """

    def __init__(
        self,
        users: dict[str, str],
        *,
        dids: dict[str, str] | None = None,
        realm: str = "trunk.example",
        expires: tuple[int, int] = (5, 3600),
        wrong_password: int = 403,
        did_in_uri: bool = False,
        tls: bool | Path = False,
    ) -> None:
        self.users, self.dids, self.routes = dict(users), dict(dids or {}), {}
        self.realm, self.tls, self.host = realm, tls, HOST
        self.port, self.pstn_port, self.tls_port = free_port(), free_port(), free_port()
        self._settings = {
            "realm": realm,
            "min_expires": expires[0],
            "max_expires": expires[1],
            "defines": "\n".join(
                f"#!define {name}"
                for name, wanted in (
                    ("DID_IN_URI", did_in_uri),
                    ("REFUSES_WRONG_PASSWORD", wrong_password == 403),
                )
                if wanted
            ),
        }
        self._ids = itertools.count(1)

    @property
    def address(self) -> str:
        """host:port of its registrar, UDP and TCP."""
        return f"{HOST}:{self.port}"

    @property
    def tls_address(self) -> str:
        """host:port of the same over TLS."""
        return f"{HOST}:{self.tls_port}"

    @property
    def ca_file(self) -> Path:
        """The authority that signed its certificate."""
        return self.folder / "ca.pem"

    async def __aenter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="carrier-")
        self.folder = Path(self._temporary.name)
        if isinstance(self.tls, Path):
            for file in self.tls.glob("*.*"):
                shutil.copy(file, self.folder)
        elif self.tls:
            await certificates(self.folder)
        tls = _TLS.format(port=self.tls_port, folder=self.folder) if self.tls else ""
        filled = Template(CONFIG.read_text()).substitute(
            self._settings, port=self.port, pstn_port=self.pstn_port, folder=self.folder, tls=tls
        )
        (self.folder / "kamailio.cfg").write_text(filled)
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        print(f"==== kamailio on {self.port}\n{self.program.said()}")
        self._temporary.cleanup()

    async def start(self) -> None:
        """Begin, with nobody registered. Users, numbers and routes are known again."""
        commands = self.folder / "commands"
        commands.unlink(missing_ok=True)
        self.program = Program(
            "/usr/sbin/kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-Y", self.folder,
            "-f", self.folder / "kamailio.cfg", log=self.folder / "log", cwd=self.folder,
        )  # fmt: skip
        await self.program.start()
        try:
            await self.program.until(
                lambda: commands.exists() and listens(self.port, "tcp"),
                STARTS_WITHIN_S,
                "listening",
            )
            for table in ("users", "dids", "routes"):
                for key, value in getattr(self, table).items():
                    await self.command("htable.sets", table, key, value)
        except BaseException:
            await self.program.stop()
            raise

    async def stop(self) -> None:
        """Gone, with all registrations."""
        await self.program.stop()

    async def restart(self) -> None:
        """As after a power cut."""
        await self.stop()
        await self.start()

    async def route(self, prefix: str, to: tuple[str, int]) -> None:
        """Calls of subscribers to numbers that begin so go there; the longest prefix wins."""
        await self._set("routes", prefix, f"sip:{to[0]}:{to[1]}")

    async def subscriber(self, user: str, password: str, *dids: str) -> None:
        """One more, or another password."""
        await self._set("users", user, password)
        for did in dids:
            await self._set("dids", did, user)

    async def registered(self) -> dict[str, list[dict[str, Any]]]:
        """Return the registered contacts by user, as Kamailio describes them."""
        dump = await self.command("ul.dump")
        found: dict[str, list[dict[str, Any]]] = {}
        for domain in dump["Domains"]:
            for each in domain["Domain"]["AoRs"]:
                contacts = [one["Contact"] for one in each["Info"]["Contacts"]]
                found[each["Info"]["AoR"]] = contacts
        return found

    async def forget(self, user: str) -> None:
        """Its registration is gone, as if it had run out."""
        await self.command("ul.rm", "location", user)

    def requests(self, method: str | None = None) -> list[Request]:
        """All that came since the beginning, restarts included."""
        lines = (line.partition(_MARK)[2] for line in self.program.said().splitlines())
        rows = (line.replace("<null>", "").split("\t") for line in lines if line)
        found = [Request(float(at), *rest) for at, *rest in rows]
        return [one for one in found if method in (None, one.method)]

    def registrations(self, user: str | None = None) -> list[Request]:
        """The REGISTERs that were accepted, refreshes and departures as well."""
        accepted = (one for one in self.requests("REGISTER") if one.answer == "200")
        return [one for one in accepted if user in (None, one.user)]

    async def registers(
        self, user: str | None = None, count: int = 1, within_s: float = PATIENCE_S
    ) -> list[Request]:
        """Once `count` of them have been accepted."""
        what = f"{count} registrations"
        await self.program.until(lambda: len(self.registrations(user)) >= count, within_s, what)
        return self.registrations(user)

    async def command(self, method: str, *params: str) -> Any:
        """Its JSON-RPC: `core.info`, `ul.dump`, `htable.dump`, `stats.fetch` …"""
        loop = asyncio.get_running_loop()
        mine = self.folder / f"answer-{next(self._ids)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.setblocking(False)
            wire.bind(str(mine))
            mine.chmod(0o666)  # Kamailio may run as somebody else
            request = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
            wire.connect(str(self.folder / "commands"))
            await loop.sock_sendall(wire, json.dumps(request).encode())
            async with asyncio.timeout(PATIENCE_S):
                answer = json.loads(await loop.sock_recv(wire, 1 << 16))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mine)
        assert "error" not in answer, (method, params, answer)
        return answer["result"]

    async def _set(self, table: str, key: str, value: str) -> None:
        getattr(self, table)[key] = value
        await self.command("htable.sets", table, key, value)


async def certificates(folder: Path, names: str = _NAMES) -> None:
    """An authority of our own, if there is none in the folder, and a certificate of its for these
    names."""
    (folder / "extensions").write_text(f"subjectAltName={names}")
    made = [
        "req -newkey rsa:2048 -nodes -subj /CN=trunk.example -keyout carrier.key -out carrier.csr",
        "x509 -req -in carrier.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
        "-extfile extensions -out carrier.pem",
    ]
    if not (folder / "ca.pem").exists():
        made.insert(
            0,
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-authority "
            "-keyout ca.key -out ca.pem",
        )
    for command in made:
        program = Program("openssl", *command.split(), log=folder / "openssl.log", cwd=folder)
        await program.start()
        assert await program.ended(PATIENCE_S) == 0, program.said()
