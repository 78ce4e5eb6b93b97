"""The floor, a process of its own: an ideal client that watches Workspaces and does the same two guarded writes."""

import asyncio
import gc
import resource
import sys
from collections import deque
from datetime import UTC, datetime
from typing import Any

import uvloop

from bench.child import answer, read_config
from bench.wire import MACHINES, WORKSPACES, Access, Refused, Wire, wire

_CONNECTIONS = 32  # as many as Hotdesk keeps


class Floor:
    """Gives each Workspace the next machine: compare-and-swap on the Machine, one status patch, nothing else."""

    def __init__(self, opened: Wire, *, machines: list[dict[str, str]]) -> None:
        self._wire = opened
        self._machines = deque(machines)
        self._tasks: set[asyncio.Task[None]] = set()
        self.errors: list[str] = []

    async def follow(self, since: str) -> None:
        """Claim for every Workspace that is created."""
        async for event in self._wire.watch(WORKSPACES, since=since):
            if event["type"] == "ADDED" and not event["object"].get("status", {}).get("machine"):
                task = asyncio.get_running_loop().create_task(self._claim(event["object"], self._machines.popleft()))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _claim(self, workspace: dict[str, Any], machine: dict[str, str]) -> None:
        meta, now = workspace["metadata"], datetime.now(UTC)  # noqa: TID251  # a client beside the product
        claim = {
            "slot": 0,
            "workspace": {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
            "claimedAt": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        guard = {"uid": machine["uid"], "resourceVersion": machine["version"]}
        try:
            await self._wire.patch(f"{MACHINES}/{machine['name']}", {"metadata": guard, "spec": {"claims": [claim]}})
            await self._wire.patch(
                f"{WORKSPACES}/{meta['name']}/status",
                {
                    "metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]},
                    "status": _status(workspace, machine, now=now),
                },
            )
        except Refused as refused:
            self.errors.append(str(refused))


def _status(workspace: dict[str, Any], machine: dict[str, str], *, now: datetime) -> dict[str, Any]:
    """Return what Hotdesk tells a user, field by field: the floor writes as many bytes."""
    second, spec = f"{now:%Y-%m-%dT%H:%M:%SZ}", workspace["spec"]
    return {
        "phase": "Running",
        "observedGeneration": workspace["metadata"]["generation"],
        "machine": machine["name"],
        "slot": 0,
        "privateIP": machine["ip"],
        "publicIP": machine["publicIP"],
        "url": f"http://{machine['ip']}:8080/?folder=/home/{spec['owner']}/{spec['project']}",
        "claimedAt": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        "readyAt": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "MachineReady",
                "message": f"Machine {machine['name']} is running at {machine['ip']}.",
                "lastTransitionTime": second,
                "observedGeneration": workspace["metadata"]["generation"],
            },
        ],
    }


async def _main(config: dict[str, Any]) -> None:
    async with wire(Access(**config["access"]), connections=_CONNECTIONS) as opened:
        floor = Floor(opened, machines=config["machines"])
        since = (await opened.get(f"{WORKSPACES}?limit=1"))["metadata"]["resourceVersion"]
        following = asyncio.create_task(floor.follow(since))
        gc.collect()
        gc.freeze()
        gc.disable()
        began = _cpu()
        answer("ready")
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        await asyncio.wait((ended, following), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            following.result()
        answer({"cpu": _cpu() - began, "errors": floor.errors[:5]})
        following.cancel()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(read_config()))
