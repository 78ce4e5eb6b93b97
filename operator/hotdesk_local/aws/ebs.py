"""Volumes and snapshots as they live: made, attached, detached, copied, and what an instance's end does to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from hotdesk_local.aws.ebs_model import (
    ROOT_DEVICE,
    Attachment,
    AttachmentState,
    DiskSpec,
    Snapshot,
    SnapshotState,
    Volume,
    VolumeState,
)
from hotdesk_local.aws.ebs_places import Places
from hotdesk_local.aws.fleet import Fleet
from hotdesk_local.aws.model import Instance, State
from hotdesk_local.machines.blocks import Blocks


@dataclass(slots=True)
class Storage:
    """Every volume and snapshot AWS knows."""

    fleet: Fleet
    blocks: Blocks
    volumes: dict[str, Volume] = field(default_factory=dict)
    """By id, in the order of their creation."""
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    _of: dict[str, dict[str, Volume]] = field(default_factory=dict)
    """Attached volumes by instance and device."""
    _places: Places = field(init=False)
    _passing: dict[str, Volume] = field(default_factory=dict)
    _pending: dict[str, Snapshot] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._places = Places(self.blocks, self._of)

    def attached(self, instance_id: str) -> Mapping[str, Volume]:
        """Return an instance's volumes by device."""
        return self._places.attached(instance_id)

    def create(self, disk: DiskSpec, *, zone: str, tags: Mapping[str, str], now: float) -> Volume:
        """Make a volume, empty or with the files of a snapshot; OSError if the disk is full, and then there is none."""
        volume = self._made(disk, zone=zone, tags=tags, now=now)
        try:
            self.blocks.create(self.blocks.loose(volume.id), snapshot_id=disk.snapshot)
        except OSError:
            self.delete(volume)
            raise
        self._passing[volume.id] = volume
        return volume

    def attach(self, volume: Volume, instance: Instance, *, device: str, cause: str, now: float) -> Attachment:
        """Begin to attach; the machine sees it when it is attached."""
        volume.attachment = Attachment(
            instance_id=instance.id,
            device=device,
            attached=now,
            since=now,
            state=AttachmentState.ATTACHING,
            delete_on_termination=False,  # AWS: only those of the launch go with the machine
        )
        volume.state = VolumeState.IN_USE
        self._of.setdefault(instance.id, {})[device] = volume
        self._passing[volume.id] = volume
        self._note(instance, volume, old=None, new=device, cause=cause, now=now)
        return volume.attachment

    def detach(self, volume: Volume, attachment: Attachment, *, cause: str, now: float) -> None:
        """Begin to detach."""
        attachment.state, attachment.since = AttachmentState.DETACHING, now
        self._passing[volume.id] = volume
        instance = self.fleet.instances[attachment.instance_id]
        self._note(instance, volume, old=attachment.device, new=None, cause=cause, now=now)

    def delete(self, volume: Volume) -> None:
        """Lose an unattached volume."""
        self._passing.pop(volume.id, None)
        del self.volumes[volume.id]
        self.blocks.erase(self.blocks.loose(volume.id))

    def snapshot(
        self, volume: Volume, *, tags: Mapping[str, str], description: str, doomed: str | None, now: float
    ) -> Snapshot:
        """Keep the volume's files as they are now; the snapshot is pending for a while."""
        made = Snapshot(
            id=self.fleet.new_id("snap"),
            number=next(self._numbers),
            volume=volume.id,
            size=volume.size,
            started=now,
            description=description,
            tags=dict(tags),
            doomed=doomed,
        )
        try:
            self.blocks.keep(self._places.place(volume), made.id, without=self._places.mounts(volume))
        except OSError as exc:
            made.doomed = f"The volume could not be read: {exc.strerror}."
        self.snapshots[made.id] = self._pending[made.id] = made
        return made

    def forget(self, snapshot: Snapshot) -> None:
        """Delete a snapshot, a pending one too."""
        self._pending.pop(snapshot.id, None)
        del self.snapshots[snapshot.id]
        self.blocks.erase(self.blocks.snapshot(snapshot.id))

    def instance_changed(self, instance: Instance, before: State | None, now: float) -> None:
        """Give a new instance its disks; take them away from a terminated one."""
        if before is None:
            for disk in instance.spec.disks:
                self._at_launch(instance, disk, now=now)
        elif instance.state is State.RUNNING:
            self.blocks.make_folder(self.blocks.disk(instance.id))
        elif instance.state is State.TERMINATED:
            volumes = self._of.pop(instance.id, {})
            # The root last: the others are inside it.
            for volume in sorted(volumes.values(), key=_is_root):
                self._part(volume, now=now)

    def advance(self, *, now: float) -> None:
        """Let time pass: what was creating, attaching, detaching or pending may be done."""
        for volume in list(self._passing.values()):
            self._settle(volume, now=now)
        for snapshot in list(self._pending.values()):
            if now >= snapshot.started + self.fleet.config.snapshot:
                del self._pending[snapshot.id]
                snapshot.state = SnapshotState.ERROR if snapshot.doomed else SnapshotState.COMPLETED
                snapshot.message, snapshot.completed = snapshot.doomed, now

    def due(self) -> float:
        """Return when the next thing is due, infinity where nothing is."""
        config = self.fleet.config
        moments = [
            v.since + config.volume if v.attachment is None else v.attachment.since + config.attach
            for v in self._passing.values()
        ]
        moments += [snapshot.started + config.snapshot for snapshot in self._pending.values()]
        return min(moments, default=float("inf"))

    def pending_of(self, volume: Volume) -> int:
        """Return how many of the volume's snapshots are under way."""
        return sum(1 for snapshot in self._pending.values() if snapshot.volume == volume.id)

    def _made(self, disk: DiskSpec, *, zone: str, tags: Mapping[str, str], now: float) -> Volume:
        volume = Volume(
            id=self.fleet.new_id("vol"),
            number=next(self._numbers),
            size=disk.size,
            zone=zone,
            kind=disk.kind,
            created=now,
            since=now,
            snapshot=disk.snapshot,
            tags=dict(tags),
        )
        self.volumes[volume.id] = volume
        return volume

    def _at_launch(self, instance: Instance, disk: DiskSpec, *, now: float) -> None:
        volume = self._made(disk, zone=instance.subnet.zone, tags=instance.spec.volume_tags, now=now)
        volume.state = VolumeState.IN_USE
        volume.attachment = Attachment(
            instance_id=instance.id,
            device=disk.device,
            attached=now,
            since=now,
            state=AttachmentState.ATTACHED,
            delete_on_termination=disk.delete_on_termination,
        )
        self._of.setdefault(instance.id, {})[disk.device] = volume
        if disk.snapshot is not None or disk.device != ROOT_DEVICE:  # an empty root is made when it runs
            self.blocks.create(self._places.place(volume), snapshot_id=disk.snapshot)

    def _settle(self, volume: Volume, *, now: float) -> None:
        config, attachment = self.fleet.config, volume.attachment
        if attachment is None:
            if now >= volume.since + config.volume:
                volume.state = VolumeState.AVAILABLE
                del self._passing[volume.id]
        elif now >= attachment.since + config.attach:
            del self._passing[volume.id]
            if attachment.state is AttachmentState.ATTACHING:
                self._places.show(volume)
            else:
                self._of[attachment.instance_id].pop(attachment.device, None)
                self._part(volume, now=now)
            self._touch(attachment.instance_id)

    def _part(self, volume: Volume, *, now: float) -> None:
        """Take a volume away from its machine, and delete it where that was agreed at launch."""
        attachment = volume.attachment
        if attachment is None:
            return
        goes = attachment.delete_on_termination and not self._lives(attachment.instance_id)
        if goes:
            self.blocks.erase(self._places.place(volume))
        else:
            self._places.hide(volume)
        volume.attachment, volume.state, volume.since = None, VolumeState.AVAILABLE, now
        if goes:
            self.delete(volume)

    def _lives(self, instance_id: str) -> bool:
        return self.fleet.instances[instance_id].state is not State.TERMINATED

    def _note(
        self, instance: Instance, volume: Volume, *, old: str | None, new: str | None, cause: str, now: float
    ) -> None:
        self.fleet.note(instance, f"volume {volume.id}", old=old, new=new, cause=cause, now=now)

    def _touch(self, instance_id: str) -> None:
        self.fleet.instances[instance_id].rendered = None


def _is_root(volume: Volume) -> bool:
    return volume.attachment is not None and volume.attachment.device == ROOT_DEVICE
