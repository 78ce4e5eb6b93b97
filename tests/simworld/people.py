"""What people and AWS do in a world: users come and go, platform teams turn things, somebody interferes."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from fakes.apiserver.storage import Json  # a plain alias
from hotdesk.api.v1alpha1 import WAKE_ANNOTATION
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Instance, Lifecycle, State
from simworld.network import Weather
from simworld.witness import Witness
from simworld.world import AWS_WEATHER, NAMESPACE, SimWorld

PRIORITIES = {"low": 1, "high": 10}
FINE = Weather()
RAIN = Weather(slow=0.05, slow_up_to=2.0, lost=0.03, answer_lost=0.03, refused=0.03, broken=0.02)
STORM = Weather(
    slow=0.2, slow_up_to=8.0, lost=0.1, answer_lost=0.1, late=0.1, late_up_to=45.0, twice=0.1, refused=0.1, broken=0.1
)
LATE = Weather(late=0.4, late_up_to=45.0)
"""Of the API server; AWS's late calls take six times as long."""


class People:
    """Everybody who is no operator. Who is meant is given as a number, so that any number means somebody."""

    def __init__(
        self, world: SimWorld, witness: Witness, *, workspaces: int = 0, pools: dict[str, Json] | None = None
    ) -> None:
        self.world = world
        self.witness = witness
        self._next = workspaces
        self._pools = pools or {}

    # -- users --------------------------------------------------------------------------------------------------------

    def come(
        self, pool: str, *, priority: str | None = None, name: str | None = None, owner: str = "", **more: Any
    ) -> str:
        """Create a workspace; a name that is given may have been used before."""
        self._next += 1
        name = name or f"w{self._next}"
        spec: Json = {"pool": pool, "owner": owner or f"owner of {name}", **more}
        if priority is not None:
            spec["priorityClassName"] = priority
        self.world.server.create("workspaces", {"metadata": {"name": name}, "spec": spec}, namespace=NAMESPACE)
        return name

    def leave(self, number: int) -> str | None:
        """Delete a workspace."""
        name = self._workspace(number)
        if name is not None:
            self.world.server.delete("workspaces", name, namespace=NAMESPACE)
        return name

    def come_again(self, number: int) -> None:
        """Delete a workspace and create another under its name at once."""
        if (name := self._workspace(number)) is not None:
            self.come_again_as(name)

    def come_again_as(self, name: str) -> None:
        """Delete the workspace of this name, if there is one, and create another under its name at once."""
        found = self.world.server.get("workspaces", name, namespace=NAMESPACE)
        if found is not None:
            self.world.server.delete("workspaces", name, namespace=NAMESPACE)
            self.come(found["spec"]["pool"], priority=found["spec"].get("priorityClassName"), name=name)

    def change(self, number: int, **spec: Any) -> None:
        """Change a workspace's spec."""
        name = self._workspace(number)
        if name is not None:
            self.world.server.patch("workspaces", name, {"spec": spec}, namespace=NAMESPACE)

    def label(self, number: int, value: str) -> None:
        """Change a workspace's labels: a new version, and nothing else."""
        name = self._workspace(number)
        if name is not None:
            self.world.server.patch("workspaces", name, {"metadata": {"labels": {"team": value}}}, namespace=NAMESPACE)

    def work(self, number: int) -> bool:
        """Let a user change a file, if the workspace is open; tell whether it was."""
        name = self._workspace(number)
        return name is not None and self.witness.keep.people_work(name)

    def beat(self, number: int) -> None:
        """Be active, as the gateway records it."""
        name = self._workspace(number)
        if name is not None:
            told = {"lastActivityTime": self._now(), "activitySource": "Heartbeat"}
            self.world.server.patch("workspaces", name, {"status": told}, namespace=NAMESPACE, status=True)

    def ask_to_wake(self, number: int) -> None:
        """Annotate a workspace, so that it is woken."""
        name = self._workspace(number)
        if name is not None:
            asked = {"metadata": {"annotations": {WAKE_ANNOTATION: self._now()}}}
            self.world.server.patch("workspaces", name, asked, namespace=NAMESPACE)

    # -- platform teams -----------------------------------------------------------------------------------------------

    def make_group(self, name: str, **settings: Any) -> None:
        """Create an Auto Scaling group."""
        self.world.aws.add_group(name, **settings)

    def make_pool(self, name: str, *, group: str | None = None, idle: int = 2, **spec: Any) -> None:
        """Create a pool, unless there is one of that name."""
        if self.world.server.get("machinepools", name) is not None:
            return
        aws = {"region": "eu-west-1", "autoScalingGroupName": group or name}
        wanted = {"aws": aws, "maxMachines": 4, "buffer": {"idle": idle, "scaleDownDelay": "0s"}}
        wanted |= self._pools.get(name, {}) | spec
        self.world.server.create("machinepools", {"metadata": {"name": name}, "spec": wanted})

    def turn(self, pool: str, **spec: Any) -> None:
        """Change a pool's spec, if it exists."""
        if self.world.server.get("machinepools", pool) is not None:
            self.world.server.patch("machinepools", pool, {"spec": spec})

    def drop_pool(self, pool: str) -> None:
        """Delete a pool, if it exists."""
        if self.world.server.get("machinepools", pool) is not None:
            self.world.server.delete("machinepools", pool)

    def set_priorities(self) -> None:
        """Create the priority classes."""
        for name, value in PRIORITIES.items():
            self.world.server.create("priorityclasses", {"metadata": {"name": name}, "value": value})

    # -- who interferes in AWS ----------------------------------------------------------------------------------------

    def terminate(self, number: int, *, cause: str = "person") -> None:
        """End a live machine in EC2."""
        if (machine := self._machine(number)) is not None:
            self.world.aws.end(machine.id, cause=cause)

    def power_off(self, number: int) -> None:
        """Stop a machine from within."""
        if (machine := self._machine(number)) is not None:
            self.world.aws.power_off(machine.id)

    def unprotect(self, number: int) -> None:
        """Take scale-in protection off a member."""
        if (machine := self._member(number)) is not None:
            self.witness.unprotected.add(machine.id)
            self._asg("SetInstanceProtection", machine, InstanceIds=[machine.id], ProtectedFromScaleIn=False)

    def push_out(self, number: int) -> None:
        """Detach a member of which there is a record, whether it is claimed or not."""
        machine = self._member(number)
        if machine is None or machine.member is None:
            return
        if self.world.server.get("machines", machine.id) is not None:
            self.witness.ceiling.people_pushed_out(machine.member.group.name, machine.id)
            self._asg("DetachInstances", machine, InstanceIds=[machine.id], ShouldDecrementDesiredCapacity=False)

    def want(self, group: str, desired: int) -> None:
        """Set desired capacity, as far as MaxSize and the pool's ceiling let them."""
        found = self.world.aws.group(group)
        if found is not None and found.status is None:
            room = self.witness.ceiling.room(group)
            desired = max(found.min_size, min(desired, found.max_size, room))
            self._call("SetDesiredCapacity", AutoScalingGroupName=group, DesiredCapacity=desired)

    def resume(self, group: str) -> None:
        """Let AWS rebalance zones again."""
        if self.world.aws.group(group) is not None:
            self.witness.ceiling.people_let_rebalance(group)
            self._call("ResumeProcesses", AutoScalingGroupName=group, ScalingProcesses=["AZRebalance"])

    def spoil(self, group: str) -> None:
        """Change settings that keep claimed machines safe."""
        if self.world.aws.group(group) is not None:
            self._call("UpdateAutoScalingGroup", AutoScalingGroupName=group, NewInstancesProtectedFromScaleIn=False)
            members = self.world.aws.world.groups[group].members.values()
            self.witness.unprotected |= {m.instance.id for m in members if m.lifecycle is Lifecycle.PENDING}
            self.witness.spoiled.add(group)

    def start(self, number: int) -> None:
        """Start a machine that is stopped, in the console, which says so if AWS has no room for it."""
        stopped = [i for i in self.world.aws.world.fleet.instances.values() if i.state is State.STOPPED]
        if stopped:
            with suppress(AwsError):
                self.world.aws.power_on(stopped[number % len(stopped)].id)

    def announce_end(self, number: int) -> None:
        """Let AWS announce that it takes a machine in two minutes, and take it; the announcement is on record."""
        machine = self._machine(number)
        if machine is not None and self.world.server.get("machines", machine.id) is not None:
            self.announce_end_of(machine.id)

    def announce_end_of(self, machine: str) -> None:
        """Let AWS announce that it takes this machine, and take it."""
        due = self.world.timeline.moment + timedelta(minutes=2)
        doom = {"reason": "SpotInterruption", "announcedAt": self._now(), "at": _written(due)}
        self.world.server.patch("machines", machine, {"status": {"interruption": doom}}, status=True)
        self.world.aws.reclaim(machine)

    def hang(self, number: int) -> None:
        """Let a machine stop answering."""
        if (machine := self._machine(number)) is not None:
            self.world.aws.hanging.add(machine.id)

    # -- when it is over ----------------------------------------------------------------------------------------------

    def calm_down(self) -> None:
        """End every fault, and undo what only people can undo."""
        world = self.world
        world.disturb()
        world.server.network.weather, world.line.network.weather = FINE, AWS_WEATHER
        world.files.network.weather = AWS_WEATHER
        for action in ("back_up", "restore"):
            world.files.store.heal(action)
        world.server.watch_lag = (0.001, 0.01)
        world.aws.hanging.clear()
        world.aws.configure(
            capacity=None, zoneCapacity={}, vcpuQuota=None, launch=20, consistency=0, healthCheck=20, retry=20
        )
        for operator in world.alive:
            operator.go_on()
            operator.process.skew = 0.0
        for name in world.aws.world.groups:
            self._call(
                "ResumeProcesses",
                AutoScalingGroupName=name,
                ScalingProcesses=["Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"],
            )
        if not world.alive:
            world.start_operator()

    def weather(self, *, api: Weather, aws: Weather) -> None:
        """Change how calls fare."""
        self.world.disturb()
        self.world.server.network.weather = api
        self.world.line.network.weather = replace(aws, quickest=0.02, slowest=0.2, late_up_to=6 * aws.late_up_to)
        self.world.files.network.weather = self.world.line.network.weather

    # -- who is meant -------------------------------------------------------------------------------------------------

    def _workspace(self, number: int) -> str | None:
        found = self.world.server.objects("workspaces")
        return str(found[number % len(found)]["metadata"]["name"]) if found else None

    def _machine(self, number: int) -> Instance | None:
        live = [i for i in self.world.aws.world.fleet.instances.values() if i.state in (State.RUNNING, State.PENDING)]
        return live[number % len(live)] if live else None

    def _member(self, number: int) -> Instance | None:
        members = [
            member.instance
            for group in self.world.aws.world.groups.values()
            for member in group.members.values()
            if member.lifecycle is Lifecycle.IN_SERVICE
        ]
        return members[number % len(members)] if members else None

    def _now(self) -> str:
        return _written(self.world.timeline.moment)

    def _asg(self, action: str, machine: Instance, **params: Any) -> None:
        if machine.member is not None:
            self._call(action, AutoScalingGroupName=machine.member.group.name, **params)

    def _call(self, action: str, **params: Any) -> None:
        self.world.trace.add("people", f"{action} {params}")
        self.world.aws.perform("autoscaling", action, params)


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
