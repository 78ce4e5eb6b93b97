"""WebSockets: a message is a beat, a ping is presence, silence ends it."""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from hotdesk.gateway.metrics import GatewayMetrics
from hotdesk.gateway.reception import Reception, Refusal

PROTOCOL: Final = "hotdesk.heartbeat.v1"
TOKEN_PREFIX: Final = "bearer."  # noqa: S105  # what stands before one
_PING_EVERY: Final = 30.0  # seconds; who does not answer within half of it is gone
_CLOSE_WITHIN: Final = 2.0  # seconds
_TEXT: Final = (WSMsgType.TEXT, WSMsgType.BINARY)
_END: Final = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class Conversations:
    """The open connections, at most so many."""

    def __init__(
        self,
        reception: Reception,
        metrics: GatewayMetrics,
        *,
        idle_after: float,
        at_most: int,
        message_limit: int,
    ) -> None:
        """`idle_after` is how many seconds without a message end a connection; `message_limit` counts bytes."""
        self._reception = reception
        self._metrics = metrics
        self._idle_after = idle_after
        self._at_most = at_most
        self._message_limit = message_limit
        self._open: set[web.WebSocketResponse] = set()

    async def hold(self, request: web.Request, admit: Callable[[], str]) -> web.WebSocketResponse:
        """Talk until one side has enough. `admit` is asked at each message: keys and workspaces come and go.

        Raises:
            Refusal: 503, there are too many connections.

        """
        if len(self._open) >= self._at_most:
            raise Refusal(503, "Full", "too many connections here", retry_after=10)
        socket = web.WebSocketResponse(
            timeout=_CLOSE_WITHIN,
            heartbeat=_PING_EVERY,
            autoping=False,
            compress=False,
            max_msg_size=self._message_limit,
            protocols=(PROTOCOL,),
        )
        await socket.prepare(request)
        self._open.add(socket)
        self._metrics.connected(connections=len(self._open))
        try:
            await self._listen(socket, uid=admit(), admit=admit)
        except TimeoutError:
            await socket.close(code=WSCloseCode.OK, message=b"idle")
        except Refusal as refusal:
            self._metrics.refused(cause=refusal.cause)
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=refusal.message.encode())
        finally:
            self._open.discard(socket)
            self._metrics.connected(connections=len(self._open))
        return socket

    async def end(self, _: web.Application) -> None:
        """Tell everybody to come back; another gateway will be there."""
        goodbyes = (socket.close(code=WSCloseCode.GOING_AWAY, message=b"restarting") for socket in tuple(self._open))
        await asyncio.gather(*goodbyes, return_exceptions=True)

    async def _listen(self, socket: web.WebSocketResponse, *, uid: str, admit: Callable[[], str]) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._idle_after) as silence:
            while (message := await socket.receive()).type not in _END:
                await self._keep_pace(uid)
                if message.type in _TEXT:
                    self._beat(message.data, uid=admit())
                    silence.reschedule(loop.time() + self._idle_after)
                elif message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                    self._metrics.beat(transport="websocket", has_input=False)

    async def _keep_pace(self, uid: str) -> None:
        """Read no further for a while where too much comes: the sender feels it, and nothing is lost."""
        while (pause := self._reception.pause(uid)) > 0:  # noqa: ASYNC110  # a pace, and nothing that could be awaited
            await asyncio.sleep(pause)

    def _beat(self, text: str | bytes, *, uid: str) -> None:
        said = self._reception.read(text)
        self._reception.take(uid, said)
        self._metrics.beat(transport="websocket", has_input=said.input)
