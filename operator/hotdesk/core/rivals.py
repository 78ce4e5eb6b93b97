"""Which pools name a group that an older pool manages: one group serves one pool."""

from collections.abc import Iterable

from hotdesk.api.v1alpha1 import MachinePool


def rivals_of(pools: Iterable[MachinePool]) -> dict[str, str | None]:
    """Return the older pool that stops each pool, by name; None where it may go on."""
    owners: dict[tuple[str, str], str] = {}
    rivals: dict[str, str | None] = {}
    for pool in sorted(pools, key=_age):
        name = pool.metadata.name
        owner = owners.setdefault(_group_of(pool), name)
        rivals[name] = owner if owner != name else None
    return rivals


def _age(pool: MachinePool) -> tuple[str, str]:
    created = pool.metadata.creation_timestamp
    return created.isoformat() if created is not None else "", pool.metadata.name


def _group_of(pool: MachinePool) -> tuple[str, str]:
    return pool.spec.aws.region, pool.spec.aws.auto_scaling_group_name
