"""A small editor with code-server's `/healthz`: a page, and the machine's files."""

from dataclasses import dataclass, field

from aiohttp import web

from hotdesk_local.machines.disk import Disk
from hotdesk_local.machines.files import FILES, answer_file, path_of
from hotdesk_local.machines.heartbeat import Heart
from hotdesk_local.machines.pages import editor


@dataclass(slots=True)
class CodeServer:
    """The editor of one machine."""

    machine_id: str
    disk: Disk
    heart: Heart = field(default_factory=Heart)

    async def answer(self, request: web.BaseRequest, *, now: float) -> web.StreamResponse:
        """Answer one request; everything but `/healthz` counts as use of the machine, a 404 too."""
        path = path_of(request)
        if path == "/healthz":
            return web.json_response(self.heart.health(now=now))
        self.heart.beat(now=now)
        if path.startswith(FILES):
            return await answer_file(request, path=path, disk=self.disk)
        if path != "/":
            return web.Response(status=404, text="There is nothing here.\n")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, text="Only GET.\n")
        page = editor(machine=self.machine_id, folder=request.query.get("folder", ""), files=self.disk.files())
        return web.Response(text=page, content_type="text/html")

    def pass_time(self, *, now: float, connections: int) -> None:
        """Beat again where a connection is open."""
        self.heart.pass_time(now=now, connections=connections)

    @property
    def wants_look(self) -> bool:
        """Say whether the heart may still beat by itself."""
        return self.heart.wants_look
