"""All machines of a simulator: one event loop, one HTTP protocol, one listening socket for every running machine."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from hotdesk_local.machines.activity import Activity
from hotdesk_local.machines.disk import Disk
from hotdesk_local.machines.jupyter import Jupyter
from hotdesk_local.machines.programs import Program, make_program

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
    program: Program
    listener: asyncio.Server | None = None


class Machines:
    """Gives machines power and takes it away; `disk_of` says where a machine's disk is."""

    def __init__(self, *, disk_of: Callable[[str], Path], serving: bool, now: Callable[[], float]) -> None:
        self.disk = disk_of
        self._now = now
        self._serving = serving
        self._by_id: dict[str, Machine] = {}
        self._by_address: dict[str, Machine] = {}
        self._booting: dict[str, Machine] = {}
        self._hanging: set[str] = set()
        self._http = web.Server(self._handle, access_log=None)

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

    def work(self, machine_id: str, *, busy: bool) -> bool:
        """Let the machine's program be busy by itself; return whether it is one that can be."""
        machine = self._by_id.get(machine_id)
        program = machine.program if machine is not None else None
        if isinstance(program, Jupyter):
            program.make_busy(busy=busy, now=self._now())
        elif isinstance(program, Activity):
            program.busy = busy
        return isinstance(program, (Jupyter, Activity))

    def power_on(self, machine_id: str, *, address: str, now: float, kind: str = "", token: str = "") -> None:
        """Begin to boot a program of this kind; it remembers nothing of the time before."""
        disk = Disk(self.disk(machine_id))
        disk.root.mkdir(parents=True, exist_ok=True)
        program = make_program(kind, machine_id=machine_id, disk=disk, token=token, now=now)
        machine = Machine(id=machine_id, address=address, disk=disk, powered=now, program=program)
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

    async def advance(self, *, now: float, boot: float) -> None:
        """Let time pass: machines finish their boot, hearts beat again."""
        if self._serving:
            due = [m for m in self._booting.values() if now >= m.powered + boot][:BATCH]
            for machine in due:
                await self._open(machine)
        for machine in self._by_id.values():
            if machine.program.wants_look:
                machine.program.pass_time(now=now, connections=len(list(self._connections(machine))))

    async def serve(self, *, serving: bool) -> None:
        """Open the listeners of running machines, or close them all."""
        self._serving = serving
        if serving:
            return
        for machine in self._by_id.values():
            self._silence(machine)
            self._booting[machine.id] = machine

    async def close(self) -> None:
        """Cut all power."""
        for machine_id in list(self._by_id):
            self.power_off(machine_id)
        await self._http.shutdown(timeout=0.1)

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
        return await machine.program.answer(request, now=self._now())


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
