"""Which program a machine runs on its port, and what every one of them can do."""

from typing import Protocol

from aiohttp import web

from hotdesk_local.machines.activity import Activity
from hotdesk_local.machines.disk import Disk
from hotdesk_local.machines.editor import CodeServer
from hotdesk_local.machines.jupyter import Jupyter


class Program(Protocol):
    """Answers requests, and knows by its own rules when somebody last used it."""

    async def answer(self, request: web.BaseRequest, *, now: float) -> web.StreamResponse:
        """Answer one request."""

    def pass_time(self, *, now: float, connections: int) -> None:
        """Let time pass; `connections` are the open TCP connections to the machine."""

    @property
    def wants_look(self) -> bool:
        """Say whether time passing may still change something."""


KINDS = ("code-server", "jupyter", "activity")


def make_program(kind: str, *, machine_id: str, disk: Disk, token: str, now: float) -> Program:
    """Return a program that has just started; an unknown kind is code-server."""
    if kind == "jupyter":
        return Jupyter(disk=disk, token=token, started=now, active=now)
    if kind == "activity":
        return Activity(disk=disk)
    return CodeServer(machine_id=machine_id, disk=disk)
