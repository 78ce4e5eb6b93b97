"""One pair: the floor and Hotdesk under the same load, on the same machines of the same API server."""

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.child import Child
from bench.cloud import Call, Cloud
from bench.cluster import Cluster, Writes
from bench.figures import Costs, Latencies, Pair, Run
from bench.operating import Operator
from bench.shapes import Shape
from bench.wire import Access
from hotdesk_local.stack import LocalStack

POOL = "bench"
_BOOTS_NOW = 0.05  # seconds from launch to running while the pool is filled
BOOTS_LATER = 60.0  # while something is measured: what is launched then does not boot before the end
_FILLED_WITHIN = 120.0
_SECURED_WITHIN = 30.0

_POOL_MANIFEST = """\
apiVersion: hotdesk.dev/v1alpha1
kind: MachinePool
metadata: {{name: {pool}}}
spec:
  aws: {{region: {region}, autoScalingGroupName: {pool}}}
  maxMachines: 50000
  buffer: {{idle: {idle}, scaleDownDelay: 24h}}
  access: {{urlTemplate: "http://{{privateIP}}:8080/?folder=/home/{{owner}}/{{project}}"}}
"""


class Broken(Exception):  # noqa: N818  # names the fact
    """A claim was lost or made twice, or something did not work: figures would say nothing."""


@dataclass
class Bench:
    """Everything that measures."""

    stack: LocalStack
    access: Access
    cluster: Cluster
    cloud: Cloud
    operator: Operator
    _loads: int = 0

    def fill(self, idle: int) -> None:
        """Let the operator bring the pool to so many idle machines."""
        self.cloud.configure(launch=_BOOTS_NOW)
        manifest = _POOL_MANIFEST.format(pool=POOL, region=self.stack.aws.region, idle=idle)
        self.stack.controlplane.kubectl("apply", "-f", "-", input=manifest)
        self.operator.start()
        if not self.operator.wait_for(lambda now: now.idle >= idle and not now.booting, within=_FILLED_WITHIN):
            raise Broken(f"after {_FILLED_WITHIN:g} s the pool has not {idle} idle machines: {self.operator.gauges()}")

    def pair(self, shape: Shape, *, boots: float = BOOTS_LATER) -> Pair:
        """Measure the floor, then Hotdesk; the pool must be filled."""
        floor = self.floor(shape)
        self.operator.start()
        hotdesk, costs = self.hotdesk(shape, boots=boots)
        return Pair(floor=floor, hotdesk=hotdesk, costs=costs)

    def floor(self, shape: Shape) -> Run:
        """Measure the ideal client, with the operator stopped, and give its machines back."""
        self.tidy()
        idle = [_handed(machine) for machine in self.cluster.machines() if _is_idle(machine)]
        with Child("floor", self.access, machines=idle) as floor:
            seen = self._load(shape)
            said = floor.result()
        if said["errors"]:
            raise Broken(f"the floor failed: {said['errors']}")
        self._check(shape, seen)
        claimed = [m["metadata"]["name"] for m in self.cluster.machines() if m["spec"].get("claims")]
        self.cluster.delete_workspaces()
        self.cluster.unclaim(claimed)
        return _run(shape, seen, cpu=said["cpu"])

    def hotdesk(self, shape: Shape, *, boots: float = BOOTS_LATER) -> tuple[Run, Costs]:
        """Measure the operator, which must run, and what it spends until every machine is secured."""
        if not self.operator.wait_for(lambda now: now.idle >= shape.claims and not now.booting, within=_FILLED_WITHIN):
            raise Broken(f"the operator does not see {shape.claims} idle machines: {self.operator.gauges()}")
        self.cloud.configure(launch=boots)
        before, mark, writes = self.operator.gauges(), self.cloud.mark(), self.cluster.writes()
        ready = _ready(self.cluster.machines())
        cpu = self.operator.cpu()
        seen = self._load(shape)
        cpu_loaded = self.operator.cpu() - cpu
        secured = self.operator.wait_for(lambda now: now.unsecured == 0, within=_SECURED_WITHIN)
        cpu_secured = self.operator.cpu() - cpu
        after, calls = self.operator.gauges(), self.cloud.calls(since=mark)
        spent = self.cluster.writes() - writes
        self._check(shape, seen)
        costs = Costs(
            claims=shape.claims,
            writes=_without_load(spent, created=shape.claims),
            ready_reports=_ready(self.cluster.machines()) - ready,
            aws=dict(Counter(call.action for call in calls)),
            aws_before=self._early(calls, seen["seen_at"]),
            aws_errors=sum(call.error is not None for call in calls),
            cpu=1000 * cpu_secured / shape.claims,
            memory=self.operator.memory(),
            hits=after.hits - before.hits,
            misses=after.misses - before.misses,
            secured=secured,
        )
        return _run(shape, seen, cpu=cpu_loaded), costs

    def _load(self, shape: Shape) -> dict[str, Any]:
        self._loads += 1  # in the names: what an earlier load has created may still be there
        with Child("load", self.access, pool=POOL, prefix=f"w{self._loads}", rounds=shape.rounds) as load:
            load.go()
            seen: dict[str, Any] = load.result()
        return seen

    def _check(self, shape: Shape, seen: dict[str, Any]) -> None:
        """Raise unless every Workspace has one machine, every machine at most one Workspace, and both agree."""
        if seen["lost"] or seen["errors"]:
            raise Broken(f"{shape.title}: no IP for {seen['lost'][:10]}; errors: {seen['errors']}")
        published = {w["metadata"]["uid"]: w["status"]["machine"] for w in self.cluster.workspaces()}
        claimed = [
            (claim["workspace"]["uid"], machine["metadata"]["name"])
            for machine in self.cluster.machines()
            for claim in machine["spec"].get("claims", ())
        ]
        if sorted(claimed) != sorted(published.items()) or len(set(published.values())) != len(published):
            raise Broken(f"{shape.title}: claims and publications differ: {set(claimed) ^ set(published.items())}")

    def _early(self, calls: list[Call], seen_at: dict[str, float]) -> int:
        bound = {w["metadata"]["name"]: w["status"]["machine"] for w in self.cluster.workspaces()}
        visible = {bound[name]: moment for name, moment in seen_at.items()}
        return sum(
            call.changes and any(call.time < visible[name] for name in call.named & visible.keys()) for call in calls
        )

    def tidy(self) -> None:
        """Stop the operator and remove what it has claimed, machines included: the rest is idle."""
        self.operator.stop()
        used = [m["metadata"]["name"] for m in self.cluster.machines() if not _is_idle(m)]
        self.cluster.delete_workspaces()
        self.cluster.delete_machines(used)
        self.cloud.terminate(used)


def _run(shape: Shape, seen: dict[str, Any], *, cpu: float) -> Run:
    return Run(
        latencies=Latencies.of(seen["latencies"]),
        claims=shape.claims,
        seconds=seen["seconds"],
        late=seen["late"],
        load_average=os.getloadavg()[0],
        cpu=1000 * cpu / shape.claims,
    )


def _without_load(writes: Writes, *, created: int) -> dict[str, int]:
    own = Counter({("workspaces", "POST"): created})
    return {" ".join(key): count for key, count in sorted((writes - own).items())}


def _is_idle(machine: dict[str, Any]) -> bool:
    spec, status = machine["spec"], machine.get("status", {})
    return not spec.get("claims") and not spec.get("reap") and "readyAt" in status


def _ready(machines: list[dict[str, Any]]) -> int:
    return sum("readyAt" in machine.get("status", {}) for machine in machines)


def _handed(machine: dict[str, Any]) -> dict[str, str]:
    meta, status = machine["metadata"], machine["status"]
    return {
        "name": meta["name"],
        "uid": meta["uid"],
        "version": meta["resourceVersion"],
        "ip": status["privateIP"],
        "publicIP": status.get("publicIP", ""),
    }
