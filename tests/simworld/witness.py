"""The laws, judged from what the API server stored and what AWS did, at every step; never from an operator's memory."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from fakes.apiserver.kinds import Kind
from fakes.apiserver.storage import Json
from hotdesk_local.aws.history import Change
from hotdesk_local.aws.model import COUNTED, Instance
from simworld.accounts import UsageLaw
from simworld.apiserver import KINDS
from simworld.aws import is_live
from simworld.ceiling import Ceiling
from simworld.fencing import FenceLaw
from simworld.keeping import KeepLaw
from simworld.network import Call, Fate
from simworld.queueing import QueueLaw
from simworld.quotas import QuotaLaw
from simworld.world import SimWorld

_ENDS = ("shutting-down", "stopping")
_PAUSE_GRACE = 20.0  # seconds after which a paused pool's operator must have heard of it
Seat = tuple[str, int]


class Witness:
    """Hears of every write and every change from the first on; `broken` says which law was broken, and how."""

    def __init__(self, world: SimWorld) -> None:
        self.broken: list[str] = []
        self.world = world
        self.unprotected: set[str] = set()  # by people
        self.spoiled: set[str] = set()  # groups whose new machines people left unprotected
        self._pools: dict[str, Json] = {}
        self._paused_at: dict[str, float] = {}
        self._workspaces: dict[str, Json] = {}  # by UID, living ones
        self._seats: dict[str, Seat] = {}  # UID -> where it is published
        self._machines: dict[str, Json] = {}  # every record's latest form, deleted ones too
        self._reaped: dict[str, str] = {}  # name -> reason
        self._claimed: set[str] = set()  # machines that ever held a claim
        self._users: dict[str, set[str]] = defaultdict(set)  # machine -> UIDs ever published there
        self.ceiling = Ceiling(world, self._breach)
        self.queue = QueueLaw(world, self._breach)
        self.keep = KeepLaw(world, self._breach)
        self.fence = FenceLaw(world, self._breach)
        self.usage = UsageLaw(world, self._breach)
        self.quota = QuotaLaw(self._breach)
        world.server.storage.subscribe(self._written)
        world.aws.world.fleet.history.listeners.append(self._changed)
        world.line.on_call = self._called

    def catch_up(self, other: "Witness") -> None:
        """Take in what there is in a world that was taken over, and what people have done there."""
        self.keep.take_over(other.keep)
        storage = self.world.server.storage
        for plural in ("priorityclasses", "machinepools", "machines", "workspaces"):
            for stored in storage.objects(KINDS[plural]):
                self._written(KINDS[plural], "ADDED", stored)

    def check(self) -> None:
        """Fail if anything was broken so far, with the story of it."""
        self.broken += [f"an operator failed inside: {fault}" for fault in self.world.faults]
        self.world.faults.clear()
        assert not self.broken, "\n".join([*self.broken, "", self.world.trace.told(last=150)])

    def _breach(self, law: int | str, what: str) -> None:
        said = f"law {law} is broken at {self.world.timeline.now:.3f} s: {what}"
        self.world.trace.add("LAW", said)
        self.broken.append(said)

    # -- Kubernetes ---------------------------------------------------------------------------------------------------

    def _written(self, kind: Kind, event_type: str, stored: Json) -> None:
        is_gone = event_type == "DELETED"
        match kind.plural:
            case "workspaces":
                self._workspace(stored, is_gone=is_gone)
                self.queue.workspace(stored, is_gone=is_gone)
                self.keep.workspace(stored, is_gone=is_gone)
            case "machines":
                self._machine(stored, is_gone=is_gone)
                self.queue.machine(stored, is_gone=is_gone)
                self.keep.machine(stored, is_gone=is_gone)
                self.usage.machine(stored, is_gone=is_gone)
            case "machinepools":
                self._pool(stored, is_gone=is_gone)
                self.ceiling.pool(stored, is_gone=is_gone)
                self.queue.pool(stored, is_gone=is_gone)
                self.keep.pool(stored, is_gone=is_gone)
            case "priorityclasses":
                self.queue.priority(stored, is_gone=is_gone)

    def _pool(self, stored: Json, *, is_gone: bool) -> None:
        name = stored["metadata"]["name"]
        if is_gone:
            self._pools.pop(name, None)
            self._paused_at.pop(name, None)
            return
        self._pools[name] = stored
        if not stored["spec"].get("paused"):
            self._paused_at.pop(name, None)
        else:
            self._paused_at.setdefault(name, self.world.timeline.now)

    def _workspace(self, stored: Json, *, is_gone: bool) -> None:
        uid, status = stored["metadata"]["uid"], stored.get("status", {})
        before = self._seats.pop(uid, None)
        if is_gone:
            self._workspaces.pop(uid, None)
            return
        self._workspaces[uid] = stored
        seat = (status["machine"], status.get("slot", 0)) if status.get("machine") else None
        who = f"{stored['metadata']['name']} ({uid[-4:]})"
        if seat is not None:
            self._seats[uid] = seat
        if before is not None and before != seat and self._lives(before[0]):
            self._breach(1 if seat else 2, f"{who} was taken off {before}, which lives, and is now at {seat}")
        if seat is not None and seat != before:
            self._published(uid, who, *seat)
            others = (other for other_uid, other in self._workspaces.items() if other_uid != uid)
            self.quota.published(stored, others=others, pool=self._pools.get(stored["spec"]["pool"]))

    def _published(self, uid: str, who: str, name: str, slot: int) -> None:
        sharers = [other for other, taken in self._seats.items() if taken == (name, slot) and other != uid]
        if sharers:
            self._breach(1, f"{who} is published on slot {slot} of {name} beside {sharers}")
        record = self._machines.get(name)
        holds = record is not None and {"slot": slot, "uid": uid} in _claims(record)
        if not holds and self._lives(name):
            self._breach(1, f"{who} is published on slot {slot} of {name}, whose record does not say so: {record}")
        if self._users[name] - {uid} and record is not None and record["spec"].get("slots", 1) == 1:
            self._breach(2, f"{who} was given {name}, which {self._users[name]} had used")
        self._users[name].add(uid)

    def _machine(self, stored: Json, *, is_gone: bool) -> None:
        name, spec = stored["metadata"]["name"], stored["spec"]
        before = self._machines.get(name)
        self._machines[name] = stored
        is_ours = self.world.server.writer != "people"
        if is_gone:
            if is_ours and self._lives(name):
                self._breach(2, f"the record of {name} was deleted, and the machine lives")
            return
        had = {c["uid"] for c in _claims(before)} if before is not None else set()
        has = {c["uid"] for c in _claims(stored)}
        if has:
            self._claimed.add(name)
        reap = spec.get("reap")
        if is_ours and had and not has and reap is None and name not in self._reaped:
            self._breach(2, f"{name} lost its last claim and was not reaped: it could be handed out again")
        if is_ours:
            for uid in had - has:
                self._released(name, uid)
        if reap is not None and name not in self._reaped:
            self._reaped[name] = reap["reason"]
            users = self._users_of(name)
            if users and self._lives(name):
                self._breach(2, f"{name} is reaped ({reap['reason']}) while {users} live on it")
        self._right_pool(name, spec["pool"], is_new=before is None)

    def _released(self, name: str, uid: str) -> None:
        if uid in self._users_of(name) and self._lives(name):
            self._breach(2, f"the claim of {uid}, which lives on {name}, was dropped")

    def _users_of(self, name: str) -> list[str]:
        """Return who lives on a machine; those whose files are kept elsewhere, and who were told so, do no more."""
        living = (uid for uid, seat in self._seats.items() if seat[0] == name)
        return [uid for uid in living if self._workspaces[uid].get("status", {}).get("phase") != "Archiving"]

    def _right_pool(self, name: str, pool: str, *, is_new: bool) -> None:
        instance = self._instance(name)
        if not is_new or instance is None:
            return
        sharing = [p for p in self._pools.values() if _group_of(p) == instance.origin]
        owner = min(sharing, key=lambda p: (p["metadata"]["creationTimestamp"], p["metadata"]["name"]), default=None)
        if owner is not None and owner["metadata"]["name"] != pool and self._is_settled(owner, pool):
            self._breach(1, f"{name} of group {instance.origin} was recorded for pool {pool}, not for its owner")

    def _is_settled(self, owner: Json, pool: str) -> bool:
        """Tell whether the owner has been there long enough for everybody to know."""
        other = self._pools.get(pool)
        return other is not None and other["metadata"]["creationTimestamp"] > owner["metadata"]["creationTimestamp"]

    # -- AWS ----------------------------------------------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        instance = self._instance(change.instance)
        if instance is None:
            return
        if change.what == "state":
            self.usage.changed(instance, change.old, change.new)
        if change.what == "state" and change.old is None:
            self.ceiling.launched(instance)
        if change.what == "state" and change.new == "stopped":
            self.keep.stopped(instance)
        if change.what == "state" and change.old == "stopped" and change.new == "pending":
            self.keep.started(instance)
        if change.what == "state" and change.new in _ENDS:
            self._ending(instance, change)
        self.ceiling.changed()

    def _ending(self, instance: Instance, change: Change) -> None:
        name, caller = instance.id, self.world.line.caller
        if change.new == "stopping":
            if caller:
                self.keep.stopping(instance, self.world.line.call)
            return
        self.keep.ending(instance, is_ours=bool(caller))
        users = self._users_of(name)
        holders = _claims(self._machines[name]) if name in self._machines else []
        if caller:
            if name not in self._reaped:
                self._breach(2, f"{caller} ended {name} without a decision to reap it")
            if users:
                self._breach(2, f"{caller} ended {name} under {users}")
        elif change.cause == "scale-in" and (users or holders) and not self._is_exposed(instance):
            self._breach(2, f"the group ended {name} by scale-in under {users or holders}")

    def _is_exposed(self, instance: Instance) -> bool:
        """Tell whether people took the protection off, or kept AWS from giving it."""
        return instance.id in self.unprotected or instance.origin in self.spoiled

    def _called(self, who: str, call: Call, params: Mapping[str, Any], fate: Fate) -> None:
        if params.get("ShouldDecrementDesiredCapacity"):
            self._breach(3, f"{who} lets AWS count down by itself: {call}")
        if call.verb == "UpdateAutoScalingGroup" and {"MaxSize", "DesiredCapacity"} <= params.keys():
            self._breach(3, f"{who} sets MaxSize and desired capacity at once: {call}")
        if call.verb == "SetInstanceProtection" and params["ProtectedFromScaleIn"]:
            self.unprotected -= set(params["InstanceIds"])
        if call.verb == "SetInstanceProtection" and not params["ProtectedFromScaleIn"]:
            self._breach(2, f"{who} takes protection off: {call}")
        if call.verb == "DetachInstances":
            unclaimed = [name for name in params["InstanceIds"] if name not in self._claimed]
            if unclaimed:
                self._breach(2, f"{who} detaches {unclaimed}, which nobody has claimed")
        self._while_paused(who, call, params, fate)
        self.ceiling.called(call, params, fate)

    def _while_paused(self, who: str, call: Call, params: Mapping[str, Any], fate: Fate) -> None:
        group = params.get("AutoScalingGroupName")
        for name, since in self._paused_at.items():
            is_its = group is not None and _group_of(self._pools[name]) == group
            is_late = fate in (Fate.WELL, Fate.BROKEN) and self.world.timeline.now - since > _PAUSE_GRACE
            if is_its and is_late and self.world.is_hearing(who):
                self._breach("of pausing", f"{who} changes the group of pool {name}, which is paused: {call}")

    def _instance(self, name: str) -> Instance | None:
        return self.world.aws.world.fleet.instances.get(name)

    def _lives(self, name: str) -> bool:
        instance = self._instance(name)
        return instance is not None and is_live(instance)


def _claims(stored: Json) -> list[Json]:
    return [{"slot": c["slot"], "uid": c["workspace"]["uid"]} for c in stored["spec"].get("claims", ())]


def _group_of(pool: Json) -> str:
    return str(pool["spec"]["aws"]["autoScalingGroupName"])


Breach = Callable[[int | str, str], None]
assert COUNTED
