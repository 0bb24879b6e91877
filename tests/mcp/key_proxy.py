"""A reverse proxy that adds an API key, for the conformance suite, which sends none. Host and
Origin pass as they are, so that foreign ones are refused; the proxy's own name becomes the API's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding"}


@asynccontextmanager
async def key_proxy(api_url: str, api_key: str) -> AsyncIterator[str]:
    """The URL of `POST /mcp` behind the proxy, while it runs."""
    upstream = urlsplit(api_url).netloc

    async def forward(request: web.Request) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        for name in ("Host", "Origin"):
            if name in headers:
                headers[name] = headers[name].replace(own, upstream)
        headers["X-API-Key"] = api_key
        body = await request.read()
        async with session.request(
            request.method, f"{api_url}{request.path_qs}", headers=headers, data=body
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    own = f"127.0.0.1:{port}"
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        try:
            yield f"http://{own}/mcp"
        finally:
            await runner.cleanup()
