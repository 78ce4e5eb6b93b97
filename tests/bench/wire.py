"""The HTTP that the load and the floor share: few warm connections to the API server, and its watch streams."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

GROUP = "/apis/hotdesk.dev/v1alpha1"
MACHINES = f"{GROUP}/machines"
NAMESPACE = "bench"
WORKSPACES = f"{GROUP}/namespaces/{NAMESPACE}/workspaces"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/hotdesk-system/leases"

_OK, _ERRORS = 200, 400
_MERGE = {"Content-Type": "application/merge-patch+json"}
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Access:
    """Where the API server is, and who we are there."""

    url: str
    authority: str
    """The file of the certificate it is checked against."""
    token: str


class Refused(Exception):  # noqa: N818  # names the fact
    """The API server answered with an error."""

    def __init__(self, *, status: int, method: str, path: str, body: bytes) -> None:
        super().__init__(f"{method} {path} was answered {status}: {body[:300].decode(errors='replace')}")
        self.status = status


class Wire:
    """One session. The settings are those of Hotdesk's own, so that no client is faster by its set-up alone."""

    def __init__(self, access: Access, *, connections: int) -> None:
        self._connections = connections
        context = ssl.create_default_context(cafile=Path(access.authority))
        self._http = aiohttp.ClientSession(
            base_url=access.url,
            connector=aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=300),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Authorization": f"Bearer {access.token}",
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=60),
            read_bufsize=2**20,
        )
        self._free = asyncio.Semaphore(connections)

    async def warm(self) -> None:
        """Open every connection, by using all of them at once."""
        await asyncio.gather(*(self.get("/version") for _ in range(self._connections)))

    async def get(self, path: str) -> Any:
        """Return what GET answers."""
        return orjson.loads(await self._send("GET", path))

    async def get_text(self, path: str) -> str:
        """Return what GET answers, as text."""
        return (await self._send("GET", path)).decode()

    async def create(self, path: str, body: Any) -> None:
        """POST an object."""
        await self._send("POST", path, body=body, headers=_JSON)

    async def patch(self, path: str, body: Any) -> bytes:
        """Merge-patch an object, and return it as it is now."""
        return await self._send("PATCH", path, body=body, headers=_MERGE)

    async def delete(self, path: str) -> None:
        """DELETE an object."""
        await self._send("DELETE", path)

    async def watch(self, path: str, *, since: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a collection after the version `since`, for ever.

        The API server ends the watch of a client that it calls slow, on busy cores also without its doing: like
        every client we go on from the last version.
        """
        while True:
            async for event in self._watch_once(path, since=since):
                if event["type"] == "ERROR":
                    raise RuntimeError(f"the watch of {path} ended: {event['object']}")
                since = event["object"]["metadata"]["resourceVersion"]
                yield event

    async def _watch_once(self, path: str, *, since: str) -> AsyncIterator[dict[str, Any]]:
        rest = b""
        async with self._http.get(path, params={"watch": "1", "resourceVersion": since}) as answer:
            if answer.status != _OK:
                raise Refused(status=answer.status, method="GET", path=path, body=await answer.read())
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield orjson.loads(line)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def _send(self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        data = orjson.dumps(body) if body is not None else None
        async with self._free, self._http.request(method, path, data=data, headers=headers) as answer:
            content = await answer.read()
            if answer.status >= _ERRORS:
                raise Refused(status=answer.status, method=method, path=path, body=content)
            return content


@asynccontextmanager
async def wire(access: Access, *, connections: int) -> AsyncIterator[Wire]:
    """Open warm connections, and close them at the end."""
    opened = Wire(access, connections=connections)
    try:
        await opened.warm()
        yield opened
    finally:
        await opened.close()
