"""A desk to test the actors at: a fake API server, a fake AWS, and operators that can be killed at any moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Self, TypeVar

from component.laws_kept import Laws
from fakes.apiserver.faults import Call, Gate, Trouble
from fakes.apiserver.kinds import Kind
from fakes.apiserver.server import FakeApiServer
from fakes.awsworld import Delays
from fakes.fleet import FakeFleet, FakeFleets
from fakes.interruptions import FakeInterruptions
from fakes.notices import Notices
from fakes.vault import FakeVault
from hotdesk.actors.directory import Directory
from hotdesk.actors.gate import LeaseGate, OpenGate
from hotdesk.actors.world import Pace, World
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.adapters.metrics import PrometheusMetrics
from hotdesk.api.v1alpha1 import Machine, MachinePool, Readiness, Workspace
from hotdesk.core.facts import Group
from hotdesk.ports import Fleet, Vault

T = TypeVar("T")
_PACE = Pace()
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
TAGS = {"hotdesk.dev/pool": "pool", "hotdesk.dev/managed-by": "hotdesk"}
MODELS: dict[str, type[Workspace | Machine | MachinePool]] = {
    "workspaces": Workspace,
    "machines": Machine,
    "machinepools": MachinePool,
}


def _pace(*, broad: float = _PACE.broad, **milliseconds: int) -> Pace:
    quick = {"look": 100, "look_moving": 20, "look_gap": 5, "probe": 20, "upkeep_gap": 5, "report": 20}
    return Pace(broad=broad, **{what: timedelta(milliseconds=wait) for what, wait in (quick | milliseconds).items()})


class RunningClock:
    """Time as it passes, from a fixed start; a test can set it forward."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._skipped = timedelta()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() - self._started + self._skipped.total_seconds()

    def advance(self, by: timedelta) -> None:
        self._skipped += by


class OwnClock:
    """The operators' own clock: a test can set its wall clock wrong, and the world's goes on."""

    def __init__(self, clock: RunningClock) -> None:
        self.skew = timedelta()
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now() + self.skew

    def monotonic(self) -> float:
        return self._clock.monotonic()


class PatientProber:
    """Says what the test says."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[str] = []

    async def is_ready(self, *, ip: str, readiness: Readiness) -> bool:
        del readiness
        self.asked.append(ip)
        return self.ready


class GatedFleets:
    """Fleets whose every change of AWS is announced before it is sent."""

    def __init__(self, fleets: FakeFleets, begin: Callable[[str], None]) -> None:
        self._fleets = fleets
        self._begin = begin

    def fleet(self, **where: Any) -> Any:
        return _Gated(self._fleets.fleet(**where), self._begin)

    def vault(self, **where: Any) -> Any:
        return _Gated(self._fleets.vault(**where), self._begin)

    def interruptions(self, **where: Any) -> Any:
        return self._fleets.interruptions(**where)


class _Gated:
    def __init__(self, fake: Fleet | Vault, begin: Callable[[str], None]) -> None:
        self._fake = fake
        self._begin = begin

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._fake, name)
        if name.startswith(("describe_", "find")):
            return method

        async def begun(*args: Any, **kwargs: Any) -> Any:
            self._begin(name)
            return await method(*args, **kwargs)

        return begun


class Operator:
    """The actors with the real store; fed straight from the server's storage, as a watch would feed them."""

    def __init__(self, desk: "Desk", pace: Pace, *, gate: LeaseGate | None = None) -> None:
        self.is_deaf = False  # its watches miss everything
        self.metrics = PrometheusMetrics()
        self.gate: LeaseGate | OpenGate = gate or OpenGate()
        self.writes: list[str] = []  # what it sent to the API server and to AWS, in order
        self._desk = desk
        self._session = KubeSession(desk.server.connection, connections=8)
        self.directory = Directory(
            World(
                store=KubeStore(self._session, on_write=self._note, gate=self.gate.check),
                fleets=GatedFleets(FakeFleets(desk.fleet, desk.vault, desk.queues), self._begin_call),
                prober=desk.prober,
                clock=desk.own_clock,
                metrics=self.metrics,
                pace=pace,
                gate=self.gate,
                notifier=desk.notices,
            )
        )
        self._unsubscribe = desk.server.storage.subscribe(self._hear)
        self._is_dead = False

    async def start(self) -> None:
        await self.directory.resync()
        self.directory.start()

    async def kill(self) -> None:
        """End it between two steps, as SIGKILL does: what was sent may still arrive, nothing is tidied up."""
        if self._is_dead:
            return
        self._is_dead = True
        self._unsubscribe()
        actors = self.directory._actors.values()
        tasks = [task for actor in actors for task in actor._effects._running.values()]
        tasks += [*self.directory._tasks.values(), *self.directory._lookouts._looking]
        tasks += self.directory._lookouts._announcing._tasks.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    def _note(self, *, resource: str, verb: str, outcome: str, **_: object) -> None:
        if outcome != "fenced":
            self.writes.append(f"{verb} {resource}")

    def _begin_call(self, action: str) -> None:
        """Check at the last moment whether a call that changes AWS may be sent, as the real adapter does."""
        self.gate.check()
        self.writes.append(action)

    def _hear(self, kind: Kind, event_type: str, stored: dict[str, Any]) -> None:
        if not self.is_deaf and kind.plural in MODELS:
            thing = MODELS[kind.plural].model_validate(stored)
            tell = self.directory.delete if event_type == "DELETED" else self.directory.upsert
            asyncio.get_running_loop().call_soon(lambda: None if self._is_dead else tell(thing))


class Desk:
    """The world around the operators, and what people do in it."""

    def __init__(self, **delays: float) -> None:
        self.clock = RunningClock()
        self.own_clock = OwnClock(self.clock)
        given = {what: timedelta(seconds=wait) for what, wait in delays.items()}
        self.fleet = FakeFleet(clock=self.clock, delays=Delays(**({"launch": timedelta(milliseconds=20)} | given)))
        self.queues = FakeInterruptions(self.clock)
        self.vault = FakeVault(self.fleet)
        self.server = FakeApiServer(now=self.clock.now)
        self.prober = PatientProber()
        self.notices = Notices()
        self.laws = Laws(self.server, self.fleet)
        self._operators: list[Operator] = []
        self._gates: list[Gate] = []

    async def __aenter__(self) -> Self:
        await self.server.start()
        self.server.create("namespaces", {"metadata": {"name": "team"}})
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        for gate in self._gates:
            gate.open()
        for operator in self._operators:
            await operator.kill()
        await self.server.stop()
        if kind is None:
            self.laws.check()

    async def operator(self, *, broad: float = _PACE.broad, **milliseconds: int) -> Operator:
        """Start an operator; the times are those of its Pace."""
        operator = Operator(self, _pace(broad=broad, **milliseconds))
        self._operators.append(operator)
        await operator.start()
        return operator

    def add_pool(self, name: str = "pool", *, group: str = "desk", idle: int = 2, **spec: Any) -> None:
        """Create a pool and, unless it is there, its group, set up as Hotdesk wants it."""
        if group not in self.fleet.groups:
            self.fleet.add_group(group, tags=TAGS | {"hotdesk.dev/pool": name})
        buffer = {"idle": idle, "scaleDownDelay": "0s"}
        aws = {"region": "eu-west-1", "autoScalingGroupName": group, **spec.pop("aws", {})}
        self.server.create(
            "machinepools",
            {"metadata": {"name": name}, "spec": {"aws": aws, "maxMachines": 10, "buffer": buffer, **spec}},
        )
        self.laws.watch(group, ceiling=spec.get("maxMachines", 10))

    def ask(self, *names: str, **spec: Any) -> None:
        """Create workspaces, as users do."""
        for name in names:
            wanted = {"pool": "pool", "owner": "ada", **spec}
            self.server.create("workspaces", {"metadata": {"name": name}, "spec": wanted}, namespace="team")

    def leave(self, *names: str) -> None:
        """Delete workspaces, as users do."""
        for name in names:
            self.server.delete("workspaces", name, namespace="team")

    def workspace(self, name: str) -> Workspace:
        """Return a workspace as it is stored now."""
        found = self.server.get("workspaces", name, namespace="team")
        assert found is not None, f"there is no workspace {name}"
        return Workspace.model_validate(found)

    def pool(self, name: str = "pool") -> MachinePool:
        """Return a pool as it is stored now."""
        return MachinePool.model_validate(self.server.get("machinepools", name))

    def machine(self, name: str) -> Machine | None:
        """Return a machine's record as it is stored now."""
        found = self.server.get("machines", name)
        return None if found is None else Machine.model_validate(found)

    def machines(self) -> list[Machine]:
        """Return every machine's record."""
        return [Machine.model_validate(found) for found in self.server.objects("machines")]

    def claimed(self) -> dict[str, str]:
        """Return who holds which machine, by name, as the records say."""
        return {c.workspace.name: made.metadata.name for made in self.machines() for c in made.spec.claims}

    def is_busy(self) -> bool:
        """Tell whether any operator has a call under way, or waits for AWS."""
        actors = [actor for operator in self._operators for actor in operator.directory._actors.values()]
        return any(actor._effects.is_busy or actor.is_moving for actor in actors)

    def idle(self) -> list[str]:
        """Return the machines that stand ready."""
        return [
            made.metadata.name
            for made in self.machines()
            if made.status.phase == "Idle" and not made.spec.claims and made.spec.reap is None
        ]

    def group(self, name: str = "desk") -> Group:
        """Look at a group past every call."""
        found = self.fleet.group(name)
        assert found is not None
        return found

    def changes(self) -> list[str]:
        """Return the calls that changed AWS, in order."""
        return [call.action for call in self.fleet.calls if not call.action.startswith("describe")]

    def inject(self, trouble: Trouble, verb: str, resource: str, **matching: Any) -> Gate:
        """Make the next such request suffer."""
        gate = self.server.inject(trouble, verb=verb, resource=resource, **matching)
        self._gates.append(gate)
        return gate

    async def until(self, condition: Callable[[], T], *, what: str, within: float = 30.0) -> T:
        """Return the first truthy value of the condition; the error tells how things stand."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not (value := condition()):  # noqa: ASYNC110  # nobody announces what the condition asks for
                    await asyncio.sleep(0.005)
                return value
        raise AssertionError(f"not within {within:g} s: {what}\n{self.picture()}")

    async def looked(self, times: int = 5) -> None:
        """Return when AWS was looked at so many times from now on: whatever was to happen next has happened."""
        before = self.fleet.count("describe_groups")
        await self.until(lambda: self.fleet.count("describe_groups") >= before + times, what="AWS is looked at")

    async def until_idle(self, count: int) -> None:
        """Return when so many machines stand ready."""
        await self.until(lambda: len(self.idle()) == count, what=f"{count} machines are idle")

    async def until_bound(self, *names: str) -> None:
        """Return when all these workspaces have a machine that knows them."""

        def bound() -> bool:
            claimed = self.claimed()
            return all(self.workspace(name).status.machine == claimed.get(name, "") for name in names)

        await self.until(bound, what=f"{', '.join(names)} are bound")

    async def until_secured(self, *machines: str) -> None:
        """Return when these machines are out of their group, and their records say so."""

        def secured() -> bool:
            found = [self.machine(name) for name in machines]
            return all(made is not None and made.status.in_group is False for made in found)

        await self.until(secured, what=f"{', '.join(machines)} are secured")

    async def until_gone(self, *machines: str) -> None:
        """Return when these machines are terminated and their records deleted."""
        await self.until(
            lambda: all(self.machine(name) is None and name in self.fleet.deaths for name in machines),
            what=f"{', '.join(machines)} are gone",
        )

    def picture(self) -> str:
        """Say how things stand, for a test that failed."""
        lines = [f"workspace {ws['metadata']['name']}: {ws.get('status')}" for ws in self.server.objects("workspaces")]
        lines += [f"machine {made.metadata.name}: {made.spec} {made.status.phase}" for made in self.machines()]
        lines += [f"group {name}: {self.fleet.group(name)}" for name in self.fleet.groups]
        lines += [
            f"pool {found['metadata']['name']}: {found.get('status')}" for found in self.server.objects("machinepools")
        ]
        return "\n".join(lines)


def writes(calls: list[Call]) -> list[str]:
    """Return what was written, in order."""
    return [f"{call.verb} {call.resource}" for call in calls if call.verb in ("create", "patch", "update", "delete")]


def at_a_desk(**delays: float) -> Callable[[Callable[[Desk], Awaitable[None]]], Callable[[], None]]:
    """Make a test of a coroutine: it gets a desk with these delays of AWS in seconds, and a deadline."""

    def decorate(test: Callable[[Desk], Awaitable[None]]) -> Callable[[], None]:
        async def scenario() -> None:
            async with asyncio.timeout(150), Desk(**delays) as desk:
                await test(desk)

        @wraps(test)
        def run() -> None:
            asyncio.run(scenario())

        del run.__wrapped__  # pytest would take the desk for a fixture
        return run

    return decorate
