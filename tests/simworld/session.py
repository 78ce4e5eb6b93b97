"""The operator's side of the API server on simulated time: the real session and the real watch, without sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
import kopf
import orjson

from fakes.apiserver.errors import ApiError
from hotdesk.adapters.kube.connection import Connection
from hotdesk.adapters.kube.session import CONNECTIONS, Answer, KubeSession
from hotdesk.ports import Unanswered
from simworld.apiserver import SimApiServer
from simworld.process import Process


class SimSession(KubeSession):
    """A KubeSession whose requests go to the simulated API server; what it does about silence is its own."""

    def __init__(self, server: SimApiServer, process: Process) -> None:
        self._server = server  # type: ignore[assignment]  # in the real one it is a URL
        self._process = process
        self._silence = asyncio.Event()
        self._unused = asyncio.Semaphore(CONNECTIONS)

    async def close(self) -> None:
        pass

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        answered: asyncio.Future[Answer | None] = self._process.loop.create_future()
        self._server.send(
            self._process,
            method=method,
            path=path,
            query=dict(params or {}),
            body=body,
            content_type=content_type,
            deliver=lambda answer: answered.done() or answered.set_result(answer),
        )
        try:
            async with asyncio.timeout(5):
                answer = await answered
        except TimeoutError:
            answer = None
        if answer is None:
            self._silence.set()
            raise Unanswered(f"{method} {path} was not answered")
        return answer


@dataclass(frozen=True, slots=True)
class SimConnection(Connection):
    """A connection to the simulated API server, which `open_http` knows how to use."""

    server: SimApiServer | None = None
    process: Process | None = None


def connection(server: SimApiServer, process: Process) -> SimConnection:
    """Return what a watch is given."""
    return SimConnection(info=kopf.ConnectionInfo(server="http://simulated"), server=server, process=process)


class SimHttp:
    """As much of aiohttp's session as a watch uses."""

    def __init__(self, given: SimConnection) -> None:
        assert given.server is not None
        assert given.process is not None
        self._server, self._process = given.server, given.process
        self._session = SimSession(self._server, self._process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def get(self, url: str, *, params: Mapping[str, str], **_: Any):
        path = url.removeprefix("http://simulated")
        return self._watch(path, params) if params.get("watch") else self._read(path, params)

    @asynccontextmanager
    async def _read(self, path: str, params: Mapping[str, str]) -> AsyncIterator["_Response"]:
        answer = await self._session._send("GET", path, params=params)
        yield _Response(answer.status, answer.body)

    @asynccontextmanager
    async def _watch(self, path: str, params: Mapping[str, str]) -> AsyncIterator["_Response"]:
        await asyncio.sleep(0.002)
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        try:
            watch = self._server.watch(
                self._process,
                path.rsplit("/", 1)[1],
                since=int(params["resourceVersion"]),
                tell=lambda kind, body: lines.put_nowait(orjson.dumps({"type": kind, "object": body})),
                ended=lambda: lines.put_nowait(None),
            )
        except ApiError as error:
            yield _Response(int(HTTPStatus.GONE), orjson.dumps(error.status))
            return
        try:
            yield _Response(int(HTTPStatus.OK), b"", stream=_stream(lines))
        finally:
            watch.close()


@dataclass
class _Response:
    status: int
    body: bytes
    stream: AsyncIterator[bytes] | None = None

    async def read(self) -> bytes:
        return self.body

    @property
    def content(self) -> AsyncIterator[bytes]:
        assert self.stream is not None
        return self.stream


async def _stream(lines: "asyncio.Queue[bytes | None]") -> AsyncIterator[bytes]:
    while (line := await lines.get()) is not None:
        yield line
    raise aiohttp.ClientPayloadError("the connection broke")
