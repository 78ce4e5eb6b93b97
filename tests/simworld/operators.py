"""An operator as `main` wires it, on simulated time: the real actors, adapters and handlers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import kopf
import orjson

from fakes.apiserver.errors import ApiError
from fakes.apiserver.storage import Json  # noqa: TC001  # a plain alias
from hotdesk.actors.alone import Alone
from hotdesk.actors.directory import Directory
from hotdesk.actors.gate import LeaseGate, OpenGate
from hotdesk.actors.membership import Membership
from hotdesk.actors.relisting import Replays, resync_for_ever
from hotdesk.actors.sharing import Sharing
from hotdesk.actors.world import Pace, World
from hotdesk.adapters.kube.leases import KubeLeases, watch_leases
from hotdesk.adapters.kube.resources import MACHINES
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.adapters.kube.watch import Watch
from hotdesk.api.v1alpha1 import Readiness
from hotdesk.core.sharing import Terms
from hotdesk.handlers import feed
from hotdesk.ports import HotdeskError
from simworld.apiserver import KINDS, SimApiServer
from simworld.aws import SimAws
from simworld.awsclients import AwsLine, SimFleets
from simworld.files import Files
from simworld.process import Process
from simworld.session import SimSession, connection
from simworld.timeline import Timeline
from simworld.trace import Trace

PACE = Pace(look_moving=timedelta(seconds=2), probe=timedelta(seconds=2), report=timedelta(seconds=10), broad=3)
"""The product's own but where it would only cost CPU; AWS is as much slower here."""
RESYNC = 60.0  # seconds, the product's default
_DRAIN = 10.0  # seconds that writes under way get after SIGTERM
_TERMS = Terms()
NAMESPACE = "hotdesk"
_PATHS = {
    "workspaces": "/apis/hotdesk.dev/v1alpha1/workspaces",
    "machinepools": "/apis/hotdesk.dev/v1alpha1/machinepools",
    "namespaces": "/api/v1/namespaces",
    "priorityclasses": "/apis/scheduling.k8s.io/v1/priorityclasses",
}


class Operator:
    """One replica from its start to its end. Without `shares` it asks nobody whether it may act."""

    def __init__(  # what it is wired to
        self,
        name: str,
        *,
        server: SimApiServer,
        aws: AwsLine,
        files: Files,
        timeline: Timeline,
        trace: Trace,
        shares: bool,
        keeps_books: bool = False,
    ) -> None:
        self.name = name
        self.process = Process(name, timeline)
        self._server = server
        self._trace = trace
        self._session = SimSession(server, self.process)
        self._connection = connection(server, self.process)
        self._gate = LeaseGate(self.process, deadline=_TERMS.deadline) if shares else OpenGate()
        self._world = World(
            store=KubeStore(self._session, gate=self._gate.check),
            fleets=SimFleets(
                aws.fleet(self.process, gate=self._gate.check), files.vault(self.process, gate=self._gate.check)
            ),
            prober=SimProber(aws.aws, timeline),
            clock=self.process,
            metrics=NoMetrics(),
            pace=PACE,
            gate=self._gate,
            ledger=aws.ledger(self.process, gate=self._gate.check) if keeps_books else None,
        )
        self.directory = Directory(self._world)
        self._replica: Sharing | Alone = Alone(self.directory)
        self.process.begin(self._operate(), name="operate")

    @property
    def is_alive(self) -> bool:
        return not self.process.is_dead

    def kill(self) -> None:
        """End it as SIGKILL does."""
        if self.is_alive:
            self._trace.add(self.name, "is killed")
            self.process.kill()

    def stop(self) -> None:
        """End it as SIGTERM does: writes under way get their time."""
        self._trace.add(self.name, "is asked to stop")
        self.process.hear(lambda: self.process.begin(self._stop(), name="stop") and None)

    def pause(self) -> None:
        """Let it stand still, as SIGSTOP does."""
        self._trace.add(self.name, "stands still")
        self.process.is_paused = True

    def go_on(self) -> None:
        """Let it go on, as SIGCONT does."""
        if self.process.is_paused:
            self._trace.add(self.name, "goes on")
        self.process.is_paused = False

    async def _operate(self) -> None:
        try:
            await self._act()
        except HotdeskError as error:
            self._trace.add(self.name, f"gives up: {error!r}")  # main exits, and Kubernetes starts another
            self.process.kill()

    async def _act(self) -> None:
        await self.directory.resync()
        replays = Replays(self.directory.workspaces)
        if isinstance(self._gate, LeaseGate):
            self._replica = self._sharing(self._gate, replays)
        registry = kopf.OperatorRegistry()
        feed.register(registry, self.directory, replayed=replays.told)
        for handler in registry._watching._handlers:
            plural = str(handler.selector.any_name)  # type: ignore[union-attr]  # ours all name a kind
            follower = KopfWatch(self._server, self.process, self._session, plural, handle=handler.fn)
            self.process.begin(follower.run(), name=f"kopf {plural}")
        watch = Watch(
            self._connection,
            MACHINES,
            upsert=self.directory.upsert,
            delete=self.directory.delete,
            relisted=replays.wanted.set,
        )
        self.process.begin(watch.run(), name="watch machines")
        self.process.begin(resync_for_ever(self.directory, every=RESYNC, replays=replays), name="resync")
        await self._replica.run()

    def _sharing(self, gate: LeaseGate, replays: Replays) -> Sharing:
        leases = KubeLeases(SimSession(self._server, self.process), namespace=NAMESPACE)
        clock = self.process
        membership = Membership(
            leases, replica=self.name, gate=gate, clock=clock, metrics=self._world.metrics, terms=_TERMS
        )
        sharing = Sharing(self.directory, leases, membership, gate=gate, clock=clock, terms=_TERMS, replays=replays)
        watch = watch_leases(
            self._connection,
            namespace=NAMESPACE,
            upsert=sharing.upsert,
            delete=sharing.delete,
            relisted=sharing.relisted,
        )
        self.process.begin(watch.run(), name="watch leases")
        return sharing

    async def _stop(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN):
                await self._replica.leave()
                await self.directory.stop()
        except (TimeoutError, HotdeskError) as error:
            self._trace.add(self.name, f"stops without having drained: {error!r}")
        self._trace.add(self.name, "has stopped")
        self.process.kill()


class KopfWatch:
    """What kopf makes of one kind: a list, then events from its version; after a 410 a list anew, and no deletions."""

    def __init__(
        self,
        server: SimApiServer,
        process: Process,
        session: SimSession,
        plural: str,
        *,
        handle: Callable[..., Awaitable[Any]],
    ) -> None:
        self._server = server
        self._process = process
        self._session = session
        self._plural = plural
        self._handle = handle

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            try:
                version = await self._list()
                while True:
                    version = await self._follow(version)
                    await asyncio.sleep(0.05)
            except (HotdeskError, ApiError, ValueError, KeyError):
                await asyncio.sleep(1.0)

    async def _list(self) -> int:
        answer = await self._session.read(_PATHS[self._plural])
        found = orjson.loads(answer.body)
        for item in found["items"]:
            await self._handle(event={"type": None, "object": item})
        return int(found["metadata"]["resourceVersion"])

    async def _follow(self, since: int) -> int:
        events: asyncio.Queue[tuple[str, Json] | None] = asyncio.Queue()
        watch = self._server.watch(
            self._process,
            self._plural,
            since=since,
            tell=lambda kind, body: events.put_nowait((kind, body)),
            ended=lambda: events.put_nowait(None),
        )
        reached = since
        while (event := await events.get()) is not None:
            kind, body = event
            reached = int(body["metadata"]["resourceVersion"])
            if kind != "BOOKMARK":
                await self._handle(event={"type": kind, "object": body})
        watch.close()
        return reached


class SimProber:
    """The Prober port: asks the simulated machine."""

    def __init__(self, aws: SimAws, timeline: Timeline) -> None:
        self._aws = aws
        self._timeline = timeline

    async def is_ready(self, *, ip: str, readiness: Readiness) -> bool:
        del readiness
        await asyncio.sleep(self._timeline.between(0.001, 0.01))
        answer = self._aws.answers(ip)
        if answer is None:
            await asyncio.sleep(2)
        return bool(answer)


class NoMetrics:
    """The Metrics port that nobody reads."""

    def claim_published(self, *, pool: str, seconds: float) -> None:
        pass

    def claim_hit(self, *, pool: str) -> None:
        pass

    def claim_missed(self, *, pool: str, cause: str) -> None:
        pass

    def pool_counts(self, *, pool: str, counts: Mapping[str, int]) -> None:
        pass

    def unsecured_age(self, *, pool: str, seconds: float) -> None:
        pass

    def pool_removed(self, *, pool: str) -> None:
        pass

    def pool_left(self, *, pool: str) -> None:
        pass

    def pool_owned(self, *, pool: str) -> None:
        pass

    def lease_renewed(self, *, outcome: str, seconds: float) -> None:
        pass


assert set(_PATHS) <= set(KINDS)
