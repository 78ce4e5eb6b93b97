"""kopf watches through our session: on the fake API server, so that tests may rest on it, and on a real one."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import kopf
import pytest

from fakes.apiserver.world import OpenWorld, World, claim, fake_world, in_world, real_world
from hotdesk.adapters.kube.connection import find_connection, login_for_kopf
from hotdesk.api.v1alpha1 import API_VERSION, MachineStatus

Seen = list[tuple[str | None, str, str]]


def make_registry(world: World, seen: Seen) -> kopf.OperatorRegistry:
    """Return a registry whose handlers note the type, the kind and the name of every event."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return login_for_kopf(world.connection)

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.peering.standalone = True
        settings.scanning.disabled = True
        settings.posting.enabled = False
        settings.watching.reconnect_backoff = 0.05
        settings.watching.chunk_size = 3

    async def note(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002  # kopf's name for it
        seen.append((type, body["kind"], body["metadata"]["name"]))

    for plural in ("workspaces", "machines", "machinepools"):
        kopf.on.event(API_VERSION, plural, registry=registry)(note)
    return registry


@asynccontextmanager
async def operator(world: World) -> AsyncIterator[Seen]:
    """Run kopf in a loop of its own; yields what its handlers have seen so far."""
    seen: Seen = []
    ready, stop = threading.Event(), threading.Event()
    running = asyncio.create_task(asyncio.to_thread(run_kopf, make_registry(world, seen), ready, stop))
    try:
        await until(ready.is_set)
        yield seen
    finally:
        stop.set()
        await running


def run_kopf(registry: kopf.OperatorRegistry, ready: threading.Event, stop: threading.Event) -> None:
    # At its end kopf cancels every task that began after it in its loop, which would be those of the fake server.
    async def run() -> None:
        await kopf.operator(registry=registry, clusterwide=True, ready_flag=ready, stop_flag=stop)
        # kopf closes its watches without waiting for TLS to say goodbye: the loop's own pipe is the last to be open.
        selector = asyncio.get_running_loop()._selector
        async with asyncio.timeout(10):
            await until(lambda: len(selector.get_map()) <= 1)

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; the test's own deadline ends the wait."""
    while not condition():  # noqa: ASYNC110  # kopf tells nobody what it has done
        await asyncio.sleep(0.01)


async def until_seen(seen: Seen, event: tuple[str | None, str, str]) -> None:
    await until(lambda: event in seen)


class KopfFeedContract:
    @in_world
    async def test_kopf_sees_what_is_there_and_what_changes(self, world: World):
        machine = await world.create_machine()
        await world.create_workspace(name="early")
        async with operator(world) as seen:
            await until_seen(seen, (None, "Machine", machine.metadata.name))
            await until_seen(seen, (None, "Workspace", "early"))
            await world.create_workspace()
            await until_seen(seen, ("ADDED", "Workspace", "demo"))
            await world.store.patch_machine(machine, claims=[claim()])
            await until_seen(seen, ("MODIFIED", "Machine", machine.metadata.name))
            await world.delete_workspace("demo")
            await until_seen(seen, ("DELETED", "Workspace", "demo"))

    @in_world
    async def test_kopf_writes_nothing_for_event_handlers(self, world: World):
        machine = await world.create_machine()
        async with operator(world) as seen:
            await until_seen(seen, (None, "Machine", machine.metadata.name))
            idle = await world.store.patch_machine_status(machine, MachineStatus(phase="Idle"))
            await until_seen(seen, ("MODIFIED", "Machine", machine.metadata.name))
        assert await world.store.fetch_machine(name=machine.metadata.name) == idle


class TestKopfOnTheFake(KopfFeedContract):
    @pytest.fixture
    def world(self) -> OpenWorld:
        return fake_world

    @in_world
    async def test_kopf_goes_on_after_its_watches_are_cut(self, world: World):
        async with operator(world) as seen:
            await self._watching(world)
            world.fake.watches.cut()
            await world.create_workspace()
            await until_seen(seen, ("ADDED", "Workspace", "demo"))

    @in_world
    async def test_kopf_lists_anew_after_410(self, world: World):
        async with operator(world) as seen:
            await self._watching(world)
            await world.create_workspace(name="first")
            await until_seen(seen, ("ADDED", "Workspace", "first"))
            world.fake.compact(expire_watches=True)
            await until_seen(seen, (None, "Workspace", "first"))

    @in_world
    async def test_version_that_is_forgotten_meanwhile_is_answered_with_410(self, world: World):
        async with operator(world) as seen:
            await self._watching(world)
            # All in one breath: a watch that came back in between would see the workspace.
            world.fake.watches.cut("workspaces")
            body = {"metadata": {"name": "missed"}, "spec": {"pool": "contract", "owner": "ada"}}
            world.fake.create("workspaces", body, namespace=world.namespace)
            world.fake.compact()
            await until_seen(seen, (None, "Workspace", "missed"))

    @in_world
    async def test_bookmark_moves_a_quiet_watch_past_what_is_forgotten(self, world: World):
        async with operator(world) as seen:
            await self._watching(world)
            await world.create_machine()
            world.fake.watches.bookmark()
            world.fake.watches.end("workspaces")
            world.fake.compact()
            await world.create_workspace()
            await until_seen(seen, ("ADDED", "Workspace", "demo"))

    @in_world
    async def test_kopf_goes_on_after_a_restart_of_the_api_server(self, world: World):
        async with operator(world) as seen:
            await self._watching(world)
            await world.fake.stop()
            await world.fake.start()
            await world.create_workspace()
            await until_seen(seen, ("ADDED", "Workspace", "demo"))

    async def _watching(self, world: World) -> None:
        kinds = ("workspaces", "machines", "machinepools")
        await until(lambda: all(world.fake.watches.count(plural) for plural in kinds))


@pytest.mark.stack
class TestKopfOnTheRealApiServer(KopfFeedContract):
    @pytest.fixture
    def world(self, controlplane, monkeypatch: pytest.MonkeyPatch) -> OpenWorld:
        monkeypatch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
        return partial(real_world, find_connection())
