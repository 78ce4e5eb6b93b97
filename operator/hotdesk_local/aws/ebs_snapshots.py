"""EC2's calls about snapshots: create one or all of an instance, delete, describe."""

from collections.abc import Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.ebs_model import ROOT_DEVICE, Snapshot, SnapshotState, Volume, VolumeState
from hotdesk_local.aws.ec2_tags import check_tags
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.filters import Reader, matcher
from hotdesk_local.aws.launch_templates import read_tags
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.pages import page, page_size
from hotdesk_local.aws.resources import known_snapshot, known_snapshots, known_volume, shows
from hotdesk_local.aws.world import ACCOUNT, Handler, World

PAGE = 1000
MOST_PENDING = 5
"""Per volume; one of AWS's figures for gp2 and gp3."""
FAILED = "The simulated AWS was told to let this snapshot fail."


def _progress(snapshot: Snapshot) -> str:
    return "100%" if snapshot.state is SnapshotState.COMPLETED else "50%"


_READERS: Mapping[str, Reader[Snapshot]] = {
    "description": lambda s: s.description,
    "owner-id": lambda _: ACCOUNT,
    "progress": _progress,
    "snapshot-id": lambda s: s.id,
    "status": lambda s: s.state,
    "volume-id": lambda s: s.volume,
    "volume-size": lambda s: str(s.size),
}


def _create(world: World, params: Params, call: Call) -> Params:
    volume = known_volume(world, params["VolumeId"], now=call.time)
    return _shown(_taken(world, volume, params, call))


def _create_all(world: World, params: Params, call: Call) -> Params:
    asked: Params = params["InstanceSpecification"]
    (instance,) = world.fleet.known([asked["InstanceId"]], now=call.time)
    left_out = set(asked.get("ExcludeDataVolumeIds", []))
    volumes = [
        volume
        for device, volume in world.storage.attached(instance.id).items()
        if volume.id not in left_out and not (device == ROOT_DEVICE and asked.get("ExcludeBootVolume"))
    ]
    for volume in volumes:
        _check(world, volume)
    return {"Snapshots": [_shown(_taken(world, volume, params, call)) for volume in volumes]}


def _taken(world: World, volume: Volume, params: Params, call: Call) -> Snapshot:
    _check(world, volume)
    copied = volume.tags if params.get("CopyTagsFromSource") == "volume" else {}
    tags = {**copied, **read_tags(params.get("TagSpecifications", []), of="snapshot")}
    check_tags(tags, existing={})
    return world.storage.snapshot(
        volume,
        tags=tags,
        description=params.get("Description", ""),
        doomed=FAILED if call.doomed else None,
        now=call.time,
    )


def _check(world: World, volume: Volume) -> None:
    if volume.state is VolumeState.CREATING:
        raise AwsError("IncorrectState", f"The volume '{volume.id}' is in the '{volume.state}' state.")
    if world.storage.pending_of(volume) >= MOST_PENDING:
        raise AwsError(
            "ConcurrentSnapshotLimitExceeded",
            "Maximum allowed in-progress snapshots for a single volume exceeded.",
        )


def _delete(world: World, params: Params, call: Call) -> Params:
    world.storage.forget(known_snapshot(world, params["SnapshotId"], now=call.time))
    return {}


def _describe(world: World, params: Params, call: Call) -> Params:
    ids, passes = params.get("SnapshotIds"), matcher(params.get("Filters", []), _READERS)
    mine = set(params.get("OwnerIds", ["self"])) & {"self", ACCOUNT}
    candidates = known_snapshots(world, ids, now=call.time) if ids else world.storage.snapshots.values()
    found, token = page(
        (s for s in candidates if mine and shows(world, s.started, now=call.time) and passes(s)),
        size=page_size(params, largest=PAGE, with_ids=bool(ids)),
        token=params.get("NextToken"),
        place=lambda s: f"{s.number:012d}",
    )
    return {"Snapshots": [_shown(s) for s in found], "NextToken": token}


def _shown(snapshot: Snapshot) -> Params:
    """Return it in boto3's shape; CreateSnapshots shows a subset."""
    return {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume,
        "State": snapshot.state.value,
        "StateMessage": snapshot.message,
        "StartTime": moment(snapshot.started),
        "CompletionTime": None if snapshot.completed is None or snapshot.message else moment(snapshot.completed),
        "Progress": _progress(snapshot),
        "OwnerId": ACCOUNT,
        "Description": snapshot.description,
        "VolumeSize": snapshot.size,
        "Encrypted": False,
        "Tags": [{"Key": key, "Value": value} for key, value in snapshot.tags.items()],
    }


ACTIONS: Mapping[str, Handler] = {
    "CreateSnapshot": _create,
    "CreateSnapshots": _create_all,
    "DeleteSnapshot": _delete,
    "DescribeSnapshots": _describe,
}
