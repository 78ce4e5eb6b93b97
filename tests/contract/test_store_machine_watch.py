"""Our own watch of Machines: on the fake API server with broken streams, and on a real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from fakes.apiserver.world import OpenWorld, World, claim, fake_world, in_world, real_world
from hotdesk.adapters.kube.connection import find_connection
from hotdesk.adapters.kube.resources import MACHINES
from hotdesk.adapters.kube.watch import Watch


@dataclass
class Audience:
    """What the watch has told so far; whoever waits is woken by each piece of news."""

    told: list[tuple[str, str, int]] = field(default_factory=list)  # what, machine, claims
    known: set[str] = field(default_factory=set)  # machines whose changes came in another way
    relists: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def upsert(self, machine):
        self.told.append(("upsert", machine.metadata.name, len(machine.spec.claims)))
        self.news.set()

    def delete(self, machine):
        self.told.append(("delete", machine.metadata.name, len(machine.spec.claims)))
        self.news.set()

    def relisted(self):
        self.relists += 1
        self.news.set()

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def until_told(self, what, name, claims=0):
        await self.until(lambda: (what, name, claims) in self.told)


@asynccontextmanager
async def watching(world: World) -> AsyncIterator[Audience]:
    audience = Audience()
    watch = Watch(
        world.connection,
        MACHINES,
        upsert=audience.upsert,
        delete=audience.delete,
        relisted=audience.relisted,
        knows=lambda body: body["metadata"]["name"] in audience.known,
    )
    task = asyncio.create_task(watch.run())
    try:
        await audience.until(lambda: audience.relists > 0)
        yield audience
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class MachineWatchContract:
    @in_world
    async def test_it_tells_what_is_created_changed_and_deleted(self, world: World):
        async with watching(world) as audience:
            machine = await world.create_machine()
            name = machine.metadata.name
            await audience.until_told("upsert", name)
            claimed = await world.store.patch_machine(machine, claims=[claim()])
            await audience.until_told("upsert", name, claims=1)
            released = await world.store.patch_machine(claimed, claims=[])
            await world.store.delete_machine(released)
            await audience.until_told("delete", name)

    @in_world
    async def test_the_echo_of_what_is_known_is_not_told(self, world: World):
        async with watching(world) as audience:
            machine = await world.create_machine()
            name = machine.metadata.name
            await audience.until_told("upsert", name)
            audience.known.add(name)
            claimed = await world.store.patch_machine(machine, claims=[claim()])
            released = await world.store.patch_machine(claimed, claims=[])
            await world.store.delete_machine(released)
            await audience.until_told("delete", name)
            assert audience.told == [("upsert", name, 0), ("delete", name, 0)]


class TestOnTheFake(MachineWatchContract):
    @pytest.fixture
    def world(self) -> OpenWorld:
        return fake_world

    @in_world
    async def test_a_cut_stream_goes_on_from_its_last_version_without_a_relist(self, world: World):
        async with watching(world) as audience:
            first = await world.create_machine()
            await audience.until_told("upsert", first.metadata.name)
            world.fake.watches.cut("machines")
            second = await world.create_machine()
            await audience.until_told("upsert", second.metadata.name)
            assert audience.relists == 1
            assert len(audience.told) == 2

    @in_world
    async def test_an_expired_version_asks_for_a_comparison(self, world: World):
        async with watching(world) as audience:
            first = await world.create_machine()
            await audience.until_told("upsert", first.metadata.name)
            world.fake.compact(expire_watches=True)
            await audience.until(lambda: audience.relists == 2)
            second = await world.create_machine()
            await audience.until_told("upsert", second.metadata.name)

    @in_world
    async def test_a_bookmark_moves_a_quiet_watch_past_what_is_forgotten(self, world: World):
        async with watching(world) as audience:
            first = await world.create_machine()
            await audience.until_told("upsert", first.metadata.name)
            await world.create_workspace()
            world.fake.watches.bookmark()
            world.fake.watches.end("machines")
            world.fake.compact()
            second = await world.create_machine()
            await audience.until_told("upsert", second.metadata.name)
            assert audience.relists == 1

    @in_world
    async def test_it_survives_a_restart_of_the_api_server(self, world: World):
        async with watching(world) as audience:
            await world.fake.stop()
            await world.fake.start()
            machine = await world.create_machine()
            await audience.until_told("upsert", machine.metadata.name)

    @in_world
    async def test_a_machine_that_cannot_be_read_stops_nothing(self, world: World):
        async with watching(world) as audience:
            odd = {"metadata": {"name": "i-00000000000000bad"}, "spec": {"pool": "contract", "slots": "many"}}
            world.fake.create("machines", odd)
            machine = await world.create_machine()
            await audience.until_told("upsert", machine.metadata.name)
            assert [name for _, name, _ in audience.told] == [machine.metadata.name]


@pytest.mark.stack
class TestOnTheRealApiServer(MachineWatchContract):
    @pytest.fixture
    def world(self, controlplane, monkeypatch: pytest.MonkeyPatch) -> OpenWorld:
        monkeypatch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
        return partial(real_world, find_connection())
