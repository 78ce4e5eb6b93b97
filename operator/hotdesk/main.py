"""The composition root: settings in, adapters and actors wired together, run until told to stop."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import kopf
import uvloop

from hotdesk.actors.directory import Directory, resync_for_ever
from hotdesk.actors.world import Pace, World
from hotdesk.adapters.aws.fleets import AwsFleets
from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.kube.connection import Connection, NoCluster, find_connection, login_for_kopf
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.adapters.kube.watch import MachineWatch
from hotdesk.adapters.logs import configure_logging
from hotdesk.adapters.metrics import CONTENT_TYPE, PrometheusMetrics
from hotdesk.adapters.probe import NetworkProber
from hotdesk.adapters.web import WebServer
from hotdesk.handlers import feed, kopf_settings
from hotdesk.ports import HotdeskError
from hotdesk.settings import Settings

log = logging.getLogger(__name__)

_KEEP_WARM = timedelta(seconds=60)
# A collection stops the loop: the youngest generation for 5 ms per 10,000 objects, the oldest for 100 ms with 1,000
# machines (measured on two busy cores). So the young are collected in small portions, and the oldest seldom.
_GC_THRESHOLDS = (10_000, 50, 1_000)
# seconds, a tenth of Python's default: so long may a thread that parses an answer of AWS keep the claim path waiting.
_SWITCH_INTERVAL = 0.0005


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
        log.error("the operator cannot start: %s", error)  # noqa: TRY400  # the sentence says it all
        sys.exit(1)


async def _operate(settings: Settings, connection: Connection) -> None:
    """Wire everything, catch up with what exists, then act until stopped. If kopf ends by itself, so do we."""
    problems = ["the first list is not complete yet"]
    metrics = PrometheusMetrics()
    async with AsyncExitStack() as closing:
        fleets = AwsFleets(
            on_call=lambda action, outcome, seconds: metrics.aws_call(action=action, outcome=outcome, seconds=seconds)
        )
        closing.callback(fleets.close)
        server = await closing.enter_async_context(_web_server(settings, metrics, not_ready=lambda: problems))
        session = await closing.enter_async_context(KubeSession(connection))
        await session.warm()
        world = World(
            store=KubeStore(session, on_write=metrics.api_write),
            fleets=fleets,
            prober=NetworkProber(),
            clock=SystemClock(),
            metrics=metrics,
            pace=_pace(settings),
        )
        directory = Directory(world)
        await directory.resync()
        directory.start()
        gc.freeze()
        warming = asyncio.create_task(session.keep_warm(every=_KEEP_WARM), name="keep warm")
        problems.clear()
        log.info("ready", extra={"metrics_port": server.port})
        try:
            await _watch(connection, directory, settings)
        finally:
            problems.append("the operator is stopping")
            warming.cancel()


async def _watch(connection: Connection, directory: Directory, settings: Settings) -> None:
    """Let kopf feed the directory until a signal comes; exit 1 if kopf gives up before."""
    stop, kopf_stop, ready, relisted = asyncio.Event(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    machines = MachineWatch(connection, upsert=directory.upsert, delete=directory.delete, relisted=relisted.set)
    chores = [
        asyncio.create_task(machines.run(), name="watch machines"),
        asyncio.create_task(resync_for_ever(directory, every=settings.resync_seconds, wanted=relisted), name="resync"),
    ]
    watching = asyncio.create_task(
        kopf.operator(
            registry=_registry(connection, directory, relisted=relisted),
            settings=kopf_settings.made(),
            clusterwide=True,
            stop_flag=kopf_stop,
            ready_flag=ready,
        ),
        name="kopf",
    )
    await _first(watching, ready)
    _stop_on_signals(stop)  # after kopf has set its own handlers, which would outlive it
    await _first(watching, stop)
    for chore in chores:
        chore.cancel()
    # The actors end first: kopf waits five seconds for tasks that began after it.
    await _stop(directory, within=settings.drain_seconds)
    kopf_stop.set()
    await watching
    if not stop.is_set():
        log.error("the watches ended by themselves; the process must be restarted")
        sys.exit(1)


def _registry(connection: Connection, directory: Directory, *, relisted: asyncio.Event) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    feed.register(registry, directory, relisted=relisted)

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.AiohttpSession:
        return login_for_kopf(connection)

    return registry


async def _first(watching: asyncio.Task[None], event: asyncio.Event) -> None:
    """Wait until the event is set or the watches have ended."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((watching, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _stop(directory: Directory, *, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await directory.stop()
    except TimeoutError:
        log.warning("writes were still under way after %g s; the next operator finds what they left", within)


def _web_server(settings: Settings, metrics: PrometheusMetrics, *, not_ready: Callable[[], list[str]]) -> WebServer:
    return WebServer(
        host=settings.metrics_address,
        port=settings.metrics_port,
        not_ready=not_ready,
        metrics=metrics.render,
        metrics_content_type=CONTENT_TYPE,
    )


def _pace(settings: Settings) -> Pace:
    return Pace(
        look=timedelta(seconds=settings.look_seconds),
        look_moving=timedelta(seconds=settings.look_moving_seconds),
        late_call=timedelta(seconds=settings.late_call_seconds),
    )
