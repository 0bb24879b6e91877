"""The SIP and the audio of this process: one user agent on its sockets, one plane of RTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable

from gateway.config import Config
from gateway.legs.sip.call_audio import CallAudio
from gateway.rtp.plane import Plane
from gateway.sip.agent import UserAgent
from gateway.sip.context import Identity
from gateway.sip.events import Event
from gateway.sip.network.connection import Tls
from gateway.sip.network.endpoint import Endpoint
from gateway.sip.session.offer_answer import SrtpPolicy
from gateway.sip.transaction.flow import Flow

SOFTWARE = "Chamade"
_ANY = {4: "0.0.0.0", 6: "::"}


class SipStack:
    """`start` it before anything else; `flush` after commands to calls and registrations."""

    def __init__(
        self,
        config: Config,
        on_event: Callable[[Event], None],
        on_flow_lost: Callable[[Flow], None],
    ) -> None:
        self._config = config
        self.agent = UserAgent(Identity(config.sip_host, SOFTWARE), max_calls=config.max_calls * 2)
        self._endpoint: Endpoint | None = None
        self._plane: Plane | None = None
        self._on_event = on_event
        self._on_flow_lost = on_flow_lost
        self._authorities: ssl.SSLContext | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Return the sockets of a stack that has been started."""
        if self._endpoint is None:
            raise RuntimeError("the stack has not been started")
        return self._endpoint

    @property
    def plane(self) -> Plane:
        """Return the RTP of a stack that has been started."""
        if self._plane is None:
            raise RuntimeError("the stack has not been started")
        return self._plane

    @property
    def up(self) -> bool:
        """Return whether the stack has been started."""
        return self._endpoint is not None

    @property
    def register_interval(self) -> int:
        """Return the seconds for which trunks are registered."""
        return int(self._config.sip_register_interval)

    @property
    def now(self) -> float:
        """Return the time for commands, in seconds."""
        return asyncio.get_running_loop().time()

    async def start(self) -> None:
        """Listen. Raises OSError if the SIP port is taken."""
        config = self._config
        endpoint = Endpoint(self.agent, self._on_event, self._on_flow_lost)
        await endpoint.start(config.sip_host, config.sip_port)
        self._endpoint = endpoint  # and no wait until the plane is there: messages may come
        low, high = config.rtp_ports
        host = endpoint.local[0]
        if config.sip_edge is not None:
            # The edge has the signalling; audio comes straight from outside, on any address.
            host = _ANY[6 if ":" in host else 4]
        self._plane = Plane(host, range(low, high + 1))

    def stop(self) -> None:
        """Close everything, without a word to anybody."""
        if self._plane is not None:
            self._plane.close()
        if self._endpoint is not None:
            self._endpoint.stop()

    def drop_silent(self, flow: Flow, seconds: float) -> None:
        """Close a connection by which nothing at all has come for so long."""
        self.endpoint.drop_silent(flow, self.now - seconds)

    def flush(self) -> None:
        """Send what commands have left to be sent."""
        self.endpoint.flush()

    def audio(self, on_failed: Callable[[Exception], None], srtp: SrtpPolicy) -> CallAudio:
        """Return the audio of a new call. Raises NoPortError."""
        return CallAudio(self.plane, self._config.sip_host, on_failed, srtp=srtp)

    async def connect(self, transport: str, address: tuple[str, int], name: str) -> Flow:
        """Return a flow to an address. With TLS the certificate must be for `name`.

        Raises OSError or TimeoutError.
        """
        match transport:
            case "tls":
                tls = Tls(self._tls(), name)
                return await self.endpoint.connect("TLS", address, tls=tls)
            case "tcp":
                return await self.endpoint.connect("TCP", address)
            case _:
                return self.endpoint.udp_flow(address)

    def _tls(self) -> ssl.SSLContext:
        if self._authorities is None:
            self._authorities = ssl.create_default_context(cafile=self._config.sip_ca_file)
            self._authorities.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._authorities


def reason_of(error: OSError | ValueError) -> str:
    """Return why there is no connection, in words that the remedies know."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS handshake failed: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.errno:
        with contextlib.suppress(ValueError, TypeError):
            return os.strerror(error.errno)
    return str(error)
