"""A store on some API server, the fake or the real one, and the user who acts there over the same HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import uuid4

import orjson

from fakes.apiserver.server import FakeApiServer
from hotdesk.adapters.kube.connection import Connection
from hotdesk.adapters.kube.resources import WORKSPACES
from hotdesk.adapters.kube.session import Answer, KubeSession
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.api.v1alpha1 import API_VERSION, Claim, ClaimedBy, Machine, Workspace

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class World:
    """One test's session, store and namespace; every name it makes is unique, so that a server can be shared."""

    def __init__(self, session: KubeSession, *, connection: Connection, fake: FakeApiServer | None = None) -> None:
        self.session = session
        self.connection = connection
        self.writes: list[dict[str, Any]] = []
        self.store = KubeStore(session, on_write=lambda **write: self.writes.append(write))
        self.namespace = f"team-{uuid4().hex[:10]}"
        self._fake = fake

    @property
    def fake(self) -> FakeApiServer:
        """The fake server, for tests that make it misbehave."""
        assert self._fake is not None
        return self._fake

    async def create_machine(self, *, slots: int = 1) -> Machine:
        """Create a machine of a pool that nobody runs."""
        name = f"i-{uuid4().hex[:16]}"
        wire = {
            "metadata": {"name": name, "labels": {"hotdesk.dev/pool": "contract"}},
            "spec": {"pool": "contract", "providerID": f"aws:///eu-central-1a/{name}", "slots": slots},
        }
        return await self.store.create_machine(Machine.model_validate(wire))

    async def create_workspace(self, *, name: str = "demo") -> Workspace:
        """Create a Workspace, as a user would."""
        body = {
            "apiVersion": API_VERSION,
            "kind": "Workspace",
            "metadata": {"name": name},
            "spec": {"pool": "contract", "owner": "ada"},
        }
        path = f"/apis/{API_VERSION}/namespaces/{self.namespace}/workspaces"
        return Workspace.model_validate_json((await self.send("POST", path, body)).body)

    async def delete_workspace(self, name: str) -> None:
        """Delete a Workspace, as a user would."""
        await self.send("DELETE", WORKSPACES.path(name=name, namespace=self.namespace), {})

    async def send(self, method: str, path: str, body: Any) -> Answer:
        """Write whatever a test wants, past the store; a PATCH is a merge patch."""
        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return await self.session.write(method, path, body=orjson.dumps(body), content_type=content_type)

    async def read(self, path: str, **params: str) -> dict[str, Any]:
        """Read whatever a test wants, past the store."""
        found: dict[str, Any] = orjson.loads((await self.session.read(path, params=params)).body)
        return found


OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


@asynccontextmanager
async def fake_world() -> AsyncIterator[World]:
    """Enter a world with a fake API server of its own."""
    async with FakeApiServer() as server, KubeSession(server.connection) as session:
        world = World(session, connection=server.connection, fake=server)
        server.create("namespaces", {"metadata": {"name": world.namespace, "labels": {"team": "contract"}}})
        yield world


@asynccontextmanager
async def real_world(connection: Connection) -> AsyncIterator[World]:
    """Enter a world with a namespace of its own on a real API server."""
    async with KubeSession(connection) as session:
        world = World(session, connection=connection)
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": world.namespace, "labels": {"team": "contract"}},
        }
        await world.send("POST", "/api/v1/namespaces", body)
        yield world


def in_world(test: Callable[[Any, World], Coroutine[Any, Any, None]]) -> Callable[[Any, OpenWorld], None]:
    """Make a test of a coroutine: its `world` fixture says where, this enters it and gives it a deadline."""

    @wraps(test)
    def run(self: Any, world: OpenWorld) -> None:
        async def scenario() -> None:
            async with asyncio.timeout(60):
                async with world() as entered:
                    await test(self, entered)
                await _sockets_closed()

        asyncio.run(scenario())

    return run


async def _sockets_closed() -> None:
    """Return when only the loop's own pipe is open: TLS says goodbye after a session has been closed."""
    selector = asyncio.get_running_loop()._selector
    while len(selector.get_map()) > 1:  # noqa: ASYNC110  # a selector tells nobody that it became empty
        await asyncio.sleep(0.01)


def claim(*, slot: int = 0, uid: str = "11111111-1111-4111-8111-111111111111", name: str = "demo") -> Claim:
    """A claim by a workspace of this uid."""
    return Claim(slot=slot, workspace=ClaimedBy(namespace="team", name=name, uid=uid), claimed_at=NOW)
