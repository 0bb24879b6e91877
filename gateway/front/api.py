"""The HTTP API of the front: that of one gateway, for all processes together.

A request about a call, a trunk or a number goes to the process that it belongs to, and its answer
comes back as it is. A request is sent once. A dial is sent to the next process only if the first
one cannot have begun it: it does not serve, or does not know the trunk yet.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.api.errors import RestError, not_found, unauthorised
from gateway.config import Config
from gateway.front import merge
from gateway.front.link import Answer, Link, LinkError
from gateway.front.pool import Pool
from gateway.front.routing import of_dial
from gateway.http import auth
from runtime.metrics import CONTENT_TYPE, counter, gauge, merged, page
from runtime.strangers import BODY_S

_ROOT = "/2010-04-01/Accounts/{account_sid}"
_PASSED_ON = ("Authorization", "Content-Type")
_PASSED_BACK = ("Content-Type", "WWW-Authenticate", "Retry-After")
_UNKNOWN_TRUNK = 21300
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


class FrontApi:
    """The routes."""

    def __init__(self, config: Config, pool: Pool) -> None:
        self._config = config
        self._pool = pool

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the application's router."""
        return [
            web.post(_ROOT + "/Calls.json", self._allowed(self._create)),
            web.get(_ROOT + "/Calls/{sid}.json", self._allowed(self._of_call)),
            web.post(_ROOT + "/Calls/{sid}.json", self._allowed(self._of_call)),
            web.post("/trunks/{trunk_id}/changed", self._allowed(self._changed)),
            web.post("/trunks/changed", self._allowed(self._changed)),
            web.get("/trunks", self._allowed(self._trunks)),
            web.get("/status", self._allowed(self._status)),
            web.post("/drain", self._allowed(self._drain)),
            web.delete("/drain", self._allowed(self._drain)),
            web.get("/healthz", self._healthz),
            web.get("/metrics", self._metrics),
        ]

    def _allowed(self, handler: _Handler) -> _Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if not auth.allowed(self._config, request.headers.get("Authorization")):
                raise unauthorised()
            return await handler(request)

        return checked

    # To one process.

    async def _create(self, request: web.Request) -> web.Response:
        form = await _body(request)
        key, by_trunk = of_dial(form)
        first = self._pool.of_key(key)
        if not by_trunk:
            return await self._pass_on(first, request, form)
        try:
            answer = await _send(first, request, form)
        except LinkError as error:
            if error.sent:
                raise _unavailable(error) from None
            return await self._pass_on(self._pool.after(first), request, form)
        if answer.status == 400 and _code(answer) == _UNKNOWN_TRUNK:
            return await self._pass_on(self._pool.after(first), request, form)
        return _response(answer)

    async def _of_call(self, request: web.Request) -> web.Response:
        link = self._pool.of_call(request.match_info["sid"])
        if link is None or not link.process.up:
            raise not_found(request.path)  # a process that does not run has no calls
        return await self._pass_on(link, request, await _body(request))

    async def _pass_on(self, link: Link, request: web.Request, body: bytes) -> web.Response:
        try:
            return _response(await _send(link, request, body))
        except LinkError as error:
            raise _unavailable(error) from None

    # To all processes.

    async def _changed(self, request: web.Request) -> web.Response:
        """Tell all of them: each knows every trunk."""
        answers = await self._ask_all("POST", request.raw_path)
        found = {answer.status for answer in answers.values()}
        if not found or 202 in found:
            return web.Response(status=202)  # those that are down fetch all trunks when they start
        return _response(next(iter(answers.values())))

    async def _trunks(self, _request: web.Request) -> web.Response:
        answers = await self._ask_all("GET", "/trunks")
        refused = next((each for each in answers.values() if each.status != 200), None)
        if refused is not None:
            return _response(refused)
        return web.json_response(merge.trunks(map(_document, answers.values())))

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._shown())

    async def _drain(self, request: web.Request) -> web.Response:
        await self._pool.drain(draining=request.method == "POST")
        return web.json_response(await self._shown())

    async def _healthz(self, _request: web.Request) -> web.Response:
        pool = self._pool
        processes = {"up": pool.up, "of": len(pool.processes)}
        if pool.stopping or not pool.up:
            status = "stopping" if pool.stopping else "starting"
            return web.json_response({"status": status, "processes": processes}, status=503)
        status = "draining" if pool.draining else "ok"
        return web.json_response({"status": status, "processes": processes})

    async def _metrics(self, _request: web.Request) -> web.Response:
        answers = await self._ask_all("GET", "/metrics")
        pages = {link.process.name: answer.body.decode() for link, answer in answers.items()}
        up = self._pool.up
        states = {"up": up, "down": len(self._pool.processes) - up}
        restarts = sum(process.restarts for process in self._pool.processes)
        own = [
            gauge("gateway_processes", "Gateway processes.", states, "state"),
            counter("gateway_process_restarts", "Processes started again.", restarts),
        ]
        families = [*own, *merged(pages)]
        return web.Response(body=page(families), headers={"Content-Type": CONTENT_TYPE})

    async def counts(self) -> dict[Link, merge.Sample]:
        """Return the present gauges and counters of each process that answers."""
        answers = await self._ask_all("GET", "/counts")
        documents = {link: _document(answer) for link, answer in answers.items()}
        return {link: (each["gauges"], each["counters"]) for link, each in documents.items()}

    async def _shown(self) -> dict[str, Any]:
        config, answers = self._config, await self._ask_all("GET", "/status")
        documents = {link: _document(answer) for link, answer in answers.items()}
        return {
            "gateway": config.gateway_id,
            "draining": self._pool.draining,
            "voice_url": config.voice_url,
            "status_url": config.status_url,
            **merge.totals(list(documents.values())),
            "sip": {"port": config.sip_port or None, "edge": config.sip_edge},
            "processes": [_process(link, documents.get(link)) for link in self._pool.links],
        }

    async def _ask_all(self, method: str, path: str) -> dict[Link, Answer]:
        """Ask every process. Return the answers of those that answer."""

        async def ask(link: Link) -> Answer | None:
            try:
                return await link.ask(method, path, headers=self._pool.credentials)
            except LinkError:
                return None

        links = self._pool.links
        answers = await asyncio.gather(*map(ask, links))
        return {link: answer for link, answer in zip(links, answers, strict=True) if answer}


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise RestError(408, 20001, f"The form was not there within {BODY_S:g} s") from None


async def _send(link: Link, request: web.Request, body: bytes) -> Answer:
    headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    return await link.ask(request.method, request.raw_path, body=body, headers=headers)


def _response(answer: Answer) -> web.Response:
    headers = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _unavailable(error: LinkError) -> RestError:
    log.warning("a request was not answered by its gateway process: %s", error)
    return RestError(503, 20503, f"The gateway cannot do this now: {error}")


def _document(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer.body)
    return document


def _code(answer: Answer) -> int | None:
    try:
        code = json.loads(answer.body).get("code")
    except (ValueError, AttributeError):
        return None
    return code if isinstance(code, int) else None


def _process(link: Link, document: dict[str, Any] | None) -> dict[str, Any]:
    process = link.process
    return {
        "process": process.name,
        "up": process.up,
        "pid": process.pid,
        "restarts": process.restarts,
        "sip_port": document["sip"]["port"] if document else None,
        "calls": sum(document["calls"].values()) if document else None,
    }
