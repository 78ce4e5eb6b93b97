"""No file is lost, and nobody at work is disturbed: judged from the disks, the backups, and what was written when."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from fakes.apiserver.storage import Json
from hotdesk.api.wire import parse_duration
from hotdesk.core.encoding import workspace_folder
from hotdesk_local.aws.model import Instance, State
from simworld.network import Call
from simworld.timeline import START
from simworld.world import NAMESPACE, SimWorld

_TOGETHER = 0.1  # seconds between a fresh read and the write that follows it, in fine weather
_NEVER = "Never"


@dataclass
class _Stay:
    """One workspace's time on one machine; seconds since the world began."""

    slot: int
    left_at: float | None = None  # when it was deleted, or lost its claim


@dataclass
class _Machine:
    """What was decided about one machine, as its record said it from moment to moment."""

    stays: dict[str, _Stay] = field(default_factory=dict)  # by UID
    closed_at: float | None = None  # when it was last decided that it rests
    may_stop_until: float = float("-inf")  # when a decision that allowed to stop it was last in force
    was_stopped: bool = False  # since the decision to stop it became final
    spec: Json = field(default_factory=dict)


@dataclass
class _Work:
    """One workspace's file: where it lies, and what must be in it."""

    path: str
    text: str


class KeepLaw:
    """Follows every file from disk to backup to disk."""

    def __init__(self, world: SimWorld, breach: Callable[[int | str, str], None]) -> None:
        self._world = world
        self._breach = breach
        self._machines: dict[str, _Machine] = defaultdict(_Machine)
        self._workspaces: dict[str, Json] = {}
        self._pools: dict[str, Json] = {}
        self._work: dict[str, _Work] = {}  # by UID
        self._beats: dict[str, list[float]] = defaultdict(list)  # by UID
        self._number = 0

    # -- what people do -----------------------------------------------------------------------------------------------

    def people_work(self, name: str) -> bool:
        """Let the user of a workspace change a file, if it is open; tell whether it was."""
        stored = self._world.server.get("workspaces", name, namespace=NAMESPACE)
        if stored is None or not is_open(stored) or not self._runs(stored["status"]["machine"]):
            return False
        uid, machine = stored["metadata"]["uid"], stored["status"]["machine"]
        known = self._work.get(uid)
        self._number += 1
        is_shared = self._machines[machine].spec.get("slots", 1) > 1
        path = known.path if known is not None and not is_shared else self._own_path(uid)
        self._work[uid] = _Work(path, f"text {self._number}")
        self._world.files.write(machine, path, self._work[uid].text)
        return True

    def take_over(self, other: "KeepLaw") -> None:
        """Take in what was done in a world that was taken over."""
        self._machines.update(deepcopy(other._machines))
        self._beats.update(deepcopy(other._beats))
        self._work = dict(other._work)
        self._number = other._number

    # -- what is written ----------------------------------------------------------------------------------------------

    def pool(self, stored: Json, *, is_gone: bool) -> None:
        if not is_gone:
            self._pools[stored["metadata"]["name"]] = stored

    def workspace(self, stored: Json, *, is_gone: bool) -> None:
        uid, status = stored["metadata"]["uid"], stored.get("status", {})
        before = self._workspaces.get(uid)
        if is_gone:
            self._workspaces.pop(uid, None)
            self._work.pop(uid, None)
            for machine in self._machines.values():
                self._leaves(machine, uid)
            return
        self._workspaces[uid] = stored
        told = status.get("lastActivityTime")
        if self._is_by_people() and before is not None and told != before.get("status", {}).get("lastActivityTime"):
            self._beats[uid].append(self._now)
        if status.get("machine"):
            self._machines[status["machine"]].stays.setdefault(uid, _Stay(status.get("slot", 0)))
        self._begins_with(uid, stored)
        if is_open(stored) and not (before is not None and is_open(before)):
            self._judge_files(uid, stored)

    def machine(self, stored: Json, *, is_gone: bool) -> None:
        name, spec = stored["metadata"]["name"], stored["spec"]
        if is_gone:
            return
        known = self._machines[name]
        if may_be_stopped(known.spec):
            known.may_stop_until = self._now
        before, stop = known.spec.get("stop"), spec.get("stop")
        if stop is None and before is not None and before.get("final") and not (known.was_stopped or spec.get("reap")):
            self._breach(2, f"{name} is woken, and was not seen stopped since it was past turning back")
        if stop is not None and stop.get("final") and not (before or {}).get("final"):
            known.was_stopped = self._is_stopped(name)
        if stop is None and not self._is_stopped(name):
            known.closed_at = None
        elif stop is not None and before is None and known.closed_at is None:
            known.closed_at = self._now
        if stop is not None and not self._is_by_people():
            self._judge_decision(name, spec, before)
        holders = {claim["workspace"]["uid"] for claim in spec.get("claims", ())}
        for uid in known.stays:
            status = self._workspaces.get(uid, {}).get("status", {})
            if uid not in holders and not (status.get("machine") == name and not known.spec):
                self._leaves(known, uid)
        known.spec = spec

    def at_rest(self) -> list[str]:
        """Return whose files are not as they were left, now that everything is at rest."""
        wrong = []
        for uid, work in self._work.items():
            stored = self._workspaces.get(uid)
            if stored is None:
                continue
            status = stored.get("status", {})
            found = self._found(uid, stored)
            if found != work.text:
                wrong.append(f"{stored['metadata']['name']} ({status.get('phase')}): {found!r}, not {work.text!r}")
        return wrong

    # -- what happens to machines -------------------------------------------------------------------------------------

    def stopping(self, instance: Instance, call: Call | None) -> None:
        """Judge a stop by one of our calls: the decision was in force when it was sent, if not when it arrived."""
        known = self._machines[instance.id]
        left_at = call.left_at if call is not None else self._now
        if not may_be_stopped(known.spec) and known.may_stop_until < left_at:
            self._breach(2, f"{instance.id} was stopped without a decision that it rests: {known.spec}")
        if instance.member is not None:
            self._breach(2, f"{instance.id} was stopped while it is a member: its group ends it")

    def stopped(self, instance: Instance) -> None:
        """Take in that a machine is stopped."""
        self._machines[instance.id].was_stopped = True

    def started(self, instance: Instance) -> None:
        """Take in that a machine is started: one that was woken is open again."""
        known = self._machines[instance.id]
        if known.spec.get("stop") is None:
            known.closed_at = None

    def ending(self, instance: Instance, *, is_ours: bool) -> None:
        """Judge a termination: whose files were on it, and are they kept?"""
        known = self._machines[instance.id]
        for uid, stay in known.stays.items():
            if is_ours and self._must_be_saved(known, stay):
                self._judge_backup(instance, known, uid, stay)
            self._falls_back(uid, instance.id)

    # -- judging ------------------------------------------------------------------------------------------------------

    def _judge_backup(self, instance: Instance, known: _Machine, uid: str, stay: _Stay) -> None:
        moments = [at for at in (stay.left_at, known.closed_at) if at is not None]
        if not moments:
            self._breach(7, f"{instance.id} was ended while {uid[-4:]} was still served on it")
            return
        closed, launched = min(moments), int(instance.launched)
        for saved in self._world.files.backups_of(uid):
            job = saved.job
            is_its_own = job.instance == instance.id and job.slot == stay.slot
            is_of_now = stay.left_at is not None or int(job.launched_at.timestamp()) == launched
            began = (saved.kept.began_at - START).total_seconds()
            if is_its_own and is_of_now and began >= closed:
                return
        self._breach(
            7, f"{instance.id} was ended, and slot {stay.slot} of {uid[-4:]}, closed at {closed}, is not saved"
        )

    def _judge_decision(self, name: str, spec: Json, before: Json | None) -> None:
        """Judge that a machine is to rest, and the point of no return: nobody on it may be known to be at work."""
        stop = spec["stop"]
        if stop["reason"] != "Idle" or not self._world.has_been_calm(_TOGETHER):
            return
        is_decided = before is None
        is_finished = before is not None and bool(stop.get("final")) and not before.get("final")
        for claim in spec.get("claims", ()):
            uid = claim["workspace"]["uid"]
            stored = self._workspaces.get(uid)
            beats = [at for at in self._beats[uid] if at <= self._now - _TOGETHER]
            if stored is None or not beats or stored["spec"].get("runStrategy") == "Halted":
                continue
            idle = self._idle_timeout(stored)
            if is_decided and (idle is None or self._now - beats[-1] < idle - self._world.largest_skew):
                self._breach(2, f"{name} is to rest, and {stored['metadata']['name']} was active at {beats[-1]:.3f}")
            closed_at = self._machines[name].closed_at
            if is_finished and closed_at is not None and beats[-1] > closed_at + self._world.largest_skew:
                self._breach(2, f"{name} is past turning back, and {stored['metadata']['name']} had come back")

    def _judge_files(self, uid: str, stored: Json) -> None:
        work = self._work.get(uid)
        if work is None:
            return
        found = self._found(uid, stored)
        if found != work.text:
            name, machine = stored["metadata"]["name"], stored["status"]["machine"]
            self._breach("of files", f"{name} is handed {machine} with {found!r} in {work.path}, not {work.text!r}")

    def _found(self, uid: str, stored: Json) -> str | None:
        """Return what is in a workspace's file: on its machine's disk, or in its latest backup."""
        status = stored.get("status", {})
        if status.get("machine") and status.get("phase") != "Restoring":
            return self._text_in(self._world.files.disk(status["machine"]), uid)
        told = status.get("backup")
        kept = self._world.files.store.saved.get(told["id"]) if told else None
        return self._text_in(kept.files, uid) if kept is not None else None

    def _own_path(self, uid: str) -> str:
        """Return where a workspace's file is on a machine that it shares; elsewhere it may be where another's was."""
        meta, owner = self._workspaces[uid]["metadata"], self._workspaces[uid]["spec"]["owner"]
        folder = workspace_folder(owner, namespace=meta["namespace"], name=meta["name"])
        return f"/home/{folder}/file.txt"

    def _text_in(self, files: Mapping[str, str], uid: str) -> str | None:
        own = files.get(self._own_path(uid)) if uid in self._workspaces else None
        return own if own is not None else files.get(self._work[uid].path)

    # -- what follows -------------------------------------------------------------------------------------------------

    def _leaves(self, machine: _Machine, uid: str) -> None:
        stay = machine.stays.get(uid)
        if stay is not None and stay.left_at is None:
            status = self._workspaces.get(uid, {}).get("status", {})
            if status.get("phase") != "Archiving":  # its files were judged by the stop
                stay.left_at = self._now

    def _falls_back(self, uid: str, machine: str) -> None:
        """Let a workspace whose disk is gone have what its latest backup holds, or nothing to be asked for."""
        work, stored = self._work.get(uid), self._workspaces.get(uid)
        if work is None or stored is None or stored.get("status", {}).get("machine") != machine:
            return
        told = stored["status"].get("backup")
        kept = self._world.files.store.saved.get(told["id"]) if told else None
        text = self._text_in(kept.files, uid) if kept is not None else None
        if text is None:
            del self._work[uid]
        elif not self._was_saved(machine, uid, text=work.text):
            self._work[uid] = _Work(work.path, text)

    def _was_saved(self, machine: str, uid: str, *, text: str) -> bool:
        mine = (s for s in self._world.files.backups_of(uid) if s.job.instance == machine)
        return any(self._text_in(saved.files, uid) == text for saved in mine)

    def _begins_with(self, uid: str, stored: Json) -> None:
        """Take in which files a workspace begins with that was created from another's backup."""
        told = stored.get("status", {}).get("backup")
        if uid in self._work or told is None or not stored["spec"].get("restoreFrom"):
            return
        kept = self._world.files.store.saved.get(told["id"])
        for path, text in kept.files.items() if kept is not None and kept.kept.uid != uid else ():
            self._work[uid] = _Work(path, text)

    def _must_be_saved(self, known: _Machine, stay: _Stay) -> bool:
        pool = self._pools.get(str(known.spec.get("pool")), {"spec": {}})
        backup = pool["spec"].get("backup") or {"method": "None"}
        is_discarded = stay.left_at is not None and backup.get("onDelete") == "Discard"
        return backup["method"] != "None" and not is_discarded

    def _idle_timeout(self, workspace: Json) -> float | None:
        lifecycle = self._pools[workspace["spec"]["pool"]]["spec"].get("lifecycle") or {"idleTimeout": _NEVER}
        told = workspace["spec"].get("idleTimeout") or lifecycle.get("idleTimeout", "1h")
        if told == _NEVER or workspace["spec"].get("runStrategy") == "Always":
            return None
        return parse_duration(told).total_seconds()

    def _runs(self, machine: str) -> bool:
        instance = self._world.aws.world.fleet.instances.get(machine)
        return instance is not None and instance.state is State.RUNNING

    def _is_stopped(self, machine: str) -> bool:
        instance = self._world.aws.world.fleet.instances.get(machine)
        return instance is not None and instance.state is State.STOPPED

    def _is_by_people(self) -> bool:
        return self._world.server.writer == "people"

    @property
    def _now(self) -> float:
        return self._world.timeline.now


def is_open(workspace: Json) -> bool:
    """Tell whether a workspace's user has been told that it may be used."""
    return bool(workspace.get("status", {}).get("phase") == "Running")


def may_be_stopped(spec: Json) -> bool:
    """Tell whether a machine's record allows to stop it: its rest is past turning back, or nobody has it any more."""
    is_final = bool((spec.get("stop") or {}).get("final"))
    return is_final or (spec.get("reap") is not None and not spec.get("claims"))


def wants_machine(workspace: Json) -> bool:
    """Tell whether a workspace is to have a machine: it was never put to rest, or its user has come back."""
    strategy, status = workspace["spec"].get("runStrategy", "OnDemand"), workspace.get("status", {})
    if strategy != "OnDemand" or not status.get("stoppedAt"):
        return bool(strategy != "Halted")
    woken = (workspace["metadata"].get("annotations") or {}).get("hotdesk.dev/wake-requested-at")
    signs = [sign for sign in (status.get("lastActivityTime"), woken) if sign]
    heard_until = datetime.fromisoformat(status.get("idleSince") or status["stoppedAt"])
    return any(datetime.fromisoformat(sign) > heard_until for sign in signs)
