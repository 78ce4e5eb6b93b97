"""The composition root: settings in, adapters and actors wired together, run until told to stop."""

import asyncio
import gc
import logging
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Protocol

import kopf
import uvloop

from hotdesk.actors.alone import Alone
from hotdesk.actors.directory import Directory
from hotdesk.actors.gate import LeaseGate, OpenGate
from hotdesk.actors.relisting import Replays, resync_for_ever
from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.kube.connection import Connection, NoCluster, find_connection, login_for_kopf
from hotdesk.adapters.kube.leases import CONNECTIONS
from hotdesk.adapters.kube.resources import MACHINES
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.watch import Watch
from hotdesk.adapters.logs import configure_logging
from hotdesk.adapters.metrics import CONTENT_TYPE, PrometheusMetrics
from hotdesk.adapters.web import WebServer
from hotdesk.handlers import feed, kopf_settings
from hotdesk.ports import HotdeskError
from hotdesk.settings import Settings
from hotdesk.stopping import first_of, stop_on_signals
from hotdesk.wiring import TERMS, make_lease_watch, make_sharing, make_world

log = logging.getLogger(__name__)

_KEEP_WARM = timedelta(seconds=60)
# Shorter than a try to renew a Lease: so the session itself finds out that its connections fell silent, and tries all.
_LEASE_ANSWER_WITHIN = timedelta(seconds=0.75)
# A collection stops the loop: the youngest generation for 5 ms per 10,000 objects, the oldest for 100 ms with 1,000
# machines (measured on two busy cores). So the young are collected in small portions, and the oldest seldom.
_GC_THRESHOLDS = (10_000, 50, 1_000)
# seconds, a tenth of Python's default: so long may a thread that parses an answer of AWS keep the claim path waiting.
_SWITCH_INTERVAL = 0.0005


class Replica(Protocol):
    """What decides which pools this process acts for."""

    trouble: str | None
    """Why it cannot take part yet, as a sentence."""

    async def run(self) -> None:
        """Take pools and give them back, until it is told to leave; ends before only with an error."""

    async def leave(self) -> None:
        """Give back everything."""


class _Readiness:
    """Why the operator is not ready."""

    def __init__(self) -> None:
        self.problem: str | None = "the first list is not complete yet"
        self.replica: Replica | None = None

    def __call__(self) -> Sequence[str]:
        """Return the reasons, each a sentence; none: it is ready, whether it owns a pool or stands by."""
        reasons = (self.problem, self.replica.trouble if self.replica is not None else None)
        return [reason for reason in reasons if reason is not None]


def run() -> None:
    """Run the operator until SIGTERM or SIGINT; exits 1 if it cannot go on."""
    settings = Settings()
    configure_logging(level=settings.log_level, style=settings.log_format)
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_operate(settings, find_connection()))
    except NoCluster as error:
        sys.exit(str(error))
    except HotdeskError as error:
        log.error("the operator cannot go on: %s", error)  # noqa: TRY400  # the sentence says it all
        sys.exit(1)


async def _operate(settings: Settings, connection: Connection) -> None:
    """Wire everything, catch up with what exists, then act until stopped. If a part ends by itself, so do we."""
    not_ready = _Readiness()
    metrics = PrometheusMetrics()
    gate = LeaseGate(SystemClock(), deadline=TERMS.deadline) if settings.share else OpenGate()
    async with AsyncExitStack() as closing:
        server = await closing.enter_async_context(_web_server(settings, metrics, not_ready))
        session = await closing.enter_async_context(KubeSession(connection))
        await session.warm()
        world = await closing.enter_async_context(
            make_world(settings, connection, session=session, metrics=metrics, gate=gate)
        )
        directory = Directory(world)
        gc.disable()  # what a list brings stays: to look for garbage among it takes a quarter of the time
        await directory.resync()
        replays = Replays(directory.workspaces)
        chores = [asyncio.create_task(session.keep_warm(every=_KEEP_WARM), name="keep warm")]
        replica: Replica = Alone(directory)
        if isinstance(gate, LeaseGate):
            lease_session = await closing.enter_async_context(
                KubeSession(connection, connections=CONNECTIONS, answer_within=_LEASE_ANSWER_WITHIN)
            )
            chores.append(asyncio.create_task(lease_session.keep_warm(every=_KEEP_WARM), name="keep leases warm"))
            replica = sharing = make_sharing(
                settings, directory, lease_session, world=world, gate=gate, replays=replays
            )
            watch = make_lease_watch(settings, connection, sharing)
            chores.append(asyncio.create_task(watch.run(), name="watch leases"))
        not_ready.replica, not_ready.problem = replica, None
        gc.freeze()
        gc.enable()
        log.info("caught up", extra={"metrics_port": server.port})
        try:
            await _watch(connection, directory, replica, settings, replays)
        finally:
            not_ready.problem = "the operator is stopping"
            for chore in chores:
                chore.cancel()


async def _watch(
    connection: Connection, directory: Directory, replica: Replica, settings: Settings, replays: Replays
) -> None:
    """Act, and let kopf feed the directory, until a signal comes; exit 1 if either ends before."""
    stop, kopf_stop, ready = asyncio.Event(), asyncio.Event(), asyncio.Event()
    machines = Watch(
        connection,
        MACHINES,
        upsert=directory.upsert,
        delete=directory.delete,
        relisted=replays.wanted.set,
        knows=directory.knows,
    )
    acting = asyncio.create_task(replica.run(), name="act")
    chores = [
        asyncio.create_task(machines.run(), name="watch machines"),
        asyncio.create_task(resync_for_ever(directory, every=settings.resync_seconds, replays=replays), name="resync"),
    ]
    watching = asyncio.create_task(
        kopf.operator(
            registry=_registry(connection, directory, replays=replays),
            settings=kopf_settings.made(),
            clusterwide=True,
            stop_flag=kopf_stop,
            ready_flag=ready,
        ),
        name="kopf",
    )
    await first_of(ready, watching, acting)
    stop_on_signals(stop)  # after kopf has set its own handlers, which would outlive it
    await first_of(stop, watching, acting)
    is_told = stop.is_set()
    # The actors end first: kopf waits five seconds for tasks that began after it.
    await _stop(directory, replica, within=settings.drain_seconds)
    for chore in (*chores, acting):
        chore.cancel()
    ends = await asyncio.gather(acting, return_exceptions=True)
    kopf_stop.set()
    await watching
    if not is_told:
        log.error("a part of the operator ended by itself (%r); the process must be restarted", *ends)
        sys.exit(1)


def _registry(connection: Connection, directory: Directory, *, replays: Replays) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    feed.register(registry, directory, replayed=replays.told)

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.AiohttpSession:
        return login_for_kopf(connection)

    return registry


async def _stop(directory: Directory, replica: Replica, *, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await replica.leave()
            await directory.stop()
    except TimeoutError:
        log.warning(
            "writes were still under way after %g s; the next operator finds what they left",
            within,
            extra={"under_way": {pool: work[:10] for pool, work in directory.under_way.items()}},
        )


def _web_server(settings: Settings, metrics: PrometheusMetrics, not_ready: _Readiness) -> WebServer:
    return WebServer(
        host=settings.metrics_address,
        port=settings.metrics_port,
        not_ready=not_ready,
        metrics=metrics.render,
        metrics_content_type=CONTENT_TYPE,
    )
