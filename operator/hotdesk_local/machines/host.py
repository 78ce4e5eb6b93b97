"""All machines of a simulator: one event loop, one HTTP protocol, one listening socket for every running machine."""

import asyncio
import logging
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from hotdesk_local.machines.disk import Disk
from hotdesk_local.machines.editor import answer
from hotdesk_local.machines.heartbeat import Heart

log = logging.getLogger(__name__)

PORT = 8080
BACKLOG = 64
BATCH = 200
"""Listeners opened in one turn, so that a launch of thousands leaves room for calls in between."""


@dataclass(slots=True)
class Machine:
    """One machine that has power."""

    id: str
    address: str
    disk: Disk
    powered: float
    heart: Heart = field(default_factory=Heart)
    listener: asyncio.Server | None = None


class Machines:
    """Gives machines power and takes it away. `root` holds the disks."""

    def __init__(self, *, root: Path, serving: bool) -> None:
        self._root = root
        self._serving = serving
        self._by_id: dict[str, Machine] = {}
        self._by_address: dict[str, Machine] = {}
        self._booting: dict[str, Machine] = {}
        self._hanging: set[str] = set()
        self._http = web.Server(self._handle, access_log=None)

    def disk(self, machine_id: str) -> Path:
        """Return where the machine's files are."""
        return self._root / machine_id

    def is_serving(self, machine_id: str) -> bool:
        """Say whether the machine has booted and listens."""
        machine = self._by_id.get(machine_id)
        return machine is not None and machine.listener is not None

    def is_hanging(self, machine_id: str) -> bool:
        """Say whether the machine was made to hang."""
        return machine_id in self._hanging

    def hang(self, machine_id: str, *, hanging: bool) -> None:
        """Let the machine accept connections and never answer; a power cycle heals it too."""
        (self._hanging.add if hanging else self._hanging.discard)(machine_id)

    def power_on(self, machine_id: str, *, address: str, now: float) -> None:
        """Begin to boot."""
        machine = Machine(id=machine_id, address=address, disk=Disk(self.disk(machine_id)), powered=now)
        machine.disk.root.mkdir(exist_ok=True)
        self._by_id[machine_id] = self._by_address[address] = self._booting[machine_id] = machine

    def power_off(self, machine_id: str) -> None:
        """Close the listener and cut every connection; the disk stays."""
        self._booting.pop(machine_id, None)
        self._hanging.discard(machine_id)
        machine = self._by_id.pop(machine_id, None)
        if machine is None:
            return
        del self._by_address[machine.address]
        self._silence(machine)

    def erase(self, machine_id: str) -> None:
        """Lose the disk."""
        shutil.rmtree(self.disk(machine_id), ignore_errors=True)

    async def advance(self, *, now: float, boot: float) -> None:
        """Let time pass: machines finish their boot, hearts beat again."""
        if self._serving:
            due = [m for m in self._booting.values() if now >= m.powered + boot][:BATCH]
            for machine in due:
                await self._open(machine)
        for machine in self._by_id.values():
            if machine.heart.wants_look:
                machine.heart.pass_time(now=now, connections=len(list(self._connections(machine))))

    async def serve(self, *, serving: bool) -> None:
        """Open the listeners of running machines, or close them all."""
        self._serving = serving
        if serving:
            return
        for machine in self._by_id.values():
            self._silence(machine)
            self._booting[machine.id] = machine

    async def close(self) -> None:
        """Cut all power and delete all disks."""
        for machine_id in list(self._by_id):
            self.power_off(machine_id)
        await self._http.shutdown(timeout=0.1)
        shutil.rmtree(self._root, ignore_errors=True)

    async def _open(self, machine: Machine) -> None:
        del self._booting[machine.id]
        try:
            listening = _listening(machine.address)
            machine.listener = await asyncio.get_running_loop().create_server(
                self._http, sock=listening, backlog=BACKLOG
            )
        except OSError as exc:
            log.warning("machine cannot listen", extra={"machine": machine.id, "reason": str(exc)})

    def _silence(self, machine: Machine) -> None:
        if machine.listener is not None:
            machine.listener.close()
            machine.listener = None
            for transport in list(self._connections(machine)):
                transport.abort()

    def _connections(self, machine: Machine) -> Iterable[asyncio.Transport]:
        for protocol in self._http.connections:
            transport = protocol.transport
            if isinstance(transport, asyncio.Transport) and _own_address(transport) == machine.address:
                yield transport

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        machine = self._by_address.get(_own_address(request.transport))
        if machine is None:
            raise web.HTTPServiceUnavailable
        if machine.id in self._hanging:
            await asyncio.Event().wait()
        return await answer(request, machine_id=machine.id, disk=machine.disk, heart=machine.heart)


def _listening(address: str) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((address, PORT))
    except OSError:
        found.close()
        raise
    return found


def _own_address(transport: asyncio.BaseTransport | None) -> str:
    name = transport.get_extra_info("sockname") if transport is not None else None
    return str(name[0]) if name else ""
