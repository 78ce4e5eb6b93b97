"""Files on simulated time: what is on each machine's disk, and a vault in memory to which calls travel as to AWS."""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.vault import FakeVault, Saved
from hotdesk.api.v1alpha1 import Backup
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.ports import HotdeskError, Throttled, Unanswered
from simworld.aws import SimAws
from simworld.network import Call, Fate, Network
from simworld.process import Process
from simworld.timeline import Timeline
from simworld.trace import Trace

_SILENCE = 10.0  # seconds until a caller gives up
_TAKES = timedelta(seconds=6)  # a backup, or a restore


class Files:
    """Every disk, every backup, and the way to them."""

    def __init__(self, aws: SimAws, timeline: Timeline, trace: Trace) -> None:
        self.network = Network(timeline, patience=_SILENCE)
        self.network.on_fate = lambda process, call, fate: trace.add(process.name, f"{call}: {fate.name}")
        self.store = FakeVault(_View(aws), takes=_TAKES)  # type: ignore[arg-type]  # as much of a world as it uses
        self._aws = aws
        self._trace = trace

    def take_over(self, other: "Files") -> None:
        """Become a copy of what other disks and backups are now."""
        numbers = other.store._numbers
        known = {id(other.store.world): self.store.world, id(numbers): numbers}
        self.store = deepcopy(other.store, known)

    def disk(self, machine: str) -> Mapping[str, str]:
        """Return the files on a machine's disk; none once it is gone."""
        found = self.store.world.instance(machine)
        is_there = found is not None and found.state.is_live
        return self.store.disks.get(machine, {}) if is_there else {}

    def write(self, machine: str, path: str, text: str) -> None:
        """Write a file, as somebody at the machine does."""
        self._trace.add("people", f"write {text} to {path} on {machine}")
        self.store.disks[machine][path] = text

    def backups_of(self, uid: str) -> list[Saved]:
        """Return the verified backups of a workspace, the oldest first."""
        return sorted((s for s in self.store.saved.values() if s.kept.uid == uid), key=lambda s: s.kept.completed_at)

    def vault(self, process: Process, *, gate: Callable[[], None]) -> "SimVault":
        """Return the Vault of one process."""
        return SimVault(self, process, gate=gate)

    def carry(self, process: Process, call: Call, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Send a call; awaiting what is returned gives its answer."""
        answered = process.loop.create_future()

        def perform(fate: Fate) -> Callable[[], None]:
            if fate is Fate.LOST:
                return lambda: answered.set_exception(Unanswered(f"vault:{call} was not answered"))
            if fate is Fate.REFUSED:
                return lambda: answered.set_exception(Throttled("vault is like this today"))
            try:
                result = _driven(work())
            except HotdeskError as error:
                self._trace.add(process.name, f"{call} -> {error!r}")
                return lambda error=error: answered.set_exception(error)
            self._trace.add(process.name, f"{call} -> {_brief(result)}")
            if fate is Fate.BROKEN:
                return lambda: answered.set_exception(Unanswered(f"vault:{call} ended in an internal error"))
            return lambda: answered.set_result(result)

        self.network.carry(process, call, perform, lambda outcome: answered.done() or outcome())
        return answered


class SimVault:
    """The Vault port of one process."""

    def __init__(self, files: Files, process: Process, *, gate: Callable[[], None]) -> None:
        self._files = files
        self._process = process
        self._gate = gate

    async def back_up(self, job: BackupJob) -> BackupProgress:
        return await self._call("back_up", _about(job), lambda: self._files.store.back_up(job))

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        return await self._call("restore", _about(job), lambda: self._files.store.restore(job))

    async def find(self, *, pool: str, backup: Backup, namespace: str, uid: str) -> Sequence[Kept]:
        work = lambda: self._files.store.find(pool=pool, backup=backup, namespace=namespace, uid=uid)  # noqa: E731
        return await self._call("find", uid, work, is_write=False)

    async def find_by_id(self, *, backup: Backup, id: str) -> Kept | None:  # noqa: A002  # the port's word
        work = lambda: self._files.store.find_by_id(backup=backup, id=id)  # noqa: E731
        return await self._call("find_by_id", id, work, is_write=False)

    async def prune(self, *, pool: str, backup: Backup, namespace: str, uid: str, keep: Collection[str]) -> None:
        def work() -> Coroutine[Any, Any, None]:
            return self._files.store.prune(pool=pool, backup=backup, namespace=namespace, uid=uid, keep=keep)

        await self._call("prune", uid, work)

    async def _call(
        self, verb: str, about: str, work: Callable[[], Coroutine[Any, Any, Any]], *, is_write: bool = True
    ) -> Any:
        if is_write:
            self._gate()
        call = Call(service="vault", verb=verb, about=about, is_write=is_write)
        return await self._files.carry(self._process, call, work)


class _View:
    """What the vault in memory asks of its world: the time, and the machines."""

    def __init__(self, aws: SimAws) -> None:
        self._aws = aws
        self.clock = self

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._aws.now, UTC)

    def catch_up(self) -> None:
        self._aws.turn()

    def instance(self, name: str) -> Instance | None:
        found = self._aws.world.fleet.instances.get(name)
        if found is None:
            return None
        return Instance(
            id=name,
            state=InstanceState(found.state.value),
            zone=found.subnet.zone,
            launched_at=datetime.fromtimestamp(int(found.launched), UTC),
            spot=found.spec.spot,
        )

    def __deepcopy__(self, _memo: object) -> "_View":
        return self


def _driven(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what awaits nothing but its turn."""
    try:
        while True:
            work.send(None)
    except StopIteration as done:
        return done.value


def _about(job: BackupJob | RestoreJob) -> str:
    return f"{job.instance} {job.slot} {job.workspace.name}"


def _brief(result: Any) -> str:
    if isinstance(result, BackupProgress | RestoreProgress):
        kept = getattr(result, "kept", None)
        return " ".join(filter(None, (result.stage.name, result.message, kept.id if kept is not None else "")))
    return "ok"
