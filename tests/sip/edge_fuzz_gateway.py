"""A whole gateway behind an edge, with what surrounds it: the application that it asks, carriers
that register its trunks, and callers with sound.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import re
import time
from collections import Counter

from aiohttp import WSMsgType, web

from common import g711
from gateway.calls.call import Call
from gateway.calls.leg import Destination
from gateway.calls.live_call import LiveCall, Plan
from gateway.legs.sip.dialled_leg import DialledLeg
from gateway.legs.sip.leg import InboundLeg
from gateway.media.stream import MediaStream
from gateway.server import start
from gateway.trunks.trunk import Trunk
from gateway.twiml.interpreter import Inline
from local.listening import follow
from tests.sip.edge_messages import next_hop, reply, request, sdp, within
from tests.sip.edge_support import edge_and_gateway, own_kb
from tests.sip.edge_talkers import PEER, PUBLIC, Talker
from tests.sip.peers import HOST
from tests.sip.peers.rtp import Rtp
from tests.sip.support import Since, spoken, until
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B

ECHOED = "+33199000001"
"""A caller ID whose calls are echoed."""

TRUNKS = {TRUNK_A: PEER, TRUNK_B: "127.0.0.11"}
"""Where the carrier of each is."""

_SETTLED_WITHIN_S = 45.0
"""An answer that nobody acknowledges is given up after 32 s (RFC 3261 13.3.1.4)."""

_PATIENCE_S = 20.0
_LISTENED_TO_FOR_S = 4.0
_HEARD = 0.7

_SILENCE = base64.b64encode(bytes([g711.SILENCE]) * 2400).decode()
"""300 ms."""


class Application:
    """Has every call answered. Its stream echoes, or says a word and leaves the call to silence."""

    def __init__(self):
        self.sids: list[str] = []

    async def __aenter__(self):
        app = web.Application()
        app.add_routes([web.post("/voice", self._voice), web.get("/{stream}", self._stream)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self._at = f"{HOST}:{self._runner.addresses[0][1]}"
        self.voice_url = f"http://{self._at}/voice"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    def document(self, stream):
        connect = f'<Connect><Stream url="ws://{self._at}/{stream}"/></Connect>'
        return f'<Response>{connect}<Pause length="3600"/></Response>'

    async def _voice(self, request):
        form = await request.post()
        self.sids.append(form["CallSid"])
        text = self.document("echo" if form["From"] == ECHOED else "word")
        return web.Response(text=text, content_type="text/xml")

    async def _stream(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._echo(socket, briefly=request.match_info["stream"] == "word")
        return socket

    async def _echo(self, socket, *, briefly):
        async for message in socket:
            said = message.json() if message.type is WSMsgType.TEXT else {"event": "none"}
            if said["event"] in ("start", "media"):
                # Silence first: what is echoed then does not have to come every 20 ms sharp.
                payload = said["media"]["payload"] if "media" in said else _SILENCE
                back = {"event": "media", "streamSid": said["streamSid"]}
                await socket.send_json(back | {"media": {"payload": payload}})
            if said["event"] == "media" and briefly:
                return


class Carrier(Talker):
    """Grants every registration. `contact`: what was registered last."""

    contact = ""

    def answer_to(self, message):
        if message.method != "REGISTER":
            return super().answer_to(message)
        self.contact = re.search("<(.*?)>", message["Contact"])[1]
        return reply(message, 200, extra=[f"Contact: {message['Contact']}"])


class Caller:
    """A call that is up. It says the same words all the time."""

    def __init__(self, talker, ok, rtp, words):
        self.talker, self.ok = talker, ok
        self._rtp, self._words = rtp, words
        at = (
            re.search(r"c=IN IP4 (\S+)", ok.body)[1],
            int(re.search(r"m=audio (\d+)", ok.body)[1]),
        )
        self._saying = asyncio.create_task(self._say(at))

    async def _say(self, at):
        while True:
            await self._rtp.play(spoken(self._words, 1), at)

    async def hears_itself(self):
        """Until it has. How well is for quieter tests to say: here one process is caller, gateway
        and application. It looks seldom, and beside the event loop, which would stutter more."""
        since, give_up_at = Since(self._rtp), time.monotonic() + _PATIENCE_S
        while True:
            await asyncio.sleep(_LISTENED_TO_FOR_S)
            found = await asyncio.to_thread(follow, self._words, since.heard())
            if found.share > _HEARD:
                return
            assert time.monotonic() < give_up_at, f"{self.talker.at} hears {found}"

    async def hangs_up(self):
        bye = within("BYE", self.ok, self.talker, cseq=2)
        self.talker.send(bye, next_hop(bye))
        await asyncio.to_thread(self.talker.expect, 200, _PATIENCE_S)
        self.close()

    def close(self):
        self._saying.cancel()
        self.talker.close()


class Behind:
    """The gateway, its edge, and its trunks, registered."""

    def __init__(self, words):
        self._words = words
        self._stack = contextlib.AsyncExitStack()
        self._staying: frozenset[str] = frozenset()

    async def begin(self, log):
        self.application = await self._stack.enter_async_context(Application())
        self.edge, config = await asyncio.to_thread(
            edge_and_gateway,
            log,
            port=0,
            voice_url=self.application.voice_url,
            sip_register_interval=3600.0,
            drain=0.5,
        )
        self._stack.push_async_callback(asyncio.to_thread, self.edge.stop)
        self.gateway = await start(config)
        self._stack.push_async_callback(self.gateway.stop)
        self.pool = self.gateway.sip
        self.port = config.sip_port
        await self._register()

    async def _register(self):
        self.carriers = {trunk_id: Carrier(ip) for trunk_id, ip in TRUNKS.items()}
        for trunk_id, carrier in self.carriers.items():
            self._stack.callback(carrier.close)
            self.pool.apply(
                Trunk(
                    trunk_id=trunk_id, revision=1, host=carrier.ip, port=carrier.port,
                    transport="udp", username=f"of-{carrier.port}", password="s3cret",
                )
            )  # fmt: skip
        await until(lambda: len(self.pool._lines.registered) == len(TRUNKS), _PATIENCE_S)

    async def end(self):
        await self._stack.aclose()

    @property
    def unharmed(self):
        """Return whether the edge runs, and the gateway's SIP."""
        return self.edge.process.poll() is None and self.pool.stack.up

    @property
    def metrics(self):
        """Return the gateway's counts."""
        return self.gateway.metrics

    async def caller(self, trunk_id, number=ECHOED):
        """A call to the trunk, answered."""
        rtp = await self._stack.enter_async_context(Rtp())
        talker = Talker(PEER, user=number)
        self._stack.callback(talker.close)
        body = sdp(HOST, rtp.port)
        invite = request("INVITE", self.carriers[trunk_id].contact, talker, body=body)
        talker.send(invite, self.edge.public)
        ok = await asyncio.to_thread(talker.expect, 200, _PATIENCE_S)
        ack = within("ACK", ok, talker, cseq=1)
        talker.send(ack, next_hop(ack))
        caller = Caller(talker, ok, rtp, self._words)
        self._stack.callback(caller.close)
        return caller

    def dial(self, trunk_id, number):
        """Our own call through the trunk."""
        call = Call(
            account_sid="AC" + "0" * 32, to=number, from_="+33199005678",
            direction="outbound-api", created_at=time.time(), trunk_id=trunk_id,
        )  # fmt: skip
        self.application.sids.append(call.sid)
        destination = Destination(to=number, from_=call.from_, trunk_id=trunk_id)
        plan = Plan(Inline(self.application.document("word")))
        self.gateway.exchange.dial(call, plan, destination)

    # What is left of the calls.

    def stay(self):
        """The calls that are up now are to stay."""
        self._staying = frozenset(self._live())

    def _live(self):
        exchange = self.gateway.exchange
        return {sid: live for sid in self.application.sids if (live := exchange.live(sid))}

    def clear(self):
        """The agents hang up, as an application does over REST."""
        for sid, live in self._live().items():
            if sid not in self._staying:
                live.clear("cleared by the test")

    async def settle(self):
        """Until no call is left but those that are to stay: neither of the exchange, nor of the
        user agent, nor any object of one.
        """
        try:
            await until(self._settled, _SETTLED_WITHIN_S)
            await until(self._forgotten, _PATIENCE_S)
        except TimeoutError:
            left = f"calls {list(self._live())}, legs {len(self.pool._legs)}"
            raise AssertionError(f"not all calls are over: {left}, {self._agents()}") from None

    def _settled(self):
        self.clear()
        left = self._live().keys()
        counts = {len(left), len(self.pool._legs), *self._agents().values()}
        return left <= self._staying and len(counts) == 1

    def _agents(self):
        """Count the user agent's own calls, and the ports that they have."""
        stack = self.pool.stack
        return {"calls": len(stack.agent.context.calls), "legs of RTP": len(stack.plane)}

    def _forgotten(self):
        gc.collect()
        kinds, live = Counter(map(type, gc.get_objects())), len(self._live())
        legs = kinds[InboundLeg] + kinds[DialledLeg]
        return legs == kinds[LiveCall] == live and kinds[MediaStream] <= live

    def kb(self):
        """Own memory of the edge."""
        return own_kb(self.edge.pids())


class Source(Talker):
    """Sends what is mutated, and ends the calls that it brings up, as a decent caller would."""

    _seen = 0

    def hang_up(self, known):
        """Ends the calls that were answered since the last time, but for `known`: its own dialog
        goes on."""
        new, self._seen = self.everything[self._seen :], len(self.everything)
        for message in filter(_is_answer, new):
            with contextlib.suppress(Exception):
                self._end(message, "ACK" if message["Call-ID"] == known["Call-ID"] else "BYE")

    def _end(self, ok, last):
        number = int(ok["CSeq"].split()[0])
        port = int(re.search(r":(\d+)", ok["Contact"].partition("@")[2])[1])
        self.send(within("ACK", ok, self, cseq=number), (PUBLIC, port))
        if last == "BYE":
            self.send(within("BYE", ok, self, cseq=number + 1), (PUBLIC, port))

    @property
    def answered(self):
        """Count the INVITEs."""
        return sum(map(_is_answer, self.everything))


def _is_answer(message):
    return message.status == 200 and "INVITE" in "".join(message.all("CSeq"))
