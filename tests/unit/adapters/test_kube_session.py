"""Connections are few, opened before they are needed, and used again."""

import asyncio
from datetime import timedelta

import pytest

from factories import machine
from fakes.apiserver.faults import Trouble
from fakes.apiserver.server import FakeApiServer
from hotdesk.actors.gate import LeaseGate
from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.ports import Fenced, Unanswered


def test_warm_opens_every_connection_and_later_requests_open_none():
    async def scenario() -> None:
        async with FakeApiServer() as server, KubeSession(server.connection, connections=5) as session:
            await session.warm()
            assert server.connections_opened == 5
            await asyncio.gather(*(session.read("/version") for _ in range(40)))
            await KubeStore(session).list_machines()
            assert server.connections_opened == 5

    asyncio.run(scenario())


def test_no_more_connections_than_allowed_are_open():
    async def scenario() -> None:
        async with FakeApiServer() as server, KubeSession(server.connection, connections=3) as session:
            gate = server.inject(Trouble.HOLD, verb="list", count=100)
            lists = [asyncio.create_task(KubeStore(session).list_machines()) for _ in range(10)]
            for _ in range(3):
                await gate.arrived()
            assert len(server.calls) == 3
            gate.open()
            await asyncio.gather(*lists)
            assert server.connections_opened == 3

    asyncio.run(scenario())


def test_keep_warm_goes_on_while_the_api_server_is_away():
    async def scenario() -> None:
        async with FakeApiServer() as server, KubeSession(server.connection, connections=2) as session:
            keeper = asyncio.create_task(session.keep_warm(every=timedelta(milliseconds=10)))
            async with asyncio.timeout(20):
                await server.stop()
                opened = server.connections_opened
                await server.start()
                while server.connections_opened < opened + 2:  # noqa: ASYNC110  # the fake counts and tells nobody
                    await asyncio.sleep(0.01)
            keeper.cancel()

    asyncio.run(scenario())


def test_warm_without_an_api_server_is_unanswered():
    async def scenario() -> None:
        async with FakeApiServer() as server:
            connection = server.connection
        async with KubeSession(connection, connections=1) as session:
            with pytest.raises(Unanswered, match="GET /version"):
                await session.warm()

    asyncio.run(scenario())


def test_a_write_that_may_no_longer_begin_when_a_connection_is_there_is_not_sent():
    """So a process that was paused in a burst, with writes that queue for a connection, sends none of them."""

    async def scenario() -> None:
        async with FakeApiServer() as server, KubeSession(server.connection, connections=1) as session:
            held = server.inject(Trouble.HOLD, verb="list")
            listing = asyncio.create_task(KubeStore(session).list_machines())
            await held.arrived()
            gate = LeaseGate(SystemClock(), deadline=timedelta(minutes=1))
            gate.renewed(started=SystemClock().monotonic())
            store = KubeStore(session, gate=gate.check)
            writing = asyncio.create_task(store.create_machine(machine()))
            await asyncio.sleep(0)
            gate.shut()
            held.open()
            await listing
            with pytest.raises(Fenced):
                await writing
            assert not server.writes("machines")

    asyncio.run(scenario())
