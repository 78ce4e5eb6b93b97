"""A program of one's own that says itself when somebody last used it: `GET /activity`."""

from dataclasses import dataclass

from aiohttp import web

from hotdesk_local.machines.disk import Disk
from hotdesk_local.machines.files import FILES, answer_file, path_of
from hotdesk_local.machines.moments import written


@dataclass(slots=True)
class Activity:
    """Only reading and writing files is use; asking is not, an open connection is not."""

    disk: Disk
    last: float | None = None
    busy: bool = False

    async def answer(self, request: web.BaseRequest, *, now: float) -> web.StreamResponse:
        """Answer one request."""
        path = path_of(request)
        if path == "/activity":
            last = None if self.last is None else written(self.last)
            return web.json_response({"lastActivity": last, "active": self.busy})
        if path.startswith(FILES):
            self.last = now
            return await answer_file(request, path=path, disk=self.disk)
        status = 200 if path in {"/", "/healthz"} else 404
        return web.Response(status=status, text="See /activity and /files/.\n")

    def pass_time(self, *, now: float, connections: int) -> None:
        """Do nothing: time alone is no activity."""

    @property
    def wants_look(self) -> bool:
        """Return that it does not."""
        return False
