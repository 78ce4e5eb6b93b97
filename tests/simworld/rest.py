"""What a world looks like when nothing more is to be done: the end that every course must reach."""

from collections.abc import Iterator

from fakes.apiserver.storage import Json
from hotdesk.core.tags import claim_tag
from hotdesk_local.aws.model import Instance, Lifecycle, State
from simworld.aws import is_live
from simworld.keeping import wants_machine
from simworld.resting import unrest_of_life
from simworld.world import SimWorld

_FORGOTTEN = 7200.0  # seconds: looked for once an hour, and deleted when an hour old


def unrest(world: SimWorld) -> list[str]:
    """Return what is not as it should be; nothing, once the world is at rest."""
    found = [*_workspaces(world), *_records(world), *unrest_of_life(world)]
    for pool in world.server.objects("machinepools"):
        found += _PoolAtRest(world, pool).unrest()
    found += [f"call(s) are still on their way to {name}" for name, net in world.networks.items() if net.late_calls]
    return found


class _PoolAtRest:
    def __init__(self, world: SimWorld, pool: Json) -> None:
        self.world = world
        self.pool = pool
        self.name = str(pool["metadata"]["name"])
        self.spec: Json = pool["spec"]
        self.group = world.aws.group(self.spec["aws"]["autoScalingGroupName"])
        self.machines = [m for m in world.server.objects("machines") if m["spec"]["pool"] == self.name]
        self.workspaces = [w for w in world.server.objects("workspaces") if w["spec"]["pool"] == self.name]

    def unrest(self) -> Iterator[str]:
        if not _owns_its_group(self.world, self.pool):
            return
        if self.spec.get("paused") or self.group is None:
            return
        yield from self._leaks()
        if self.pool["metadata"].get("deletionTimestamp"):
            if not any(_holders(machine) for machine in self.machines):
                yield f"pool {self.name} is deleted, nobody holds a machine of it, and it is still there"
            return
        yield from self._claims()
        yield from self._buffer()

    def _leaks(self) -> Iterator[str]:
        recorded = {m["metadata"]["name"] for m in self.machines}
        group = self.spec["aws"]["autoScalingGroupName"]
        for instance in self.world.aws.live(group):
            if instance.id not in recorded:
                yield f"{instance.id} lives, and there is no record of it"
        if self.spec["aws"].get("leaks") == "Terminate":
            yield from self._spare_volumes()

    def _spare_volumes(self) -> Iterator[str]:
        for volume in self.world.aws.world.storage.volumes.values():
            is_old = self.world.aws.now - volume.created > _FORGOTTEN
            if is_old and volume.attachment is None and volume.tags.get("hotdesk.dev/restore"):
                yield f"{volume.id} was made for a restore that nobody knows of, and is still there"

    def _claims(self) -> Iterator[str]:
        for machine in self.machines:
            if _holders(machine):
                yield from _secured(self.world, machine)

    def _buffer(self) -> Iterator[str]:
        assert self.group is not None
        slots = int(self.spec.get("slotsPerMachine", 1))
        waiting = [w for w in self.workspaces if self._waits(w)]
        claimed = sum(len(_holders(m)) for m in self.machines)
        spare = sum(_free(m) for m in self.machines if self._shares(m))
        members = [m for m in self.machines if self._is_idle(m)]
        idle = spare + sum(m["spec"]["slots"] for m in members)
        live = self.world.aws.live(self.group.name)
        room = max(0, int(self.spec["maxMachines"]) - (len(live) - len(members)))
        buffer = self.spec.get("buffer", {})
        target = max(int(buffer.get("idle", 2)), -(-claimed * int(buffer.get("percent") or 0) // 100))
        want = min(-(-max(0, target + len(waiting) - spare) // slots), room)
        if waiting and idle:
            yield f"law 5: {[w['metadata']['name'] for w in waiting]} wait while {idle} slots of {self.name} are idle"
        if waiting and want and len(members) < want:
            yield f"{[w['metadata']['name'] for w in waiting]} wait, and pool {self.name} has room for {want} machines"
        if len(members) != want:
            yield f"law 4: pool {self.name} has {len(members)} idle members, {want} are wanted (target {target})"
        if len(live) > int(self.spec["maxMachines"]) and members:
            yield f"law 3: pool {self.name} has {len(live)} live machines"
        if self.group.desired != want:
            yield f"pool {self.name}: desired capacity is {self.group.desired}, {want} is wanted"
        told = self.pool.get("status", {})
        says = {"idle": idle, "claimed": claimed, "waiting": len(waiting)}
        wrong = {key: told.get(key, 0) for key, value in says.items() if told.get(key, 0) != value}
        if wrong:
            yield f"pool {self.name} says {wrong}, true is {says}"

    def _is_idle(self, machine: Json) -> bool:
        instance = _instance(self.world, machine)
        if instance is None or _holders(machine) or machine["spec"].get("reap"):
            return False
        member = instance.member
        is_member = member is not None and member.lifecycle is Lifecycle.IN_SERVICE and member.protected
        return is_member and instance.state is State.RUNNING and machine.get("status", {}).get("phase") == "Idle"

    def _shares(self, machine: Json) -> bool:
        instance = _instance(self.world, machine)
        is_up = instance is not None and instance.state is State.RUNNING
        return is_up and bool(_holders(machine)) and machine["spec"].get("stop") is None

    def _waits(self, workspace: Json) -> bool:
        has_none = not workspace.get("status", {}).get("machine")
        return has_none and wants_machine(workspace) and self._is_eligible(workspace) and self._has_quota(workspace)

    def _has_quota(self, workspace: Json) -> bool:
        """Tell whether one more workspace of its owner may run."""
        most = (self.spec.get("quota") or {}).get("maxRunningPerOwner")
        mine = [w for w in self.workspaces if w["spec"]["owner"] == workspace["spec"]["owner"]]
        return most is None or sum(bool(w.get("status", {}).get("machine")) for w in mine) < most

    def _is_eligible(self, workspace: Json) -> bool:
        wanted = workspace["spec"].get("priorityClassName")
        return wanted is None or self.world.server.get("priorityclasses", wanted) is not None


def _workspaces(world: SimWorld) -> Iterator[str]:
    machines = {m["metadata"]["name"]: m for m in world.server.objects("machines")}
    living = set()
    for workspace in world.server.objects("workspaces"):
        meta, status = workspace["metadata"], workspace.get("status", {})
        living.add(meta["uid"])
        name = status.get("machine")
        if name is not None and meta["uid"] not in _holders(machines.get(name)):
            yield f"{meta['name']} is told to be on {name}, which does not know it"
        pool = world.server.get("machinepools", workspace["spec"]["pool"])
        is_serving = pool is None or _owns_its_group(world, pool)
        if is_serving and status.get("observedGeneration") != meta["generation"] and not _is_paused(pool):
            yield f"{meta['name']} was told nothing about its generation {meta['generation']}"
    for name, machine in machines.items():
        for uid in _holders(machine):
            if uid not in living:
                yield f"{name} is held by {uid[-4:]}, which does not exist"
            elif not any(
                w["metadata"]["uid"] == uid and w.get("status", {}).get("machine") == name
                for w in world.server.objects("workspaces")
            ) and not _is_paused(world.server.get("machinepools", machine["spec"]["pool"])):
                yield f"{name} is held by {uid[-4:]}, which was told something else"


def _records(world: SimWorld) -> Iterator[str]:
    for machine in world.server.objects("machines"):
        pool = world.server.get("machinepools", machine["spec"]["pool"])
        instance = _instance(world, machine)
        if pool is None or _is_paused(pool) or not _owns_its_group(world, pool):
            continue
        name, phase = machine["metadata"]["name"], machine.get("status", {}).get("phase")
        if instance is None or not is_live(instance):
            yield f"{name} is recorded as {phase}, and gone"
        elif machine["spec"].get("reap"):
            yield f"{name} is reaped, and alive"
        elif phase == "Quarantined":
            yield f"{name} is quarantined"


def _secured(world: SimWorld, machine: Json) -> Iterator[str]:
    name, instance = machine["metadata"]["name"], _instance(world, machine)
    if instance is None or not is_live(instance):
        yield f"{name} is claimed, and gone"
        return
    if instance.member is not None:
        yield f"{name} is claimed, and still in its group"
    for claim in machine["spec"]["claims"]:
        if claim_tag(name, claim["slot"]) not in instance.tags:
            yield f"{name} is claimed, and not tagged"


def _owns_its_group(world: SimWorld, pool: Json) -> bool:
    group = pool["spec"]["aws"]["autoScalingGroupName"]
    rivals = [p for p in world.server.objects("machinepools") if p["spec"]["aws"]["autoScalingGroupName"] == group]
    oldest = min(rivals, key=lambda p: (p["metadata"]["creationTimestamp"], p["metadata"]["name"]))
    return bool(oldest["metadata"]["name"] == pool["metadata"]["name"])


def _is_paused(pool: Json | None) -> bool:
    return pool is not None and bool(pool["spec"].get("paused"))


def _holders(machine: Json | None) -> list[str]:
    return [c["workspace"]["uid"] for c in machine["spec"].get("claims", ())] if machine is not None else []


def _free(machine: Json) -> int:
    spec = machine["spec"]
    return int(spec["slots"]) - len(_holders(machine)) - len(spec.get("owed", ()))


def _instance(world: SimWorld, machine: Json) -> Instance | None:
    return world.aws.world.fleet.instances.get(machine["metadata"]["name"])
