"""The load, a process of its own: creates Workspaces on schedule and sees their IPs in one watch, as a user would."""

import asyncio
import gc
import sys
import time
from time import perf_counter
from typing import Any

import uvloop

from bench.child import answer, read_config
from bench.wire import WORKSPACES, Access, Refused, Wire, wire

_PATIENCE = 120.0  # seconds after the last create; what is not visible then is lost
_CONNECTIONS = 64


class Load:
    """One run of one shape."""

    def __init__(self, opened: Wire, *, pool: str, prefix: str, rounds: list[list[float]]) -> None:
        self._wire = opened
        self._pool = pool
        self._prefix = prefix
        self._rounds = rounds
        self._loop = asyncio.get_running_loop()
        self._sent: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._late: list[float] = []
        self._errors: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._missing = 0
        self._all_seen = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Send everything, wait for every IP, and return the latencies in milliseconds."""
        wall = time.time() - perf_counter()  # noqa: TID251  # the simulated AWS dates its calls by the wall clock
        began, finished = perf_counter(), True
        for number, offsets in enumerate(self._rounds):
            finished = finished and await self._round(number, offsets)
        return {
            "latencies": [1000 * (seen - self._sent[name]) for name, seen in self._seen.items()],
            "seconds": perf_counter() - began,
            "seen_at": {name: seen + wall for name, seen in self._seen.items()},
            "lost": sorted(self._sent.keys() - self._seen.keys()),
            "late": 1000 * max(self._late, default=0.0),
            "errors": self._errors[:5],
        }

    async def follow(self, since: str) -> None:
        """Note when each IP becomes visible."""
        async for event in self._wire.watch(WORKSPACES, since=since):
            body = event["object"]
            name = body["metadata"]["name"]
            if name in self._sent and name not in self._seen and body.get("status", {}).get("privateIP"):
                self._seen[name] = perf_counter()
                self._missing -= 1
                if not self._missing:
                    self._all_seen.set()

    async def _round(self, number: int, offsets: list[float]) -> bool:
        self._missing = len(offsets)
        self._all_seen.clear()
        begin = perf_counter()  # uvloop's own clock knows whole milliseconds only
        for place, offset in enumerate(offsets):
            self._loop.call_later(offset, self._send, f"{self._prefix}-{number}-{place}", begin + offset)
        try:
            async with asyncio.timeout(max(offsets) + _PATIENCE):
                await self._all_seen.wait()
        except TimeoutError:
            return False
        return True

    def _send(self, name: str, at: float) -> None:
        self._sent[name] = at
        self._late.append(perf_counter() - at)
        task = self._loop.create_task(self._create(name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _create(self, name: str) -> None:
        body = {
            "apiVersion": "hotdesk.dev/v1alpha1",
            "kind": "Workspace",
            "metadata": {"name": name},
            "spec": {"pool": self._pool, "owner": f"{name}@example.com", "project": "bench"},
        }
        try:
            await self._wire.create(WORKSPACES, body)
        except Refused as refused:
            self._errors.append(str(refused))


async def _main(config: dict[str, Any]) -> None:
    width = max(len(offsets) for offsets in config["rounds"])
    # One connection for each create that may be under way, so that none waits for another.
    async with wire(Access(**config["access"]), connections=max(_CONNECTIONS, min(width, 400))) as opened:
        load = Load(opened, pool=config["pool"], prefix=config["prefix"], rounds=config["rounds"])
        since = (await opened.get(f"{WORKSPACES}?limit=1"))["metadata"]["resourceVersion"]
        following = asyncio.create_task(load.follow(since))
        gc.collect()
        gc.freeze()
        gc.disable()
        answer("ready")
        await asyncio.to_thread(sys.stdin.readline)
        running = asyncio.create_task(load.run())
        await asyncio.wait((running, following), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            following.result()
        answer(running.result())
        following.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(read_config()))
