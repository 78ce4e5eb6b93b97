"""An in-memory Vault on the fake fleet's world: files are kept over the end of their machine, or jobs go wrong."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, TypeVar

from fakes.awsworld import World
from fakes.fleet import Call, Held, Hold
from hotdesk.adapters.aws.vault.folders import Place, folders_of, places_of
from hotdesk.api.v1alpha1 import Backup
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress, Stage
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.ports import HotdeskError, Vault

T = TypeVar("T")
Files = dict[str, str]  # contents by absolute path
_Key = tuple[Any, ...]
_NOW: Final = timedelta()
_GONE: Final = (InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED)


@dataclass(frozen=True)
class Saved:
    """What a backup holds, and of which start of which machine."""

    kept: Kept
    job: BackupJob
    files: Mapping[str, str]


@dataclass
class _Begun:
    """A job under way, or a restore that is done."""

    began_at: datetime
    files: Files
    is_done: bool = False


class FakeVault:
    """The Vault port. `disks` are the machines' files; `saved` is every verified backup; `calls` records every call.

    The first call of a job begins it, and after `takes` of the world's clock the next one finds it done.
    """

    def __init__(self, world: World, *, takes: timedelta = _NOW) -> None:
        self.world = world
        self.takes = takes  # how long a job takes; a change holds for jobs under way too
        self.disks: dict[str, Files] = defaultdict(dict)
        self.saved: dict[str, Saved] = {}
        self.restored: list[RestoreJob] = []  # each once, when its files came
        self.calls: list[Call] = []
        self._backups: dict[_Key, _Begun] = {}
        self._restores: dict[_Key, _Begun] = {}
        self._numbers = count(1)
        self._broken: dict[str, HotdeskError] = {}
        self._faults: dict[str, deque[tuple[HotdeskError, bool] | Held]] = defaultdict(deque)
        self._endings: dict[str, deque[str]] = defaultdict(deque)
        self._hanging: dict[str, str] = {}

    # What goes wrong.

    def fail_next(self, action: str, error: HotdeskError, *, effect: bool = False) -> None:
        """Let the next call of this action raise `error`, after having its effect (a lost answer) or without it."""
        self._faults[_checked(action)].append((error, effect))

    def fail_always(self, action: str, error: HotdeskError) -> None:
        """Let every call of this action raise `error` without effect, until it is healed."""
        self._broken[_checked(action)] = error

    def hold_next(self, action: str, where: Hold) -> Held:
        """Let the next call of this action be late."""
        held = Held(where)
        self._faults[_checked(action)].append(held)
        return held

    def end_badly(self, action: str, *, times: int = 1, reason: str = "AWS ended the snapshot in error") -> None:
        """Let the next jobs of `back_up` or `restore` that come to their end report Failed; each begins anew then."""
        self._endings[_checked(action)].extend([reason] * times)

    def hang(self, action: str, reason: str = "the machine's SSM agent does not answer") -> None:
        """Let every job of `back_up` or `restore` be hindered, with this sentence, until it is healed."""
        self._hanging[_checked(action)] = reason

    def heal(self, action: str) -> None:
        """End what fail_always and hang began."""
        self._broken.pop(_checked(action), None)
        self._hanging.pop(action, None)

    def count(self, action: str) -> int:
        """How many calls of this action arrived."""
        return sum(call.action == _checked(action) for call in self.calls)

    # The port.

    async def back_up(self, job: BackupJob) -> BackupProgress:
        return await self._call("back_up", lambda: self._back_up(job), job=job)

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        return await self._call("restore", lambda: self._restore(job), job=job)

    async def find(self, *, pool: str, backup: Backup, namespace: str, uid: str) -> Sequence[Kept]:
        def read() -> list[Kept]:
            found = [saved.kept for saved in self._of(backup, namespace, uid)]
            return sorted(found, key=lambda kept: kept.completed_at, reverse=True)

        return await self._call("find", read, pool=pool, backup=backup, namespace=namespace, uid=uid)

    async def find_by_id(self, *, backup: Backup, id: str) -> Kept | None:  # noqa: A002
        def read() -> Kept | None:
            saved = self.saved.get(id)
            return saved.kept if saved is not None and saved.kept.method == backup.method else None

        return await self._call("find_by_id", read, backup=backup, id=id)

    async def prune(self, *, pool: str, backup: Backup, namespace: str, uid: str, keep: Collection[str]) -> None:
        def apply() -> None:
            for saved in self._of(backup, namespace, uid):
                if saved.kept.id not in kept:
                    del self.saved[saved.kept.id]

        kept = list(keep)
        await self._call("prune", apply, pool=pool, backup=backup, namespace=namespace, uid=uid, keep=kept)

    # How jobs go.

    def _back_up(self, job: BackupJob) -> BackupProgress:
        if job.backup.method == "None":
            return BackupProgress(Stage.FAILED, "the pool's spec.backup.method is None: nothing is kept")
        if done := self._proof(job):
            return BackupProgress(Stage.DONE, kept=done.kept)
        if refusal := self._no_backup(job):
            return BackupProgress(Stage.FAILED, refusal)
        key, now = _key_of_backup(job), self.world.clock.now()
        if key not in self._backups:
            files = _brought(self.disks[job.instance], [Place(folder, (folder,)) for folder in folders_of(job)])
            self._backups[key] = _Begun(now, files)
            return BackupProgress(Stage.RUNNING, f"a backup of {job.instance} has begun")
        begun = self._backups[key]
        if waits := self._waiting("back_up", begun):
            return BackupProgress(self._hold_up("back_up"), waits)
        del self._backups[key]
        if self._endings["back_up"]:
            return BackupProgress(Stage.FAILED, self._endings["back_up"].popleft())
        saved = self._save(job, begun)
        return BackupProgress(Stage.DONE, kept=saved.kept)

    def _restore(self, job: RestoreJob) -> RestoreProgress:
        key = _key_of_restore(job)
        if key in self._restores and self._restores[key].is_done:
            return RestoreProgress(Stage.DONE)
        machine, saved = self.world.instance(job.instance), self.saved.get(job.kept_id)
        if machine is None or machine.state in _GONE:
            return RestoreProgress(Stage.FAILED, f"{job.instance} is gone")
        if saved is None or not _is_where(saved, job.backup):
            return RestoreProgress(Stage.FAILED, f"there is no backup {job.kept_id}")
        if machine.state is not InstanceState.RUNNING:
            return RestoreProgress(Stage.RUNNING, f"{job.instance} is {machine.state}")
        begun = self._restores.get(key)
        if begun is None:
            self._restores[key] = _Begun(self.world.clock.now(), dict(saved.files))
            return RestoreProgress(Stage.RUNNING, f"a restore to {job.instance} has begun")
        if waits := self._waiting("restore", begun):
            return RestoreProgress(self._hold_up("restore"), waits)
        if self._endings["restore"]:
            del self._restores[key]
            return RestoreProgress(Stage.FAILED, self._endings["restore"].popleft())
        places = places_of(job, namespace=saved.kept.namespace, workspace=saved.kept.workspace)
        self.disks[job.instance].update(_brought(begun.files, places))
        begun.is_done = True
        self.restored.append(job)
        return RestoreProgress(Stage.DONE)

    def _proof(self, job: BackupJob) -> Saved | None:
        return next((s for s in self.saved.values() if _key_of_backup(s.job) == _key_of_backup(job)), None)

    def _no_backup(self, job: BackupJob) -> str | None:
        """Why the machine cannot be backed up now."""
        machine = self.world.instance(job.instance)
        if machine is None or machine.state in _GONE:
            return f"{job.instance} is gone"
        if machine.launched_at != job.launched_at:
            return f"{job.instance} was started at {machine.launched_at}, the backup is of {job.launched_at}"
        return _wrong_state(job, machine)

    def _waiting(self, action: str, begun: _Begun) -> str | None:
        if action in self._hanging:
            return self._hanging[action]
        return "under way" if self.world.clock.now() < begun.began_at + self.takes else None

    def _hold_up(self, action: str) -> Stage:
        return Stage.HINDERED if action in self._hanging else Stage.RUNNING

    def _save(self, job: BackupJob, begun: _Begun) -> Saved:
        number = next(self._numbers)
        is_snapshot = job.backup.method == "EBSSnapshot"
        place = job.backup.s3.prefix if job.backup.s3 is not None else ""
        kept = Kept(
            id=f"snap-{number:017x}"
            if is_snapshot
            else f"{place}{job.workspace.namespace}/{job.workspace.uid}/{number:016x}.tar.gz",
            method=job.backup.method,
            namespace=job.workspace.namespace,
            workspace=job.workspace.name,
            uid=job.workspace.uid,
            owner=job.owner,
            began_at=begun.began_at,
            completed_at=self.world.clock.now(),
            size=sum(len(text.encode()) for text in begun.files.values()),
        )
        self.saved[kept.id] = Saved(kept, job, begun.files)
        return self.saved[kept.id]

    def _of(self, backup: Backup, namespace: str, uid: str) -> list[Saved]:
        wanted = (backup.method, namespace, uid)
        return [s for s in self.saved.values() if (s.kept.method, s.kept.namespace, s.kept.uid) == wanted]

    async def _call(self, action: str, effect: Callable[[], T], **arguments: Any) -> T:
        def happen() -> T:
            self.world.catch_up()
            self._lose_disks()
            return effect()

        self.calls.append(Call(action, arguments, self.world.clock.now()))
        fault = self._faults[action].popleft() if self._faults[action] else None
        await asyncio.sleep(0)  # a real call never answers within one step of the event loop
        if action in self._broken:
            raise self._broken[action]
        if isinstance(fault, Held):
            return await fault.pass_through(happen)
        if fault is not None:
            error, has_effect = fault
            if has_effect:
                happen()
            raise error
        return happen()

    def _lose_disks(self) -> None:
        """A disk ends with its machine."""
        for machine_id in list(self.disks):
            machine = self.world.instance(machine_id)
            if machine is None or machine.state in _GONE:
                del self.disks[machine_id]


def _is_where(saved: Saved, backup: Backup) -> bool:
    """Whether somebody who looks in this place finds the backup."""
    made, sought = saved.job.backup.s3, backup.s3
    if saved.kept.method != backup.method or (made is None) is not (sought is None):
        return False
    return made is None or sought is None or (made.bucket == sought.bucket and saved.kept.id.startswith(sought.prefix))


def _wrong_state(job: BackupJob, machine: Instance) -> str | None:
    is_taken_running = job.backup.method == "S3Archive" or (machine.spot and job.is_running)
    wanted = InstanceState.RUNNING if is_taken_running else InstanceState.STOPPED
    if machine.state is wanted and job.is_running == (wanted is InstanceState.RUNNING):
        return None
    return f"{job.instance} is {machine.state}; {job.backup.method} needs it {wanted}"


def _brought(files: Mapping[str, str], places: Sequence[Place]) -> Files:
    """Return the files of these places, under the names that they have there."""
    brought: Files = {}
    for place in places:
        source = next((s for s in place.sources if any(name.startswith(f"/{s}/") for name in files)), None)
        for name, text in files.items() if source is not None else ():
            if name.startswith(f"/{source}/"):
                brought[f"/{place.at}/{name.removeprefix(f'/{source}/')}"] = text
    return brought


def _key_of_backup(job: BackupJob) -> _Key:
    return (job.backup.method, job.instance, job.launched_at, job.slot, job.workspace.uid, job.not_before)


def _key_of_restore(job: RestoreJob) -> _Key:
    return (job.instance, job.slot, job.workspace.uid, job.claimed_at, job.kept_id)


def _checked(action: str) -> str:
    if not hasattr(Vault, action):
        raise ValueError(f"the Vault port has no {action}")
    return action
