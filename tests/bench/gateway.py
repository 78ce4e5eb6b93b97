"""`make bench-gateway`: one gateway process, 10,000 workspaces that beat, a fake API server in a process of its own.

What is recorded at the start is spread over the past interval, as it is when everybody has been at work for a while.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
import yaml

from bench.beating import Client, HttpClient, WebSocketClient
from hotdesk.core.heartbeats.tokens import sign

_KEY = "the-key-of-the-bench-0123456789abcdef"
_NAMESPACE = "bench"


@dataclass(frozen=True)
class Plan:
    """How long, how many, how often."""

    clients: int
    seconds: float
    beat_every: float
    interval: float


@dataclass(frozen=True)
class Sample:
    """The gateway at one moment."""

    at: float
    cpu_seconds: float
    waited_seconds: float
    """How long it was ready to run and had no core: what else the computer did."""
    rss: int
    writes: dict[str, float]


def main() -> int:
    """Measure and report; 1 if a beat was refused or a decision lost. A latency beyond its target is no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--beat-every", type=float, default=30, help="seconds between two beats of a client")
    parser.add_argument("--interval", type=float, default=360, help="HOTDESK_ACTIVITY_WRITE_SECONDS")
    given = parser.parse_args()
    plan = Plan(given.clients, given.seconds, given.beat_every, given.interval)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ending:
        api = _Api(ending, plan)
        gateway = _start_gateway(ending, Path(folder), api.url, plan)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_measure(plan, api, gateway))


class _Api:
    """The fake API server, as a child."""

    def __init__(self, ending: ExitStack, plan: Plan) -> None:
        command = [sys.executable, "-m", "bench.gateway_api", str(plan.clients), str(plan.interval)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ending.enter_context(self._process)
        ending.callback(self._process.terminate)
        found = self._answer()
        self.url: str = found["url"]
        self.uids: list[str] = found["uids"]

    def recorded(self) -> list[float]:
        """Return what is recorded for every workspace, as seconds since the epoch."""
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        recorded: list[float] = self._answer()["recorded"]
        return recorded

    def _answer(self) -> Any:
        return json.loads(self._process.stdout.readline() if self._process.stdout is not None else "")


@dataclass(frozen=True)
class _Gateway:
    pid: int
    port: int
    metrics_port: int

    async def sample(self, http: aiohttp.ClientSession) -> Sample:
        """Look at the process and at its metrics."""
        async with http.get(f"http://127.0.0.1:{self.metrics_port}/metrics") as answer:
            text = await answer.text()
        found = re.findall(r'^hotdesk_kubernetes_writes_total\{outcome="(\w+)".*\} (\S+)$', text, re.MULTILINE)
        cpu_seconds, waited_seconds, rss = self._used()
        writes = {outcome: float(count) for outcome, count in found}
        return Sample(
            at=time.monotonic(), cpu_seconds=cpu_seconds, waited_seconds=waited_seconds, rss=rss, writes=writes
        )

    def _used(self) -> tuple[float, float, int]:
        """Return the seconds of CPU that the process has used and waited for, and the bytes of memory it has now."""
        process = Path("/proc") / str(self.pid)
        used, waited, _ = map(int, (process / "schedstat").read_text(encoding="ascii").split())  # ns, of its one thread
        rss = re.search(r"^VmRSS:\s+(\d+) kB", (process / "status").read_text(encoding="ascii"), re.MULTILINE)
        return used / 1e9, waited / 1e9, int(rss[1]) * 1024 if rss else 0


def _start_gateway(ending: ExitStack, folder: Path, api: str, plan: Plan) -> _Gateway:
    """Start `hotdesk gateway` as people do."""
    (folder / "keys").write_text(_KEY, encoding="utf-8")
    named = {"name": "x"}
    kubeconfig = {
        "clusters": [{**named, "cluster": {"server": api}}],
        "users": [{**named, "user": {}}],
        "contexts": [{**named, "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
    env = {
        **os.environ,
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HOTDESK_HEARTBEAT_KEYS": str(folder / "keys"),
        "HOTDESK_GATEWAY_PORT": "0",
        "HOTDESK_METRICS_PORT": "0",
        "HOTDESK_ACTIVITY_WRITE_SECONDS": str(plan.interval),
    }
    command = [sys.executable, "-c", "from hotdesk.cli import main; main()", "gateway"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    ending.enter_context(process)
    ending.callback(process.terminate)
    for line in process.stderr or ():
        told = json.loads(line)
        if told["message"] == "taking heartbeats":
            return _Gateway(pid=process.pid, port=told["port"], metrics_port=told["metrics_port"])
    raise RuntimeError("the gateway ended before it took heartbeats")


async def _measure(plan: Plan, api: _Api, gateway: _Gateway) -> int:
    async with aiohttp.ClientSession() as http:
        while (await _status(http, f"http://127.0.0.1:{gateway.metrics_port}/readyz")) != 200:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.1)
        empty = await gateway.sample(http)
        clients = [_client(number, uid, gateway.port) for number, uid in enumerate(api.uids)]
        ramp = max(5.0, plan.clients / 500)
        began = time.monotonic()
        beating = [
            asyncio.create_task(client.run(first_at=began + ramp * number / plan.clients, every=plan.beat_every))
            for number, client in enumerate(clients)
        ]
        await asyncio.sleep(ramp + 5)
        for client in clients:
            client.latencies.clear()
        before = await gateway.sample(http)
        await asyncio.sleep(plan.seconds)
        after = await gateway.sample(http)
        latencies = sorted(seconds for client in clients for seconds in client.latencies)
        recorded = await asyncio.to_thread(api.recorded)
        ended = time.time()  # noqa: TID251  # a bench is an adapter to the world
        for task in beating:
            task.cancel()
        await asyncio.gather(*beating, return_exceptions=True)
    # A client's last beat may be one period old, and a write may wait for the ceiling.
    oldest = max(ended - moment for moment in recorded)
    allowed = 1.1 * plan.interval + plan.beat_every + 5
    return _report(
        plan,
        (empty, before, after),
        latencies,
        refused=sum(c.failures for c in clients),
        oldest=oldest,
        allowed=allowed,
    )


def _report(
    plan: Plan,
    samples: tuple[Sample, Sample, Sample],
    latencies: list[float],
    *,
    refused: int,
    oldest: float,
    allowed: float,
) -> int:
    empty, before, after = samples
    wall = after.at - before.at
    writes = {k: after.writes[k] - before.writes.get(k, 0) for k in after.writes}
    p50, p99 = (1000 * latencies[ceil(share * len(latencies) / 100) - 1] for share in (50, 99))
    used = 100 * (after.cpu_seconds - before.cpu_seconds) / wall
    waited = 100 * (after.waited_seconds - before.waited_seconds) / wall
    lines = [
        f"{plan.clients} workspaces, half HTTP, half WebSocket; a beat every {plan.beat_every:g} s each; {wall:.0f} s",
        f"answers        {len(latencies) / wall:.0f}/s",
        f"latency        p50 {p50:.1f} ms, p99 {p99:.1f} ms (target 50 ms), max {1000 * latencies[-1]:.1f} ms",
        f"refused        {refused}",
        f"API writes     {writes.get('ok', 0) / wall:.1f}/s (bound {plan.clients / plan.interval:.1f}/s); {writes}",
        f"oldest record  {oldest:.0f} s (allowed {allowed:.0f} s)",
        f"CPU            {used:.0f} % of one core; {waited:.0f} % of the time it waited for one",
        f"memory         {after.rss / 2**20:.0f} MiB; {empty.rss / 2**20:.0f} MiB before anybody came",
        f"load average   {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(refused > 0 or oldest > allowed)


def _client(number: int, uid: str, port: int) -> Client:
    name = f"w{number}"
    kind = HttpClient if number % 2 else WebSocketClient
    return kind(
        port=port,
        path=f"/v1/workspaces/{_NAMESPACE}/{name}",
        token=sign(_KEY.encode(), namespace=_NAMESPACE, name=name, uid=uid),
    )


async def _status(http: aiohttp.ClientSession, url: str) -> int:
    async with http.get(url) as answer:
        return answer.status


if __name__ == "__main__":
    sys.exit(main())
