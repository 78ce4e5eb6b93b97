"""Files brought back from an archive in S3."""

from datetime import timedelta
from typing import Final

from hotdesk.adapters.aws.calls import Calls
from hotdesk.adapters.aws.vault import scripts
from hotdesk.adapters.aws.vault.errands import Errand, Errands
from hotdesk.adapters.aws.vault.folders import places_of
from hotdesk.adapters.aws.vault.jobs import restore_name
from hotdesk.adapters.aws.vault.machines import Machines
from hotdesk.adapters.aws.vault.shelf import bucket_of, find_archive
from hotdesk.core.backups import RestoreJob, RestoreProgress, Stage
from hotdesk.core.facts import InstanceState

_UNPACK: Final = "unpack"
_UNPACK_WITHIN: Final = timedelta(hours=4)


class Unpacking:
    """Restores by the method S3Archive."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._machines = Machines(calls)
        self._errands = Errands(calls)

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        """Have the machine fetch the archive, compare its checksum, and unpack it, once."""
        name, machine = restore_name(job), await self._machines.find(job.instance)
        if machine is None:
            return RestoreProgress(Stage.FAILED, f"{job.instance} is gone")
        runs = await self._errands.runs(machine=machine, job=name, steps=(_UNPACK,), since=job.claimed_at)
        last = runs[-1] if runs else None
        if last is not None and last.is_done:
            return RestoreProgress(Stage.DONE)
        if machine.state is not InstanceState.RUNNING:
            return RestoreProgress(Stage.RUNNING, f"{job.instance} is {machine.state}: its files come when it runs")
        if last is not None and not last.has_failed:
            return await self._errands.wait(last, machine=machine.id)
        manifest = await find_archive(self._calls, backup=job.backup, id=job.kept_id)
        if manifest is None:
            return RestoreProgress(Stage.FAILED, f"there is no backup {job.kept_id}")
        url = await bucket_of(self._calls, job.backup).url_to_get(manifest.archive)
        places = places_of(job, namespace=manifest.namespace, workspace=manifest.workspace)
        script = scripts.unpack(job=name, url=url, sha256=manifest.sha256, places=places)
        after = (await self._errands.said(last, machine=machine.id)).reason if last is not None else ""
        errand = Errand(job=name, step=_UNPACK, number=last.errand.number + 1 if last is not None else 1)
        return await self._errands.begin(errand, machine=machine.id, script=script, limit=_UNPACK_WITHIN, after=after)
