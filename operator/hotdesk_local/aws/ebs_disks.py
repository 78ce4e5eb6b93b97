"""Block device mappings: the disks a launch asks for."""

from collections.abc import Iterable

from hotdesk_local.aws.ebs_model import ROOT_DEVICE, DiskSpec
from hotdesk_local.aws.model import Params

_PLAIN = DiskSpec()
_ROOT_NAMES = frozenset({ROOT_DEVICE, "/dev/sda1"})


def read_disks(mappings: Iterable[Params]) -> tuple[DiskSpec, ...]:
    """Return the disks, the root first; the image brings a root where none is named."""
    disks = [_disk(one) for one in mappings if "Ebs" in one]
    roots = [disk for disk in disks if disk.device == ROOT_DEVICE]
    return (*(roots[:1] or [_PLAIN]), *(disk for disk in disks if disk.device != ROOT_DEVICE))


def _disk(mapping: Params) -> DiskSpec:
    ebs, name = mapping["Ebs"], str(mapping["DeviceName"])
    return DiskSpec(
        device=ROOT_DEVICE if name in _ROOT_NAMES else name,
        size=int(ebs.get("VolumeSize", _PLAIN.size)),
        kind=str(ebs.get("VolumeType", _PLAIN.kind)),
        snapshot=ebs.get("SnapshotId"),
        delete_on_termination=bool(ebs.get("DeleteOnTermination", True)),
    )
