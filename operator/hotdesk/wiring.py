"""Everything an actor works through, made from the settings: adapters that share sessions, clocks and counters."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from hotdesk.actors.directory import Directory
from hotdesk.actors.gate import Gate, LeaseGate
from hotdesk.actors.membership import Membership
from hotdesk.actors.relisting import Replays
from hotdesk.actors.sharing import Sharing
from hotdesk.actors.world import Pace, World
from hotdesk.adapters.aws.fleets import AwsFleets
from hotdesk.adapters.aws.ledger import make_ledger
from hotdesk.adapters.aws.ledger_records import place_of
from hotdesk.adapters.aws.topics import AwsTopics
from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.kube.connection import Connection
from hotdesk.adapters.kube.events import CONNECTIONS as EVENT_CONNECTIONS
from hotdesk.adapters.kube.events import KubeEvents
from hotdesk.adapters.kube.leases import KubeLeases, watch_leases
from hotdesk.adapters.kube.secrets import KubeSecrets
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.adapters.kube.watch import Watch
from hotdesk.adapters.metrics import PrometheusMetrics
from hotdesk.adapters.notifier import ChannelNotifier
from hotdesk.adapters.probe import NetworkProber
from hotdesk.adapters.signals.network import NetworkSignals
from hotdesk.adapters.signals.processors import Processors
from hotdesk.adapters.webhook import Webhooks
from hotdesk.api.lease import Lease
from hotdesk.core.sharing import Terms
from hotdesk.settings import Settings

TERMS = Terms()
"""The times of the Leases by which replicas share the pools."""


@asynccontextmanager
async def make_world(
    settings: Settings, connection: Connection, *, session: KubeSession, metrics: PrometheusMetrics, gate: Gate
) -> AsyncIterator[World]:
    """Make the world, and take it down again; notices are delivered for as long as it stands."""
    clock = SystemClock()

    def on_call(action: str, outcome: str, seconds: float) -> None:
        metrics.aws_call(action=action, outcome=outcome, seconds=seconds)

    fleets = AwsFleets(on_call=on_call, gate=gate.check)
    topics = AwsTopics(on_call=on_call)
    place = place_of(settings.ledger) if settings.ledger is not None else None
    ledger = make_ledger(place, region=settings.ledger_region, on_call=on_call, gate=gate.check)
    secrets = KubeSecrets(session, namespace=settings.lease_namespace, clock=clock)
    async with (
        KubeSession(connection, connections=EVENT_CONNECTIONS) as for_events,
        Webhooks(secrets, clock) as webhooks,
    ):
        notifier = ChannelNotifier(
            events=KubeEvents(for_events, clock=clock, instance=settings.replica, on_notice=metrics.notice),
            topics=topics,
            webhooks=webhooks,
            clock=clock,
            on_notice=metrics.notice,
        )
        delivering = asyncio.create_task(notifier.run(), name="deliver notices")
        try:
            yield World(
                store=KubeStore(session, on_write=metrics.api_write, gate=gate.check),
                fleets=fleets,
                prober=NetworkProber(),
                clock=clock,
                metrics=metrics,
                pace=_pace(settings),
                gate=gate,
                notifier=notifier,
                signals=NetworkSignals(secrets=secrets, processors=Processors(fleets, clock), clock=clock),
                ledger=ledger,
            )
        finally:
            delivering.cancel()
            for calls in (fleets, topics, ledger):
                calls.close()


def make_sharing(
    settings: Settings,
    directory: Directory,
    session: KubeSession,
    *,
    world: World,
    gate: LeaseGate,
    replays: Replays,
) -> Sharing:
    """Make what shares the pools with other replicas, by Leases that it reads and writes through its own session."""
    leases = KubeLeases(session, namespace=settings.lease_namespace)
    membership = Membership(
        leases, replica=settings.replica, gate=gate, clock=world.clock, metrics=world.metrics, terms=TERMS
    )
    return Sharing(directory, leases, membership, gate=gate, clock=world.clock, terms=TERMS, replays=replays)


def make_lease_watch(settings: Settings, connection: Connection, sharing: Sharing) -> Watch[Lease]:
    """Make the watch that tells it what other replicas do."""
    return watch_leases(
        connection,
        namespace=settings.lease_namespace,
        upsert=sharing.upsert,
        delete=sharing.delete,
        relisted=sharing.relisted,
    )


def _pace(settings: Settings) -> Pace:
    return Pace(
        look=timedelta(seconds=settings.look_seconds),
        look_moving=timedelta(seconds=settings.look_moving_seconds),
        late_call=timedelta(seconds=settings.late_call_seconds),
    )
