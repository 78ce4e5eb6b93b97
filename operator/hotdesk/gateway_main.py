"""The gateway's composition root: settings in, view, recorder and server wired together, run until told to stop."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvloop
from pydantic import ValidationError

from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.kube.connection import Connection, NoCluster, find_connection
from hotdesk.adapters.kube.resources import ACTIVITIES, PATIENCES
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.watch import Watch
from hotdesk.adapters.logs import configure_logging
from hotdesk.adapters.web import WebServer
from hotdesk.api.wire import explain
from hotdesk.core.heartbeats.recording import Heartbeats
from hotdesk.core.heartbeats.tokens import BadKeys
from hotdesk.core.rates import Limits, Rate
from hotdesk.gateway.keys import KeyFile, read_key_file
from hotdesk.gateway.metrics import CONTENT_TYPE, GatewayMetrics
from hotdesk.gateway.minting import mint, read_secret
from hotdesk.gateway.pools import Pools
from hotdesk.gateway.reception import Reception
from hotdesk.gateway.recorder import Recorder
from hotdesk.gateway.server import GatewayServer
from hotdesk.gateway.view import View
from hotdesk.ports import Clock, HotdeskError
from hotdesk.settings import GatewaySettings
from hotdesk.stopping import first_of, stop_on_signals

log = logging.getLogger(__name__)

_CONNECTIONS: Final = 8  # to the API server: as many as writes are sent at once


@dataclass(frozen=True, slots=True)
class Gateway:
    """What runs."""

    server: GatewayServer
    watcher: WebServer
    heartbeats: Heartbeats
    recorder: Recorder
    parts: tuple[asyncio.Task[None], ...]
    """They run for ever: one that ends by itself is a fault."""


class CannotMint(Exception):  # noqa: N818  # names the fact
    """Why there is no token, as a sentence."""


def run() -> None:
    """Run the gateway until SIGTERM or SIGINT; exits 1 if it cannot go on."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        sys.exit(f"the settings cannot be used, each of which is named HOTDESK_ and the field: {explain(error)}")
    configure_logging(level=settings.log_level, style=settings.log_format)
    try:
        keys, connection = KeyFile(settings.heartbeat_keys), find_connection()
    except (NoCluster, BadKeys) as error:
        sys.exit(str(error))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, connection, keys))


def mint_token(workspace: str, *, keys: Path | None, secret: str) -> str:
    """Return the token of the workspace NAMESPACE/NAME, signed by the first key of the file, else of the Secret.

    Raises:
        CannotMint: with the reason.

    """
    try:
        return asyncio.run(_mint(find_connection(), workspace, keys=keys, secret=secret))
    except (HotdeskError, BadKeys) as error:
        raise CannotMint(str(error)) from error


@asynccontextmanager
async def opened(
    settings: GatewaySettings, connection: Connection, keys: KeyFile, *, clock: Clock
) -> AsyncIterator[Gateway]:
    """Take heartbeats while the context is entered; at its end, what is due is still written."""
    heartbeats = Heartbeats(interval=timedelta(seconds=settings.activity_write_seconds))
    metrics = GatewayMetrics(waiting=lambda: heartbeats.waiting)
    async with AsyncExitStack() as closing:
        session = await closing.enter_async_context(KubeSession(connection, connections=_CONNECTIONS))
        view = View(session, heartbeats, clock)
        watcher = await closing.enter_async_context(_web_server(settings, metrics, view))
        recorder = Recorder(
            session,
            heartbeats,
            clock,
            writes_per_second=settings.activity_writes_per_second,
            on_write=metrics.api_write,
        )
        reception = Reception(heartbeats, view, keys, _limits(settings), clock, nudge=recorder.nudge)
        server = await closing.enter_async_context(_server(settings, reception, metrics))
        watch = Watch(connection, ACTIVITIES, upsert=view.upsert, delete=view.delete, relisted=view.relisted)
        pools = Pools(session, heartbeats, clock)
        rules = Watch(connection, PATIENCES, upsert=pools.upsert, delete=pools.delete, relisted=pools.relisted)
        running = (watch.run(), view.run(), rules.run(), pools.run(), recorder.run(), keys.run())
        parts = tuple(asyncio.create_task(part) for part in running)
        try:
            yield Gateway(server=server, watcher=watcher, heartbeats=heartbeats, recorder=recorder, parts=parts)
        finally:
            view.trouble = "the gateway is stopping"
            for part in parts:
                part.cancel()
            await recorder.stop(within=settings.drain_seconds)


async def _serve(settings: GatewaySettings, connection: Connection, keys: KeyFile) -> None:
    """Take heartbeats until a signal comes; exit 1 if a part ends before."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with opened(settings, connection, keys, clock=SystemClock()) as gateway:
        ports = {"port": gateway.server.port, "metrics_port": gateway.watcher.port}
        log.info("taking heartbeats", extra=ports)
        await _until(stop, gateway.parts)


async def _until(stop: asyncio.Event, parts: Sequence[asyncio.Task[None]]) -> None:
    await first_of(stop, *parts)
    if not stop.is_set():
        ended = [part.exception() for part in parts if part.done()]
        log.error("a part of the gateway ended by itself (%r); the process must be restarted", ended)
        sys.exit(1)


def _limits(settings: GatewaySettings) -> Limits:
    per_second = settings.gateway_beats_per_second
    return Limits(Rate(per_second=per_second, burst=max(1, int(2 * per_second))))


def _server(settings: GatewaySettings, reception: Reception, metrics: GatewayMetrics) -> GatewayServer:
    return GatewayServer(
        reception,
        metrics,
        host=settings.gateway_address,
        port=settings.gateway_port,
        body_within=settings.gateway_body_seconds,
        idle_after=settings.gateway_idle_seconds,
        max_connections=settings.gateway_connections,
    )


def _web_server(settings: GatewaySettings, metrics: GatewayMetrics, view: View) -> WebServer:
    return WebServer(
        host=settings.metrics_address,
        port=settings.metrics_port,
        not_ready=lambda: [view.trouble] if view.trouble is not None else [],
        metrics=metrics.render,
        metrics_content_type=CONTENT_TYPE,
    )


async def _mint(connection: Connection, workspace: str, *, keys: Path | None, secret: str) -> str:
    namespace, name = workspace.split("/")
    async with KubeSession(connection, connections=1) as session:
        if keys is not None:
            usable = read_key_file(keys)
        else:
            where, called = secret.split("/")
            usable = await read_secret(session, namespace=where, name=called)
        return await mint(session, namespace=namespace, name=name, keys=usable)
