"""A stack as one test uses it: pools with groups of their own in a namespace of its own, cleared away afterwards."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from e2e import manifests
from e2e.cluster import Cluster, Object, condition, is_ready
from e2e.simulator import Shown, Simulator
from e2e.stage import LAUNCH_TEMPLATE
from hotdesk_local.stack import LocalStack
from waiting import wait_for

_numbers = count(1)

SOON = 120.0
"""Seconds within which anything must have happened. All of it takes one or two; the rest is for a busy computer."""


@dataclass(frozen=True)
class Pool:
    """One MachinePool of a test, with its group and the workspaces that use it."""

    name: str
    group: str
    namespace: str
    cluster: Cluster
    simulator: Simulator

    # -- what is seen -----------------------------------------------------------------------------------------------

    def shown(self) -> Object:
        """Return the MachinePool."""
        return self.cluster.get("machinepools", self.name)

    def status(self) -> Object:
        """Return the MachinePool's status."""
        status: Object = self.shown().get("status", {})
        return status

    def condition(self, kind: str) -> Object:
        """Return a condition of the MachinePool; an empty one if it has none of that type."""
        return condition(self.shown(), kind)

    def workspace(self, name: str) -> Object:
        """Return one workspace."""
        return self.cluster.get("workspaces", name, namespace=self.namespace)

    def workspaces(self) -> list[Object]:
        """Return the pool's workspaces."""
        found = self.cluster.items("workspaces", namespace=self.namespace)
        return [workspace for workspace in found if workspace["spec"]["pool"] == self.name]

    def machines(self) -> list[Object]:
        """Return the pool's Machine records."""
        return [machine for machine in self.cluster.items("machines") if machine["spec"]["pool"] == self.name]

    def instance(self, name: str) -> Shown:
        """Return an instance as it is in AWS."""
        return next(machine for machine in self.simulator.machines(self.group) if machine["id"] == name)

    # -- what a user does -------------------------------------------------------------------------------------------

    def manifest(self, name: str, **spec: Any) -> Object:
        """Return the manifest of a workspace in this pool."""
        return manifests.workspace(name, **{"pool": self.name, "namespace": self.namespace, **spec})

    def apply(self, *names: str, **spec: Any) -> None:
        """Apply workspaces with kubectl."""
        self.cluster.apply(*(self.manifest(name, **spec) for name in names))

    def create(self, *names: str, **spec: Any) -> None:
        """Create workspaces one after the other, fast."""
        for name in names:
            self.cluster.create(self.manifest(name, **spec))

    def delete(self, *names: str) -> None:
        """Delete workspaces."""
        for name in names:
            self.cluster.delete("workspaces", name, namespace=self.namespace)

    def change(self, **spec: Any) -> None:
        """Change fields of the pool's spec."""
        self.cluster.patch("machinepools", self.name, {"spec": spec})

    # -- what is waited for -----------------------------------------------------------------------------------------

    def wait_idle(self, number: int, *, within: float = SOON) -> None:
        """Wait until the pool has exactly this many idle slots, none on their way, and AWS agrees."""

        def idle() -> bool:
            status = self.status()
            seen = status.get("idle"), status.get("booting")
            assert seen == (number, 0), f"pool {self.name} has (idle, booting) {seen}: {status}"
            return True

        wait_for(idle, what=f"pool {self.name} has {number} idle slots", within=within)

    def wait_bound(self, *names: str, within: float = SOON) -> list[Object]:
        """Wait until these workspaces have a machine, and return them in this order."""

        def bound() -> dict[str, Object]:
            found = {workspace["metadata"]["name"]: workspace for workspace in self.workspaces()}
            unbound = {name: found[name].get("status") for name in names if not is_ready(found[name])}
            assert not unbound, f"not bound: {unbound}; the pool: {self.status()}"
            return {"": {}, **found}  # true even where nobody is left

        found = wait_for(bound, what=f"bound: {', '.join(names[:5])}…", within=within)
        return [found[name] for name in names]

    def wait_reason(self, name: str, reason: str, *, within: float = SOON) -> str:
        """Wait until a workspace is not Ready for a reason, and return the sentence it is told."""

        def told() -> str:
            found = condition(self.workspace(name), "Ready")
            assert found.get("status") == "False", found
            assert found.get("reason") == reason, found
            return str(found["message"])

        return wait_for(told, what=f"workspace {name} is told {reason}", within=within)

    def wait_condition(self, kind: str, status: str, reason: str | None = None, *, within: float = SOON) -> str:
        """Wait for a condition of the pool, and return its sentence."""

        def told() -> str:
            found = self.condition(kind)
            assert found.get("status") == status, found
            assert reason in {None, found.get("reason")}, found
            return str(found["message"])

        return wait_for(told, what=f"pool {self.name} says {kind}={status} {reason or ''}", within=within)

    def wait_terminated(self, *machines: str, within: float = SOON) -> None:
        """Wait until AWS has terminated these machines and their records are gone."""

        def terminated() -> bool:
            states = {name: self.instance(name)["state"] for name in machines}
            assert set(states.values()) <= {"terminated"}, states
            left = {machine["metadata"]["name"] for machine in self.machines()} & set(machines)
            assert not left, f"still recorded: {left}"
            return True

        wait_for(terminated, what=f"terminated and forgotten: {machines}", within=within)


@dataclass(frozen=True)
class Scene:
    """What a test is given."""

    stack: LocalStack
    cluster: Cluster
    simulator: Simulator
    namespace: str
    pools: list[Pool] = field(default_factory=list)

    @property
    def kubectl(self) -> Any:
        """The stack's own kubectl."""
        return self.cluster.kubectl

    def pool(self, *, name: str | None = None, group: str | None = None, **spec: Any) -> Pool:
        """Create a pool, with a group of its own unless one is named, and return at once."""
        if group is None:
            group = unique("group")
            self.create_group(group)
        pool = Pool(
            name=name or unique("pool"),
            group=group,
            namespace=self.namespace,
            cluster=self.cluster,
            simulator=self.simulator,
        )
        self.pools.append(pool)
        self.cluster.create(manifests.pool(pool.name, group=group, **spec))
        return pool

    def create_group(self, name: str, *, template: str = LAUNCH_TEMPLATE) -> None:
        """Make an empty Auto Scaling group, as a platform team would."""
        aws = self.simulator.aws
        self.simulator.person.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=0,
            DesiredCapacity=0,
            LaunchTemplate={"LaunchTemplateName": template, "Version": "$Latest"},
            VPCZoneIdentifier=",".join(aws.subnets),
        )

    def clear(self) -> None:
        """Take back what was broken, and let pools and workspaces go without waiting for it."""
        self.simulator.reset()
        self.cluster.delete_all("workspaces", namespace=self.namespace)
        for pool in self.pools:
            self.cluster.delete("machinepools", pool.name)


def open_scene(*, stack: LocalStack, cluster: Cluster, simulator: Simulator) -> Scene:
    """Make a namespace that nobody else uses, and return an empty scene in it."""
    namespace = unique("scene")
    cluster.create_namespace(namespace)
    return Scene(stack=stack, cluster=cluster, simulator=simulator, namespace=namespace)


def unique(what: str) -> str:
    """Return a name that no other test of this process uses."""
    return f"{what}-{next(_numbers)}"
