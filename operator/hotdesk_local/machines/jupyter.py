"""A Jupyter-like server by the rules measured on jupyter-server 2.21.1: what it calls activity, and what it does not.

Contents and kernels are activity, unless asked with `no_track_activity`; `/api` and `/api/status` never are. A kernel
moves its own last activity with each message: one that is busy and prints nothing looks idle but for its state.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import WSMsgType, web

from hotdesk_local.machines.disk import Disk, OutsideDiskError
from hotdesk_local.machines.files import FILES, answer_file, path_of
from hotdesk_local.machines.moments import written

VERSION = "2.21.1"
CONTENTS, KERNELS = "/api/contents/", "/api/kernels"


@dataclass(slots=True, eq=False)
class Kernel:
    """One kernel. `connections` are its open websockets."""

    id: str
    active: float
    state: str = "idle"
    connections: int = 0

    def shown(self) -> Mapping[str, object]:
        """Return it as `/api/kernels` lists it."""
        return {
            "id": self.id,
            "name": "python3",
            "last_activity": written(self.active),
            "execution_state": self.state,
            "connections": self.connections,
        }


@dataclass(slots=True)
class Jupyter:
    """The server of one machine."""

    disk: Disk
    token: str
    started: float
    active: float
    kernels: dict[str, Kernel] = field(default_factory=dict)

    async def answer(self, request: web.BaseRequest, *, now: float) -> web.StreamResponse:
        """Answer one request."""
        path = path_of(request)
        if path == "/api":
            return web.json_response({"version": VERSION})
        if not self._knows(request):
            return web.json_response({"message": "Forbidden", "reason": None}, status=403)
        if path == "/api/status":
            return web.json_response(self._status())
        if path.startswith("/api/") and "no_track_activity" not in request.query:
            self.active = now
        if path.startswith(CONTENTS):
            return await self._content(request, name=unquote(path.removeprefix(CONTENTS)))
        if path == KERNELS or path.startswith(f"{KERNELS}/"):
            return await self._kernel(request, path.removeprefix(KERNELS).strip("/"), now=now)
        if path.startswith(FILES):
            return await answer_file(request, path=path, disk=self.disk)
        return web.json_response({"message": "Not found"}, status=404)

    def make_busy(self, *, busy: bool, now: float) -> None:
        """Let every kernel work, or rest; without one, start one. Both ends of the work are messages."""
        if not self.kernels:
            self._start(now=now)
        for kernel in self.kernels.values():
            kernel.state, kernel.active = "busy" if busy else "idle", now

    def pass_time(self, *, now: float, connections: int) -> None:
        """Do nothing: time alone is no activity, and neither is a connection."""

    @property
    def wants_look(self) -> bool:
        """Return that it does not."""
        return False

    def _knows(self, request: web.BaseRequest) -> bool:
        given = request.headers.get("Authorization", "").split()
        return request.query.get("token") == self.token or given in (["token", self.token], ["Bearer", self.token])

    def _status(self) -> Mapping[str, object]:
        return {
            "connections": sum(kernel.connections for kernel in self.kernels.values()),
            "kernels": len(self.kernels),
            "last_activity": written(max([self.active, *(kernel.active for kernel in self.kernels.values())])),
            "started": written(self.started),
        }

    async def _content(self, request: web.BaseRequest, *, name: str) -> web.Response:
        try:
            if request.method == "PUT":
                model = json.loads(await request.read())
                self.disk.write(name, _bytes(model))
                return web.json_response({"name": name.rpartition("/")[2], "path": name, "type": "file"}, status=201)
            content = self.disk.read(name)
        except FileNotFoundError:
            return web.json_response({"message": f"No such file or directory: {name}"}, status=404)
        except (OutsideDiskError, ValueError, KeyError, binascii.Error) as exc:
            return web.json_response({"message": str(exc)}, status=400)
        text = base64.b64encode(content).decode()
        return web.json_response({"path": name, "type": "file", "format": "base64", "content": text})

    async def _kernel(self, request: web.BaseRequest, rest: str, *, now: float) -> web.StreamResponse:
        name, _, channel = rest.partition("/")
        if not name:
            if request.method == "POST":
                return web.json_response(self._start(now=now).shown(), status=201)
            return web.json_response([kernel.shown() for kernel in self.kernels.values()])
        kernel = self.kernels.get(name)
        if kernel is None:
            return web.json_response({"message": f"Kernel does not exist: {name}"}, status=404)
        if channel == "channels":
            return await _talk(request, kernel, began=now)
        if request.method == "DELETE":
            del self.kernels[name]
            return web.Response(status=204)
        return web.json_response(kernel.shown())

    def _start(self, *, now: float) -> Kernel:
        kernel = Kernel(id=str(uuid4()), active=now)
        self.kernels[kernel.id] = kernel
        return kernel


async def _talk(request: web.BaseRequest, kernel: Kernel, *, began: float) -> web.StreamResponse:
    """Hold a websocket: it is a connection, and each message is activity of the kernel."""
    socket, clock = web.WebSocketResponse(), asyncio.get_running_loop().time
    since = clock()
    await socket.prepare(request)
    kernel.connections += 1
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                kernel.active = began + clock() - since
    finally:
        kernel.connections -= 1
    return socket


def _bytes(model: Mapping[str, str]) -> bytes:
    if model.get("format") == "base64":
        return base64.b64decode(model["content"], validate=True)
    return model["content"].encode()
