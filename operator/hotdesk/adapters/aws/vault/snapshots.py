"""Backups as EBS snapshots of the root volume: of a stopped machine, or of a spot machine, which EC2 cannot stop."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from hotdesk.adapters.aws.calls import Answer, Calls
from hotdesk.adapters.aws.vault import marks, scripts
from hotdesk.adapters.aws.vault.errands import Errand, Errands
from hotdesk.adapters.aws.vault.jobs import backup_name
from hotdesk.adapters.aws.vault.machines import Machines, refusal
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, Stage
from hotdesk.core.facts import InstanceState
from hotdesk.ports import Refused, Unanswered

Snapshot = Mapping[str, Any]
_PAGE: Final = 1000
_FLUSH: Final = "flush"
_FLUSH_WITHIN: Final = timedelta(minutes=10)
_COMPLETED: Final = "completed"
_ENDED_BADLY: Final = frozenset({"error", "recoverable", "recovering"})


class Snapshots:
    """The method EBSSnapshot."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._machines = Machines(calls)
        self._errands = Errands(calls)

    async def back_up(self, job: BackupJob) -> BackupProgress:
        """Begin one snapshot, and wait until AWS says that it is complete.

        CreateSnapshot has no token that would make it idempotent: after a lost answer there may be two. The older
        complete one counts, and the others go.
        """
        name = backup_name(job)
        taken = sorted(await self._described({f"tag:{marks.BACKUP}": name}), key=_age)
        complete = [one for one in taken if one["State"] == _COMPLETED]
        if complete:
            await self._delete(one for one in taken if one is not complete[0])
            return BackupProgress(Stage.DONE, kept=marks.kept(complete[0]))
        failed = [one for one in taken if one["State"] in _ENDED_BADLY]
        await self._delete(failed)
        under_way = [one for one in taken if one not in failed]
        if under_way:
            progress = under_way[0].get("Progress") or "0%"
            return BackupProgress(Stage.RUNNING, f"{under_way[0]['SnapshotId']} of {job.instance} is at {progress}")
        if failed:
            reason = failed[0].get("StateMessage") or "AWS gave no reason"
            return BackupProgress(Stage.FAILED, f"{failed[0]['SnapshotId']} of {job.instance} ended in error: {reason}")
        return (await self._flushed(job, name) if job.is_running else None) or await self._begin(job, name)

    async def find(self, *, namespace: str, uid: str) -> Sequence[Kept]:
        """Return the complete snapshots of one workspace, one of each job, the newest first."""
        found = await self._of(namespace=namespace, uid=uid)
        return [marks.kept(one) for one in _counting(found)]

    async def find_by_id(self, id: str) -> Kept | None:  # noqa: A002  # the port's word
        """Return the snapshot if it is complete and one of ours."""
        found = await self._described({"snapshot-id": id, "tag-key": marks.BACKUP, "status": _COMPLETED})
        exact = [one for one in found if one["SnapshotId"] == id]  # in a filter, `*` stands for anything
        return marks.kept(exact[0]) if exact else None

    async def prune(self, *, namespace: str, uid: str, keep: Collection[str]) -> None:
        """Delete all snapshots but these; one that is under way may be of a job."""
        found = await self._of(namespace=namespace, uid=uid)
        await self._delete(one for one in found if one["State"] != "pending" and one["SnapshotId"] not in keep)

    async def _flushed(self, job: BackupJob, name: str) -> BackupProgress | None:
        """Have a running machine bring to its disk what was written; None once that is done."""
        machine = await self._machines.find(job.instance)
        refused = refusal(machine, name=job.instance, launched_at=job.launched_at, state=InstanceState.RUNNING)
        if machine is None or refused is not None:
            return BackupProgress(Stage.FAILED, refused or "")
        runs = await self._errands.runs(machine=machine, job=name, steps=(_FLUSH,), since=job.not_before)
        last = runs[-1] if runs else None
        if last is not None and last.is_done:
            return None
        if last is not None and not last.has_failed:
            waiting = await self._errands.wait(last, machine=job.instance)
        else:
            after = (await self._errands.said(last, machine=job.instance)).reason if last is not None else ""
            errand = Errand(job=name, step=_FLUSH, number=last.errand.number + 1 if last is not None else 1)
            script = scripts.flush(job=name)
            waiting = await self._errands.begin(
                errand, machine=job.instance, script=script, limit=_FLUSH_WITHIN, after=after
            )
        return BackupProgress(waiting.stage, waiting.message)

    async def _begin(self, job: BackupJob, name: str) -> BackupProgress:
        wanted = InstanceState.RUNNING if job.is_running else InstanceState.STOPPED
        machine = await self._machines.find(job.instance)
        refused = refusal(machine, name=job.instance, launched_at=job.launched_at, state=wanted)
        if refused is not None:
            return BackupProgress(Stage.FAILED, refused)
        volume = await self._machines.root_volume(job.instance)
        if volume is None:
            return BackupProgress(Stage.FAILED, f"{job.instance} has no root volume to take a snapshot of")
        asked = {
            "VolumeId": volume,
            "Description": f"Hotdesk: {job.workspace.namespace}/{job.workspace.name} on {job.instance}",
            "TagSpecifications": marks.specification(marks.of_backup(job, name), resource="snapshot"),
        }
        await self._calls.write("ec2", "CreateSnapshot", asked)
        return BackupProgress(Stage.RUNNING, f"a snapshot of {volume} of {job.instance} has begun")

    async def _delete(self, snapshots: Iterable[Snapshot]) -> None:
        for snapshot in list(snapshots):
            with suppress(Refused):  # it is gone, or an image was made of it: then it is no longer ours alone
                await self._calls.write("ec2", "DeleteSnapshot", {"SnapshotId": snapshot["SnapshotId"]})

    async def _of(self, *, namespace: str, uid: str) -> list[Snapshot]:
        return await self._described(
            {f"tag:{marks.NAMESPACE}": namespace, f"tag:{marks.UID}": uid, "tag-key": marks.BACKUP}
        )

    async def _described(self, filters: Mapping[str, str]) -> list[Snapshot]:
        asked = {
            "OwnerIds": ["self"],
            "Filters": [{"Name": name, "Values": [value]} for name, value in filters.items()],
            "MaxResults": _PAGE,
        }
        found: list[Snapshot] = []
        token: str | None = None
        while True:
            more = asked if token is None else {**asked, "NextToken": token}
            page = await self._calls.read("ec2", "DescribeSnapshots", more, _snapshots)
            found += page.facts
            if page.next_token is None:
                return found
            if page.next_token == token:
                raise Unanswered("ec2:DescribeSnapshots has no end: it gave the same NextToken twice")
            token = page.next_token


def _counting(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return of each job the oldest complete snapshot, the newest job first."""
    complete = sorted((one for one in snapshots if one["State"] == _COMPLETED), key=_age, reverse=True)
    oldest = {marks.read(one["Tags"])[marks.BACKUP]: one for one in complete}
    return sorted(oldest.values(), key=_age, reverse=True)


def _age(snapshot: Snapshot) -> tuple[Any, str]:
    return snapshot["StartTime"], snapshot["SnapshotId"]


def _snapshots(answer: Answer) -> list[Snapshot]:
    return list(answer["Snapshots"])
