"""Files brought back from a snapshot: over a volume made of it, attached to the machine for as long as that takes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from hotdesk.adapters.aws.calls import Answer, Calls
from hotdesk.adapters.aws.vault import marks, scripts
from hotdesk.adapters.aws.vault.errands import Errand, Errands, Run
from hotdesk.adapters.aws.vault.folders import places_of
from hotdesk.adapters.aws.vault.jobs import restore_name
from hotdesk.adapters.aws.vault.machines import Machines
from hotdesk.adapters.aws.vault.snapshots import Snapshots
from hotdesk.core.backups import RestoreJob, RestoreProgress, Stage
from hotdesk.core.facts import Instance, InstanceState

Volume = Mapping[str, Any]
_COPY: Final = "copy"
_COPY_WITHIN: Final = timedelta(hours=4)
_DEVICES: Final = tuple(f"/dev/sd{letter}" for letter in "fghijklmnop")  # what AWS recommends for volumes of data
_GOING: Final = frozenset({"deleting", "deleted"})


class Volumes:
    """Restores by the method EBSSnapshot."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._machines = Machines(calls)
        self._snapshots = Snapshots(calls)
        self._errands = Errands(calls)

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        """Make the volume, attach it, have its files copied, detach it, delete it: one step a call."""
        name, machine = restore_name(job), await self._machines.find(job.instance)
        volumes = await self._volumes(name)
        if machine is None:
            await self._delete(volumes)
            return RestoreProgress(Stage.FAILED, f"{job.instance} is gone")
        runs = await self._errands.runs(machine=machine, job=name, steps=(_COPY,), since=job.claimed_at)
        last = runs[-1] if runs else None
        if last is not None and last.is_done:
            return await self._clean_up(volumes)
        if machine.state is not InstanceState.RUNNING:
            return RestoreProgress(Stage.RUNNING, f"{job.instance} is {machine.state}: its files come when it runs")
        return await self._bring(job, name, machine=machine, volumes=volumes, last=last)

    async def _bring(
        self, job: RestoreJob, name: str, *, machine: Instance, volumes: Sequence[Volume], last: Run | None
    ) -> RestoreProgress:
        usable = [volume for volume in volumes if volume["State"] != "error"]
        if not usable:
            return await self._create(job, name, machine=machine, failed=len(volumes))
        volume, state = usable[0]["VolumeId"], usable[0]["State"]
        if state == "available":
            return await self._attach(volume, machine=machine)
        if state != "in-use" or _attachment(usable[0]) != "attached":
            return RestoreProgress(Stage.RUNNING, f"{volume} with the files of {job.kept_id} is {state}")
        if last is not None and not last.has_failed:
            return await self._errands.wait(last, machine=machine.id)
        device = str(usable[0]["Attachments"][0]["Device"])
        kept = await self._snapshots.find_by_id(job.kept_id)  # it may be gone by now: its volume is there
        of = (kept.namespace, kept.workspace) if kept is not None else (job.workspace.namespace, job.workspace.name)
        places = places_of(job, namespace=of[0], workspace=of[1])
        script = scripts.copy(job=name, volume=volume, device=device, places=places)
        after = (await self._errands.said(last, machine=machine.id)).reason if last is not None else ""
        errand = Errand(job=name, step=_COPY, number=last.errand.number + 1 if last is not None else 1)
        return await self._errands.begin(errand, machine=machine.id, script=script, limit=_COPY_WITHIN, after=after)

    async def _create(self, job: RestoreJob, name: str, *, machine: Instance, failed: int) -> RestoreProgress:
        asked = {
            "SnapshotId": job.kept_id,
            "AvailabilityZone": machine.zone,
            "VolumeType": "gp3",
            "ClientToken": f"{name}-{failed}",
            "TagSpecifications": marks.specification(marks.of_restore(job, name), resource="volume"),
        }
        await self._calls.write("ec2", "CreateVolume", asked)
        return RestoreProgress(Stage.RUNNING, f"a volume of {job.kept_id} is being made")

    async def _attach(self, volume: str, *, machine: Instance) -> RestoreProgress:
        used = await self._machines.devices(machine.id)
        # A device may be known as /dev/sdf or /dev/xvdf.
        letters = {device[-1] for device in used}
        device = next((device for device in _DEVICES if device[-1] not in letters), None)
        if device is None:
            return RestoreProgress(Stage.FAILED, f"{machine.id} has no free device among {', '.join(_DEVICES)}")
        asked = {"VolumeId": volume, "InstanceId": machine.id, "Device": device}
        await self._calls.write("ec2", "AttachVolume", asked)
        return RestoreProgress(Stage.RUNNING, f"{volume} is being attached to {machine.id}")

    async def _clean_up(self, volumes: Sequence[Volume]) -> RestoreProgress:
        """Take away what the job needed; the files are there."""
        attached = [volume for volume in volumes if volume["State"] == "in-use"]
        for volume in attached:
            if _attachment(volume) != "detaching":
                await self._calls.write("ec2", "DetachVolume", {"VolumeId": volume["VolumeId"]})
        await self._delete(volumes)
        if attached:
            return RestoreProgress(Stage.RUNNING, f"{attached[0]['VolumeId']} is being detached: its files are there")
        return RestoreProgress(Stage.DONE)

    async def _delete(self, volumes: Sequence[Volume]) -> None:
        for volume in volumes:
            if volume["State"] in {"available", "error"}:
                await self._calls.write("ec2", "DeleteVolume", {"VolumeId": volume["VolumeId"]})

    async def _volumes(self, name: str) -> list[Volume]:
        """Return the job's volumes, those on their way out left out."""
        asked = {"Filters": [{"Name": f"tag:{marks.RESTORE}", "Values": [name]}]}
        found = (await self._calls.read("ec2", "DescribeVolumes", asked, _listed)).facts
        return sorted((one for one in found if one["State"] not in _GOING), key=lambda one: str(one["VolumeId"]))


def _attachment(volume: Volume) -> str:
    return next((str(one["State"]) for one in volume.get("Attachments") or ()), "")


def _listed(answer: Answer) -> list[Volume]:
    return list(answer["Volumes"])
