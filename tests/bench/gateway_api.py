"""The fake API server of `bench.gateway`, as a process: it says where it is, and on each line what is recorded."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

from fakes.apiserver.server import FakeApiServer

_NAMESPACE = "bench"


async def serve(*, workspaces: int, interval: float) -> None:
    """Serve until the input ends."""
    async with FakeApiServer() as server:
        uids = [_create(server, number, workspaces, interval) for number in range(workspaces)]
        server.storage.forget_history()
        _say({"url": server.url, "uids": uids})
        while await asyncio.to_thread(sys.stdin.readline):
            _say({"recorded": [_recorded(server, number) for number in range(workspaces)]})


def _create(server: FakeApiServer, number: int, workspaces: int, interval: float) -> str:
    """Create a workspace that has been at work for an hour, and was written at its share of the past interval."""
    now = datetime.now(UTC)  # noqa: TID251  # a bench is an adapter to the world
    name = f"w{number}"
    body = {"metadata": {"name": name}, "spec": {"pool": "bench", "owner": "ada"}}
    made = server.create("workspaces", body, namespace=_NAMESPACE)
    status = {
        "phase": "Running",
        "machine": f"i-{number}",
        "claimedAt": _wire(now - timedelta(hours=1)),
        "lastActivityTime": _wire(now - timedelta(seconds=interval * number / workspaces)),
        "activitySource": "Heartbeat",
    }
    server.patch("workspaces", name, {"status": status}, namespace=_NAMESPACE, status=True)
    return str(made["metadata"]["uid"])


def _recorded(server: FakeApiServer, number: int) -> float:
    found = server.storage.get(server._kind("workspaces"), (_NAMESPACE, f"w{number}"))
    return datetime.fromisoformat(found["status"]["lastActivityTime"]).timestamp()


def _wire(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _say(words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(workspaces=int(sys.argv[1]), interval=float(sys.argv[2])))
