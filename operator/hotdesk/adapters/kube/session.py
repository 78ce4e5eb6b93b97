"""Requests to the Kubernetes API over few connections that are kept warm; a write is sent once and never again."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import aiohttp

from hotdesk.adapters.kube.connection import Connection, open_session
from hotdesk.ports import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

CONNECTIONS = 32  # more cost CPU: 0.43 ms a write with 32, 1.47 ms with 500 unlimited ones (measured with kopf 1.45.2)
ANSWER_WITHIN = timedelta(seconds=5)  # of silence; kube-apiserver itself would go on for 60 s (its --request-timeout)
_READ_PAUSES = (0.1, 0.4, 1.0)  # seconds before a read is tried again


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said, whatever it said."""

    status: int
    body: bytes


class KubeSession:
    """One session for everything but kopf's watches. Make it inside the event loop it is used in."""

    def __init__(
        self,
        connection: Connection,
        *,
        connections: int = CONNECTIONS,
        answer_within: timedelta = ANSWER_WITHIN,
    ) -> None:
        self._server = connection.info.server.rstrip("/")
        self._connections = connections
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=answer_within.total_seconds())
        self._http = open_session(connection, connections=connections, timeout=timeout)
        self._silence = asyncio.Event()
        self._unused = asyncio.Semaphore(connections)

    async def warm(self, connections: int | None = None) -> None:
        """Open this many connections (all unless given) by asking for the version over all of them at once.

        Raises:
            Unanswered: the API server cannot be reached.

        """
        await asyncio.gather(*(self.read("/version") for _ in range(connections or self._connections)))

    async def keep_warm(self, *, every: timedelta) -> None:
        """Use every connection this often, for ever: kube-apiserver closes one that was unused for 90 s.

        A claim after a quiet night then finds open connections (0.3 ms) rather than a TLS handshake (4 ms).
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every.total_seconds()):
                    await self._silence.wait()  # where one connection fell silent, all did: try them at once
            with contextlib.suppress(Unanswered):
                await self.warm()
            self._silence.clear()

    async def read(self, path: str, *, params: Mapping[str, str] | None = None) -> Answer:
        """GET, tried again a few times while there is no answer; any status counts as an answer.

        Raises:
            Unanswered: not even the last attempt was answered.

        """
        for pause in _READ_PAUSES:
            with contextlib.suppress(Unanswered):
                return await self._get(path, params)
            await asyncio.sleep(pause)
        return await self._get(path, params)

    async def write(
        self, method: str, path: str, *, body: bytes, content_type: str, begin: Callable[[], None] = lambda: None
    ) -> Answer:
        """Send once. `begin` is called when a connection is there for it, and may raise to keep it from being sent.

        Raises:
            Unanswered: nobody knows whether it had, or will have, its effect.

        """
        async with self._unused:
            begin()
            return await self._send(method, path, body=body, content_type=content_type)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _get(self, path: str, params: Mapping[str, str] | None) -> Answer:
        async with self._unused:
            return await self._send("GET", path, params=params)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        headers = {"Content-Type": content_type} if body is not None else None
        try:
            async with self._http.request(
                method, self._server + path, params=params, data=body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(status=response.status, body=await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            if isinstance(exc, TimeoutError):
                self._silence.set()
            raise Unanswered(f"{method} {path} was not answered: {exc!r}") from exc
