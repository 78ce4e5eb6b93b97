"""Gateways beside a fake API server, a clock that tests move, and clients that beat."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import aiohttp

from fakes.apiserver.server import FakeApiServer
from hotdesk.core.heartbeats.tokens import sign
from hotdesk.gateway.keys import KeyFile
from hotdesk.gateway_main import Gateway, opened
from hotdesk.settings import GatewaySettings

KEY = "the-first-key-of-the-tests-0123456789"
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEAM = "team"


class MovedClock:
    """Real time from a fixed start, and whatever a test adds to it."""

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()
        self.added = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() - self._began + self.added


class Hall:
    """One API server, one clock, one client, and any number of gateways."""

    def __init__(self, server: FakeApiServer, http: aiohttp.ClientSession, folder: Path) -> None:
        self.server = server
        self.http = http
        self.clock = MovedClock()
        self.keys = folder / "keys"
        self.keys.write_text(KEY, encoding="utf-8")

    @asynccontextmanager
    async def gateway(self, *, ready: bool = True, **settings: Any) -> AsyncIterator[Gateway]:
        chosen = GatewaySettings(heartbeat_keys=self.keys, gateway_port=0, metrics_port=0, drain_seconds=1, **settings)
        key_file = KeyFile(self.keys)
        async with opened(chosen, self.server.connection, key_file, clock=self.clock) as gateway:
            if ready:
                await until(lambda: self.readiness(gateway), 200)
            yield gateway

    def workspace(self, name: str = "demo", *, machine: str | None = "i-1", **status: Any) -> str:
        """Create a workspace, with a machine unless told otherwise, and return its UID."""
        made = self.server.create("workspaces", {"metadata": {"name": name}, "spec": _SPEC}, namespace=TEAM)
        if machine is not None:
            told = {"phase": "Running", "machine": machine, "claimedAt": wire(self.clock.now()), **status}
            self.server.patch("workspaces", name, {"status": told}, namespace=TEAM, status=True)
        return str(made["metadata"]["uid"])

    def token(self, name: str = "demo", *, key: str = KEY, uid: str | None = None) -> str:
        found = self.server.get("workspaces", name, namespace=TEAM)
        uid = uid or (found["metadata"]["uid"] if found is not None else "nobody")
        return sign(key.encode(), namespace=TEAM, name=name, uid=uid)

    def status(self, name: str = "demo") -> dict[str, Any]:
        found = self.server.get("workspaces", name, namespace=TEAM)
        assert found is not None
        return dict(found.get("status", {}))

    def writes(self) -> list[str]:
        """The recorded times that gateways sent, in order, refused ones too."""
        return [call.body["status"]["lastActivityTime"] for call in self.server.writes("workspaces/status")]

    def url(self, gateway: Gateway, name: str, what: str) -> str:
        return f"http://127.0.0.1:{gateway.server.port}/v1/workspaces/{TEAM}/{name}/{what}"

    async def beat(self, gateway: Gateway, name: str = "demo", *, token: str | None = None, **request: Any) -> int:
        headers = {"Authorization": f"Bearer {token or self.token(name)}"}
        async with self.http.post(self.url(gateway, name, "heartbeat"), headers=headers, **request) as answer:
            return answer.status

    async def readiness(self, gateway: Gateway) -> int:
        async with self.http.get(f"http://127.0.0.1:{gateway.watcher.port}/readyz") as answer:
            return answer.status

    async def metrics(self, gateway: Gateway) -> str:
        async with self.http.get(f"http://127.0.0.1:{gateway.watcher.port}/metrics") as answer:
            return await answer.text()

    async def recorded(self, moment: datetime, name: str = "demo") -> None:
        await until(lambda: self.status(name).get("lastActivityTime"), wire(moment))

    async def known(self, gateway: Gateway, uid: str) -> None:
        await until(lambda: uid in gateway.heartbeats, True)  # noqa: FBT003


_SPEC = {"pool": "pool", "owner": "ada"}


def wire(moment: datetime) -> str:
    """Write a moment as the API server keeps it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def until(look: Callable[[], Any], wanted: Any, *, within: float = 30.0) -> None:
    """Return when `look` shows what is wanted."""
    shown: Any = None
    try:
        async with asyncio.timeout(within):
            while True:
                shown = look()
                if asyncio.iscoroutine(shown):
                    shown = await shown
                if shown == wanted:
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited for {wanted!r}, the last was {shown!r}") from None


def in_hall(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Make a test of a coroutine that takes a hall."""

    @wraps(test)
    def run(tmp_path: Path) -> None:
        async def scenario() -> None:
            async with (
                asyncio.timeout(150),
                FakeApiServer() as server,
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
            ):
                server.create("namespaces", {"metadata": {"name": TEAM}})
                await test(Hall(server, http, tmp_path))

        asyncio.run(scenario())

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would ask for the hall
    return run
