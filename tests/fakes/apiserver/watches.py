"""Open watches: each one a stream of lines that can be bookmarked, expired or cut at any moment."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import web

from fakes.apiserver.errors import ApiError, expired
from fakes.apiserver.kinds import Kind
from fakes.apiserver.paths import Target
from fakes.apiserver.storage import Json, Storage


class Watches:
    """All open watches of one server."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._open: set[_Watch] = set()

    def count(self, plural: str) -> int:
        """How many watches of a kind are open."""
        return sum(watch.target.kind.plural == plural for watch in self._open)

    def bookmark(self) -> None:
        """Send every watch a bookmark with the newest version."""
        for watch in self._open:
            watch.send("BOOKMARK", _bookmark(watch.target.kind, version=self._storage.version))

    def expire(self) -> None:
        """End every watch with the error 410, as the real API server does when its cache has moved on."""
        for watch in self._open:
            watch.send("ERROR", expired("too old resource version").status)
            watch.send_end()

    def end(self, plural: str | None = None) -> None:
        """End the open watches, of one kind or of all, after what was sent, as the server's own timeout does."""
        for watch in self._of(plural):
            watch.send_end()

    def cut(self, plural: str | None = None) -> None:
        """Break the connections of the open watches, of one kind or of all; what is on its way is lost."""
        for watch in self._of(plural):
            watch.cut()

    async def serve(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Stream what happened since the version asked for and what happens from now on, until somebody ends it."""
        watch = _Watch(request, target)
        unsubscribe = self._storage.subscribe(watch.publish)
        try:
            for event_type, stored in self._backlog(target, request.query):
                watch.publish(target.kind, event_type, stored)
            if request.query.get("sendInitialEvents") == "true":
                end = _bookmark(target.kind, version=self._storage.version)
                end["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}
                watch.send("BOOKMARK", end)
        except ApiError as error:
            watch.send("ERROR", error.status)
            watch.send_end()
        self._open.add(watch)
        try:
            return await watch.stream(seconds=float(request.query.get("timeoutSeconds", "3600")))
        finally:
            self._open.discard(watch)
            unsubscribe()

    def _of(self, plural: str | None) -> list["_Watch"]:
        return [watch for watch in self._open if plural in (None, watch.target.kind.plural)]

    def _backlog(self, target: Target, query: Mapping[str, str]) -> Iterable[tuple[str, Json]]:
        since = query.get("resourceVersion", "")
        if since in ("", "0") or query.get("sendInitialEvents") == "true":
            return [("ADDED", stored) for stored in self._storage.objects(target.kind)]
        return [(event.type, event.object) for event in self._storage.events_since(int(since), target.kind)]


class _Watch:
    def __init__(self, request: web.Request, target: Target) -> None:
        self.target = target
        self._request = request
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()

    def publish(self, kind: Kind, event_type: str, stored: Json) -> None:
        if kind is self.target.kind and selected(stored, self.target, self._request.query):
            self.send(event_type, stored)

    def send(self, event_type: str, stored: Any) -> None:
        self._lines.put_nowait(orjson.dumps({"type": event_type, "object": stored}) + b"\n")

    def send_end(self) -> None:
        self._lines.put_nowait(None)

    def cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
        self.send_end()

    async def stream(self, *, seconds: float) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                await response.prepare(self._request)
                while (line := await self._lines.get()) is not None:
                    await response.write(line)
        return response


def selected(stored: Json, target: Target, query: Mapping[str, str]) -> bool:
    """Whether namespace, `fieldSelector` (name and namespace) and `labelSelector` (equality) choose the object."""
    metadata = stored["metadata"]
    if target.namespace and metadata.get("namespace") != target.namespace:
        return False
    fields = {f"metadata.{field}": metadata.get(field, "") for field in ("name", "namespace")}
    return _equal(query.get("fieldSelector", ""), fields) and _equal(
        query.get("labelSelector", ""), metadata.get("labels") or {}
    )


def _equal(selector: str, values: Mapping[str, str]) -> bool:
    pairs = (part.split("=", 1) for part in selector.split(",") if part)
    return all(values.get(field.strip()) == wanted.lstrip("=").strip() for field, wanted in pairs)


def _bookmark(kind: Kind, *, version: int) -> Json:
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {"resourceVersion": str(version)}}
