"""The port that workspaces beat on: one POST a beat, or a WebSocket with one message a beat."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from math import ceil
from time import perf_counter
from typing import Final, Self

from aiohttp import web

from hotdesk.gateway.conversation import TOKEN_PREFIX, Conversations
from hotdesk.gateway.metrics import GatewayMetrics
from hotdesk.gateway.reception import Reception, Refusal

BODY_LIMIT: Final = 1024  # bytes
_KEEP_ALIVE: Final = 75.0  # seconds; an unused connection, and one that never finishes its headers, ends after them
_BACKLOG: Final = 4096  # everybody comes back at once after a restart
_WORKSPACE: Final = "/v1/workspaces/{namespace}/{name}"


class GatewayServer:
    """Listens while the context is entered; `port` tells the port that was chosen where 0 was asked for."""

    def __init__(  # what it serves and where, all by keyword
        self,
        reception: Reception,
        metrics: GatewayMetrics,
        *,
        host: str,
        port: int,
        body_within: float,
        idle_after: float,
        max_connections: int,
    ) -> None:
        self._reception = reception
        self._metrics = metrics
        self._host = host
        self._asked_port = port
        self._body_within = body_within
        self._conversations = Conversations(
            reception, metrics, idle_after=idle_after, at_most=max_connections, message_limit=BODY_LIMIT
        )
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the gateway does not listen: enter it first")
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._answer])
        app.router.add_post(f"{_WORKSPACE}/heartbeat", self._heartbeat)
        app.router.add_get(f"{_WORKSPACE}/ws", self._connect)
        app.on_shutdown.append(self._conversations.end)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=2, keepalive_timeout=_KEEP_ALIVE, lingering_time=1
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._asked_port, backlog=_BACKLOG).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Make an answer of a refusal, and count it."""
        started = perf_counter()
        try:
            return await handler(request)
        except Refusal as refusal:
            self._metrics.refused(cause=refusal.cause)
            return _refused(refusal)
        finally:
            if request.method == "POST":  # a WebSocket's answer is a conversation
                self._metrics.answered(seconds=perf_counter() - started)

    async def _heartbeat(self, request: web.Request) -> web.Response:
        uid = self._admit(request)
        if (pause := self._reception.pause(uid)) > 0:
            raise Refusal(429, "TooMany", "too many beats: one every few seconds is plenty", retry_after=pause)
        message = self._reception.read(await self._body(request))
        self._reception.take(uid, message)
        self._metrics.beat(transport="http", has_input=message.input)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        return await self._conversations.hold(request, lambda: self._admit(request))

    def _admit(self, request: web.Request) -> str:
        where = request.match_info
        return self._reception.admit(namespace=where["namespace"], name=where["name"], token=_token(request))

    async def _body(self, request: web.Request) -> bytes:
        if not request.can_read_body:
            return b""
        try:
            async with asyncio.timeout(self._body_within):
                return await request.read()
        except TimeoutError:
            raise Refusal(408, "TooSlow", f"the body did not arrive within {self._body_within:g} s") from None
        except web.HTTPRequestEntityTooLarge:
            raise Refusal(413, "TooLarge", f"a body has at most {BODY_LIMIT} bytes") from None


def _token(request: web.Request) -> str | None:
    """Return the bearer token; a browser, which can set no header on a WebSocket, sends it as a subprotocol."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    offered = (word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(","))
    return next((word.removeprefix(TOKEN_PREFIX) for word in offered if word.startswith(TOKEN_PREFIX)), None)


def _refused(refusal: Refusal) -> web.Response:
    headers = {}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(ceil(refusal.retry_after))
    answer = web.Response(status=refusal.status, text=f"{refusal.message}\n", headers=headers)
    if refusal.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        answer.force_close()
    return answer
