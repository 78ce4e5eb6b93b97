"""Where each volume's files are, and how they move when it is attached and detached."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hotdesk_local.aws.ebs_model import ROOT_DEVICE, AttachmentState, Volume
from hotdesk_local.machines.blocks import Blocks

_NONE: Mapping[str, Volume] = {}


@dataclass(frozen=True, slots=True)
class Places:
    """`of` holds the attached volumes by instance and device."""

    blocks: Blocks
    of: dict[str, dict[str, Volume]]

    def attached(self, instance_id: str) -> Mapping[str, Volume]:
        """Return an instance's volumes by device."""
        return self.of.get(instance_id, _NONE)

    def place(self, volume: Volume) -> Path:
        """Return the directory that is the volume now."""
        attachment = volume.attachment
        if attachment is None or attachment.state is AttachmentState.ATTACHING:
            return self.blocks.loose(volume.id)
        if attachment.device == ROOT_DEVICE:
            return self.blocks.disk(attachment.instance_id)
        return self.blocks.mount(attachment.instance_id, volume.id)

    def mounts(self, volume: Volume) -> Collection[Path]:
        """Return the directories inside the volume's that are other volumes."""
        return frozenset(self.place(other) for other in self._inside(volume))

    def show(self, volume: Volume) -> None:
        """Move a volume that is attached from now on to where its machine sees it."""
        attachment, loose = volume.attachment, self.place(volume)
        if attachment is not None:
            attachment.state = AttachmentState.ATTACHED
            with self._without_others(volume):
                self.blocks.move(loose, self.place(volume))

    def hide(self, volume: Volume) -> None:
        """Move a volume that is detached from now on to where nobody sees it."""
        with self._without_others(volume):
            if _is_seen(volume):
                self.blocks.move(self.place(volume), self.blocks.loose(volume.id))

    @contextmanager
    def _without_others(self, volume: Volume) -> Iterator[None]:
        """Take the other volumes out of a root while it moves, and put them back."""
        inside = self._inside(volume)
        for other in inside:
            self.blocks.move(self.place(other), self.blocks.loose(other.id))
        yield
        for other in inside:
            self.blocks.move(self.blocks.loose(other.id), self.place(other))

    def _inside(self, volume: Volume) -> list[Volume]:
        """Return the volumes a machine sees inside this one: those beside its root."""
        attachment = volume.attachment
        if attachment is None or attachment.device != ROOT_DEVICE:
            return []
        return [v for v in self.attached(attachment.instance_id).values() if v is not volume and _is_seen(v)]


def _is_seen(volume: Volume) -> bool:
    return volume.attachment is not None and volume.attachment.state is not AttachmentState.ATTACHING
