"""A fake Kubernetes API server: small, deterministic, and able to misbehave exactly when a test wants it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self

import kopf
import orjson
from aiohttp import web

from fakes.apiserver.answering import Answering, Asked
from fakes.apiserver.discovery import document
from fakes.apiserver.errors import ApiError, bad_request
from fakes.apiserver.faults import Call, Fault, Gate, Trouble
from fakes.apiserver.kinds import Kind, served_kinds
from fakes.apiserver.paths import Target, parse
from fakes.apiserver.storage import Json, Storage
from fakes.apiserver.watches import Watches
from hotdesk.adapters.kube.connection import Connection

_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


class FakeApiServer:
    """Serves on loopback while the context is entered; enter it inside the event loop.

    Tests act as users through `create`, `patch`, `delete`, `get` and `objects`, which no fault touches; `calls` shows
    what clients did over HTTP.
    """

    def __init__(self, *, now: Callable[[], datetime] | None = None) -> None:
        self._kinds = {kind.plural: kind for kind in served_kinds()}
        self.storage = Storage(now=now)
        self.watches = Watches(self.storage)
        self.calls: list[Call] = []
        self._peers: set[object] = set()
        self._faults: list[Fault] = []
        self._answering = Answering(self.storage)
        self._runner: web.AppRunner | None = None
        self._port = 0
        self.late: set[asyncio.Task[None]] = set()
        self.create("namespaces", {"metadata": {"name": "default"}})

    @property
    def url(self) -> str:
        """Where it listens; the same after `stop` and `start`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections_opened(self) -> int:
        """Over how many connections requests came so far."""
        return len(self._peers)

    @property
    def connection(self) -> Connection:
        """What a KubeSession takes."""
        return Connection(info=kopf.ConnectionInfo(server=self.url))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, with everything stored before still there."""
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and break every connection."""
        self.watches.cut()
        if self._runner is not None:
            await self._runner.cleanup()
        for task in self.late:
            task.cancel()

    def create(self, plural: str, body: Json, *, namespace: str = "") -> Json:
        """Create as a user would, without HTTP."""
        return self.storage.create(self._kind(plural), namespace, body)

    def patch(self, plural: str, name: str, patch: Json, *, namespace: str = "", status: bool = False) -> Json:
        """Merge-patch as somebody else would, without HTTP."""
        return self.storage.patch(self._kind(plural), (namespace, name), patch, status=status)

    def delete(self, plural: str, name: str, *, namespace: str = "") -> None:
        """Delete as a user would, without HTTP."""
        self.storage.delete(self._kind(plural), (namespace, name), {})

    def get(self, plural: str, name: str, *, namespace: str = "") -> Json | None:
        """Return what is stored now, or None."""
        return next(
            (found for found in self.objects(plural, namespace=namespace) if found["metadata"]["name"] == name), None
        )

    def objects(self, plural: str, *, namespace: str = "") -> list[Json]:
        """Return everything of a kind as it is stored now."""
        return self.storage.objects(self._kind(plural), namespace=namespace)

    def inject(self, trouble: Trouble, **matching: Any) -> Gate:
        """Make the next `count` (1 unless given) requests that match suffer; see Fault for what can be given."""
        fault = Fault(trouble, **matching)
        self._faults.append(fault)
        return fault.gate

    def forget_faults(self) -> None:
        """Let every request succeed from now on."""
        self._faults.clear()

    def compact(self, *, expire_watches: bool = False) -> None:
        """Forget the history: a watch or a list page from before gets 410, open watches too if wanted."""
        self.storage.forget_history()
        self._answering.forget_snapshots()
        if expire_watches:
            self.watches.expire()

    def writes(self, resource: str) -> list[Call]:
        """Return the writes that clients sent to a resource (`machines`, `workspaces/status`, …), in order."""
        return [call for call in self.calls if call.resource == resource and call.verb in _VERBS.values()]

    def _kind(self, plural: str) -> Kind:
        return self._kinds[plural]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._peers.add(request.transport.get_extra_info("peername"))
        if (found := document(request.path, self._kinds.values())) is not None:
            return _json(found)
        target = parse(request.path, self._kinds.values())
        if target is None:
            return web.Response(status=404, text="404 page not found\n")
        raw = await request.read()
        try:
            body = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError as error:
            return _failed(bad_request(f"error decoding the body: {error}"))
        call = Call(
            verb=_verb(request, target),
            resource=target.resource,
            namespace=target.namespace,
            name=target.name,
            body=body,
        )
        self.calls.append(call)
        fault = next((fault for fault in self._faults if fault.hits(call)), None)
        if fault is None:
            return await self._answer(request, target, body)
        fault.count -= 1
        return await self._suffer(fault, request, target, body)

    async def _suffer(self, fault: Fault, request: web.Request, target: Target, body: Json) -> web.StreamResponse:
        match fault.trouble:
            case Trouble.ANSWER:
                reason = HTTPStatus(fault.status).phrase.title().replace(" ", "")
                return _failed(ApiError(HTTPStatus(fault.status), reason, "the test wants it so"))
            case Trouble.LOSE_REQUEST:
                return _cut(request)
            case Trouble.LOSE_ANSWER:
                await self._answer(request, target, body)
                return _cut(request)
            case Trouble.LATE:
                task = asyncio.create_task(self._answer_late(fault.gate, request, target, body))
                self.late.add(task)
                task.add_done_callback(self.late.discard)
                return _cut(request)
            case Trouble.HOLD:
                await fault.gate.passed()
                return await self._answer(request, target, body)
            case Trouble.HOLD_ANSWER:
                answer = await self._answer(request, target, body)
                await fault.gate.passed()
                return answer

    async def _answer_late(self, gate: Gate, request: web.Request, target: Target, body: Json) -> None:
        await gate.passed()
        await self._answer(request, target, body)

    async def _answer(self, request: web.Request, target: Target, body: Any) -> web.StreamResponse:
        try:
            if request.query.get("watch") in ("true", "1"):
                return await self.watches.serve(request, target)
            return self._effect(request, target, body)
        except ApiError as error:
            return _failed(error)

    def _effect(self, request: web.Request, target: Target, body: Any) -> web.Response:
        asked = Asked(
            method=request.method, target=target, query=request.query, content_type=request.content_type, body=body
        )
        status, document = self._answering.answer(asked)
        return _json(document, status=status)


def _verb(request: web.Request, target: Target) -> str:
    if request.method != "GET":
        return _VERBS.get(request.method, request.method.lower())
    if request.query.get("watch") in ("true", "1"):
        return "watch"
    return "get" if target.name else "list"


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def _failed(error: ApiError) -> web.Response:
    answer = _json(error.status, status=int(error.code))
    if error.code == HTTPStatus.TOO_MANY_REQUESTS:
        answer.headers["Retry-After"] = "1"
    return answer


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
