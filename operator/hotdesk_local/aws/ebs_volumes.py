"""EC2's calls about volumes: create, attach, detach, delete, describe."""

from collections.abc import Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.ebs_model import ROOT_DEVICE, AttachmentState, DiskSpec, SnapshotState, Volume, VolumeState
from hotdesk_local.aws.ec2_tags import check_tags
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.filters import Reader, matcher
from hotdesk_local.aws.launch_templates import read_tags
from hotdesk_local.aws.model import Params, State
from hotdesk_local.aws.pages import page, page_size
from hotdesk_local.aws.resources import known_snapshot, known_volume, known_volumes, shows
from hotdesk_local.aws.world import Handler, World

PAGE = 500
MOST_DEVICES = 28
"""Attachments of a Nitro instance, the network interface not counted."""

_READERS: Mapping[str, Reader[Volume]] = {
    "attachment.device": lambda v: v.attachment.device if v.attachment else None,
    "attachment.instance-id": lambda v: v.attachment.instance_id if v.attachment else None,
    "attachment.status": lambda v: v.attachment.state if v.attachment else None,
    "availability-zone": lambda v: v.zone,
    "size": lambda v: str(v.size),
    "snapshot-id": lambda v: v.snapshot,
    "status": lambda v: v.state,
    "volume-id": lambda v: v.id,
    "volume-type": lambda v: v.kind,
}


def _create(world: World, params: Params, call: Call) -> Params:
    token = params.get("ClientToken")
    asked = {key: value for key, value in params.items() if key != "ClientToken"}
    for earlier in world.storage.volumes.values():
        if token and earlier.token is not None and earlier.token[0] == token:
            if earlier.token[1] != asked:
                raise AwsError("IdempotentParameterMismatch", f"Client token {token} was used for another request.")
            return shown_volume(earlier)
    zone, tags = _zone(world, params), read_tags(params.get("TagSpecifications", []), of="volume")
    check_tags(tags, existing={})
    volume = world.storage.create(_disk(world, params, call), zone=zone, tags=tags, now=call.time)
    volume.encrypted = params.get("Encrypted", False)
    volume.token = (token, asked) if token else None
    return shown_volume(volume)


def _zone(world: World, params: Params) -> str:
    zone = params.get("AvailabilityZone")
    if zone not in {subnet.zone for subnet in world.network.subnets}:
        raise AwsError("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    return str(zone)


def _disk(world: World, params: Params, call: Call) -> DiskSpec:
    name, size = params.get("SnapshotId"), params.get("Size")
    kind = str(params.get("VolumeType", "gp2"))
    if not name:
        if size is None:
            raise AwsError("MissingParameter", "The request must contain the parameter size/snapshot")
        return DiskSpec(size=size, kind=kind)
    snapshot = known_snapshot(world, name, now=call.time)
    if snapshot.state is not SnapshotState.COMPLETED:
        raise AwsError("IncorrectState", f"Snapshot is in invalid state - {snapshot.state}")
    if size is not None and size < snapshot.size:
        raise AwsError(
            "InvalidParameterValue",
            f"Volume of {size}GiB is smaller than snapshot '{name}', expect size >= {snapshot.size}GiB",
        )
    return DiskSpec(size=size or snapshot.size, kind=kind, snapshot=name)


def _attach(world: World, params: Params, call: Call) -> Params:
    volume = known_volume(world, params["VolumeId"], now=call.time)
    (instance,) = world.fleet.known([params["InstanceId"]], now=call.time)
    if volume.state is VolumeState.IN_USE:
        raise AwsError("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.state is not VolumeState.AVAILABLE:
        raise AwsError("IncorrectState", f"{volume.id} is not 'available'.")
    if instance.state not in {State.RUNNING, State.STOPPED}:
        raise AwsError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.zone != instance.subnet.zone:
        raise AwsError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
        )
    device, devices = params["Device"], world.storage.attached(instance.id)
    if device in devices:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )
    if len(devices) >= MOST_DEVICES:
        raise AwsError("AttachmentLimitExceeded", f"Volume attachment limit exceeded for instance '{instance.id}'")
    if device == ROOT_DEVICE and instance.state is not State.STOPPED:
        raise AwsError("IncorrectState", f"Instance '{instance.id}' is not 'stopped'.")
    world.storage.attach(volume, instance, device=device, cause=call.cause, now=call.time)
    return _attachment(volume)


def _detach(world: World, params: Params, call: Call) -> Params:
    volume = known_volume(world, params["VolumeId"], now=call.time)
    attachment = volume.attachment
    if attachment is None:
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the '{volume.state}' state.")
    if params.get("InstanceId") not in {None, attachment.instance_id} or (
        params.get("Device") not in {None, attachment.device}
    ):
        raise AwsError("InvalidAttachment.NotFound", f"Volume '{volume.id}' is not attached there.")
    instance = world.fleet.instances[attachment.instance_id]
    if attachment.device == ROOT_DEVICE and instance.state is not State.STOPPED:
        raise AwsError(
            "OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{instance.id}'"
        )
    if attachment.state is not AttachmentState.DETACHING:
        world.storage.detach(volume, attachment, cause=call.cause, now=call.time)
    return _attachment(volume)


def _delete(world: World, params: Params, call: Call) -> Params:
    volume = known_volume(world, params["VolumeId"], now=call.time)
    if volume.attachment is not None:
        raise AwsError("VolumeInUse", f"Volume {volume.id} is currently attached to {volume.attachment.instance_id}")
    world.storage.delete(volume)
    return {}


def _describe(world: World, params: Params, call: Call) -> Params:
    ids, passes = params.get("VolumeIds"), matcher(params.get("Filters", []), _READERS)
    candidates = known_volumes(world, ids, now=call.time) if ids else world.storage.volumes.values()
    found, token = page(
        (v for v in candidates if shows(world, v.created, now=call.time) and passes(v)),
        size=page_size(params, largest=PAGE, with_ids=bool(ids)),
        token=params.get("NextToken"),
        place=lambda v: f"{v.number:012d}",
    )
    return {"Volumes": [shown_volume(v) for v in found], "NextToken": token}


def shown_volume(volume: Volume) -> Params:
    """Return a volume in boto3's shape."""
    return {
        "VolumeId": volume.id,
        "Size": volume.size,
        "SnapshotId": volume.snapshot or "",
        "AvailabilityZone": volume.zone,
        "State": volume.state.value,
        "CreateTime": moment(volume.created),
        "Attachments": [_attachment(volume)] if volume.attachment else [],
        "VolumeType": volume.kind,
        "Encrypted": volume.encrypted,
        "MultiAttachEnabled": False,
        "Tags": [{"Key": key, "Value": value} for key, value in volume.tags.items()],
    }


def _attachment(volume: Volume) -> Params:
    attachment = volume.attachment
    if attachment is None:
        return {}
    return {
        "VolumeId": volume.id,
        "InstanceId": attachment.instance_id,
        "Device": attachment.device,
        "State": attachment.state.value,
        "AttachTime": moment(attachment.attached),
        "DeleteOnTermination": attachment.delete_on_termination,
    }


ACTIONS: Mapping[str, Handler] = {
    "CreateVolume": _create,
    "AttachVolume": _attach,
    "DetachVolume": _detach,
    "DeleteVolume": _delete,
    "DescribeVolumes": _describe,
}
