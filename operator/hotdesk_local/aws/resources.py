"""EC2's resources by id: those a call names, whether they are shown yet, and their tags."""

from collections.abc import Iterable, MutableMapping
from typing import NamedTuple

from hotdesk_local.aws.ebs_model import Snapshot, Volume
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.world import World

PREFIXES = ("i-", "vol-", "snap-")
"""Those whose tags live here; the others' live in moto."""
TYPES = {"i-": "instance", "vol-": "volume", "snap-": "snapshot"}


class Tags(NamedTuple):
    """A resource with its tags, as they are kept."""

    id: str
    tags: MutableMapping[str, str]


def shows(world: World, since: float, *, now: float) -> bool:
    """Say whether EC2 admits to knowing what was made then."""
    return now >= since + world.config.consistency


def known_volume(world: World, name: str, *, now: float) -> Volume:
    """Return one volume. Raises InvalidVolume.NotFound."""
    volume = world.storage.volumes.get(name)
    if volume is None or not shows(world, volume.created, now=now):
        raise AwsError("InvalidVolume.NotFound", f"The volume '{name}' does not exist.")
    return volume


def known_snapshot(world: World, name: str, *, now: float) -> Snapshot:
    """Return one snapshot. Raises InvalidSnapshot.NotFound."""
    snapshot = world.storage.snapshots.get(name)
    if snapshot is None or not shows(world, snapshot.started, now=now):
        raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{name}' does not exist.")
    return snapshot


def known_volumes(world: World, names: Iterable[str], *, now: float) -> list[Volume]:
    """Return volumes, oldest first. Raises InvalidVolume.NotFound for the whole call."""
    return sorted((known_volume(world, n, now=now) for n in dict.fromkeys(names)), key=lambda v: v.number)


def known_snapshots(world: World, names: Iterable[str], *, now: float) -> list[Snapshot]:
    """Return snapshots, oldest first. Raises InvalidSnapshot.NotFound for the whole call."""
    return sorted((known_snapshot(world, n, now=now) for n in dict.fromkeys(names)), key=lambda s: s.number)


def tags_of(world: World, names: Iterable[str], *, now: float) -> list[Tags]:
    """Return the tags of resources, to read or change. Raises the NotFound of the first unknown one."""
    ids = list(dict.fromkeys(names))
    instances = world.fleet.known([name for name in ids if name.startswith("i-")], now=now)
    return [
        *(Tags(i.id, i.tags) for i in instances),
        *(Tags(n, known_volume(world, n, now=now).tags) for n in ids if n.startswith("vol-")),
        *(Tags(n, known_snapshot(world, n, now=now).tags) for n in ids if n.startswith("snap-")),
    ]


def all_tags(world: World, *, now: float) -> list[Tags]:
    """Return the tags of everything EC2 shows, by id."""
    storage = world.storage
    found = [
        *(Tags(i.id, i.tags) for i in world.fleet.instances.values() if world.fleet.visible(i.id, now=now)),
        *(Tags(v.id, v.tags) for v in storage.volumes.values() if shows(world, v.created, now=now)),
        *(Tags(s.id, s.tags) for s in storage.snapshots.values() if shows(world, s.started, now=now)),
    ]
    return sorted(found, key=lambda one: one.id)
