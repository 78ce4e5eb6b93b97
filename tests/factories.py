"""Builders of what tests are about: name what matters, the rest is sane."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hotdesk.api.v1alpha1 import (
    Aws,
    Buffer,
    Claim,
    ClaimedBy,
    Machine,
    MachinePool,
    MachinePoolSpec,
    MachinePoolStatus,
    MachineSpec,
    MachineStatus,
    Reap,
    ReapReason,
    Workspace,
    WorkspaceSpec,
    WorkspaceStatus,
)
from hotdesk.api.wire import ObjectMeta
from hotdesk.core.facts import Group, Instance, InstanceState, Member, Observation
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.quota.owners import Rank

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
GROUP = "desk"
POOL = "pool"
ZONE = "eu-west-1a"
POOL_TAGS = {"hotdesk.dev/pool": POOL, "hotdesk.dev/managed-by": "hotdesk"}


def after(seconds: float) -> datetime:
    """Return the moment so many seconds after NOW; before it if negative."""
    return NOW + timedelta(seconds=seconds)


def machine_id(number: int) -> str:
    """Return the instance id with this number; ids sort as their numbers do."""
    return f"i-{number:017x}"


def number_of(name: str) -> int:
    """Return the number of which `machine_id` made this name."""
    return int(name.removeprefix("i-"), base=16)


def workspace(  # noqa: PLR0913  # the fields that tests are about
    name: str = "demo",
    *,
    namespace: str = "team",
    uid: str | None = None,
    version: int = 1,
    generation: int = 1,
    created_at: datetime = NOW,
    deleted_at: datetime | None = None,
    owner: str = "ada",
    project: str | None = None,
    pool: str = POOL,
    priority_class_name: str | None = None,
    status: WorkspaceStatus | None = None,
    **told: Any,
) -> Workspace:
    """Build a Workspace that nobody has looked at; `told` are fields of its status, such as `machine`."""
    return Workspace(
        metadata=ObjectMeta(
            name=name,
            namespace=namespace,
            uid=uid or f"uid-{name}",
            resource_version=str(version),
            generation=generation,
            creation_timestamp=created_at,
            deletion_timestamp=deleted_at,
        ),
        spec=WorkspaceSpec(pool=pool, owner=owner, project=project, priority_class_name=priority_class_name),
        status=status or WorkspaceStatus(**told),
    )


def rank(number: int) -> Rank:
    """Return the place of a workspace that asks its owner's quota; the lower number comes first."""
    return Rank(is_new=True, created_at=NOW, version=number, uid=f"uid-{number}")


def bound(name: str = "demo", *, machine: str, slot: int = 0, **fields: Any) -> Workspace:
    """Build a Workspace that was published on a machine."""
    told = {"phase": "Running", "observed_generation": 1, "claimed_at": NOW, "ready_at": NOW}
    return workspace(name, **{**told, **fields}, machine=machine, slot=slot)


def claim(holder: Workspace | str = "demo", *, slot: int = 0, at: datetime = NOW) -> Claim:
    """Build the claim of a slot by a workspace, or by the one that `workspace(name)` builds."""
    meta = (workspace(holder) if isinstance(holder, str) else holder).metadata
    by = ClaimedBy(namespace=meta.namespace, name=meta.name, uid=meta.uid)
    return Claim(slot=slot, workspace=by, claimed_at=at)


def machine(
    number: int = 1,
    *,
    uid: str | None = None,
    version: int = 1,
    pool: str = POOL,
    slots: int = 1,
    claims: Iterable[Claim] = (),
    reap: ReapReason | None = None,
    status: MachineStatus | None = None,
    **observed: Any,
) -> Machine:
    """Build the record of a machine that is ready; `observed` are fields of its status, `ready_at=None` boots it."""
    name = machine_id(number)
    claims = tuple(claims)
    phase = "Claimed" if claims else "Idle"
    seen = {"phase": phase, "ready_at": NOW, "launched_at": after(-60), "private_ip": ip_of(number), "zone": ZONE}
    return Machine(
        metadata=ObjectMeta(
            name=name,
            uid=uid or f"uid-{name}",
            resource_version=str(version),
            generation=1,
            creation_timestamp=after(-60),
            labels={"hotdesk.dev/pool": pool},
        ),
        spec=MachineSpec(
            pool=pool,
            provider_id=f"aws:///{ZONE}/{name}",
            slots=slots,
            claims=claims,
            reap=Reap(reason=reap, at=NOW) if reap is not None else None,
        ),
        status=status or MachineStatus(**{**seen, **observed}),
    )


def pool(  # noqa: PLR0913  # the fields that tests are about
    name: str = POOL,
    *,
    version: int = 1,
    generation: int = 1,
    created_at: datetime = NOW,
    deleted_at: datetime | None = None,
    finalizers: Iterable[str] = ("hotdesk.dev/pool",),
    group: str = GROUP,
    manage_group: bool = True,
    max_machines: int = 10,
    buffer: Buffer | None = None,
    status: MachinePoolStatus | None = None,
    **spec: Any,
) -> MachinePool:
    """Build a MachinePool that keeps two idle and gives back at once what is more; `spec` are further fields of it."""
    return MachinePool(
        metadata=ObjectMeta(
            name=name,
            uid=f"uid-{name}",
            resource_version=str(version),
            generation=generation,
            creation_timestamp=created_at,
            deletion_timestamp=deleted_at,
            finalizers=tuple(finalizers),
        ),
        spec=MachinePoolSpec(
            aws=Aws(region="eu-west-1", auto_scaling_group_name=group, manage_group=manage_group),
            max_machines=max_machines,
            buffer=buffer or buffer_of(2),
            **spec,
        ),
        status=status or MachinePoolStatus(),
    )


def buffer_of(idle: int, **fields: Any) -> Buffer:
    """Build a buffer that shrinks at once unless `scale_down_delay` says otherwise."""
    return Buffer(**{"idle": idle, "scale_down_delay": timedelta(), **fields})


def member(number: int = 1, *, lifecycle: str = "InService", protected: bool = True, **fields: Any) -> Member:
    """Build a group's entry for a machine: in service, healthy and protected."""
    return Member(id=machine_id(number), lifecycle=lifecycle, zone=ZONE, protected=protected, **fields)


def instance(number: int = 1, *, state: InstanceState = InstanceState.RUNNING, **fields: Any) -> Instance:
    """Build a running instance that carries the pool's tags."""
    seen = {"private_ip": ip_of(number), "launched_at": after(-60), "tags": POOL_TAGS}
    return Instance(id=machine_id(number), state=state, zone=ZONE, **{**seen, **fields})


def group(members: Iterable[Member] = (), **fields: Any) -> Group:
    """Build a group that is set up as Hotdesk wants it, with as many machines as it desires, and MaxSize far away."""
    listed = {entry.id: entry for entry in members}
    wanted = {
        "name": GROUP,
        "desired": sum(entry.is_counted for entry in listed.values()),
        "min_size": 0,
        "max_size": 100,
        "protects_new": True,
        "suspended": frozenset({"AZRebalance"}),
        "tags": POOL_TAGS,
    }
    return Group(members=listed, **{**wanted, **fields})


def observation(
    seen: Group | None, instances: Iterable[Instance] = (), *, at: datetime = NOW, complete: bool = True, **fields: Any
) -> Observation:
    """Build a look at AWS, a complete one unless told otherwise."""
    shown = {found.id: found for found in instances}
    times = {"started_at": at, "began": (at - NOW).total_seconds()}
    return Observation(**times, group=seen, instances=shown, complete=complete, **fields)


def facts(
    *machines: Machine,
    of: MachinePool | None = None,
    workspaces: Iterable[Workspace] = (),
    inside: Iterable[int] | None = None,
    detached: Iterable[int] = (),
    members: Mapping[int, Member] | None = None,
    instances: Mapping[int, Instance] | None = None,
    **of_group: Any,
) -> PoolFacts:
    """Build a pool that was looked at: its machines run in its group, the `detached` ones outside.

    `inside` are further machines of the group that have no record; `members` and `instances` replace what AWS shows of
    single machines; `of_group` are fields of the group.
    """
    left = {machine_id(number) for number in detached}
    numbers = [number_of(made.metadata.name) for made in machines]
    known = PoolFacts(name=POOL)
    known.set_pool(of or pool())
    for made in machines:
        known.upsert_machine(made)
    for waiting in workspaces:
        known.upsert_workspace(waiting)
    everybody = [*numbers, *(inside or ())]
    shown = [(members or {}).get(number) or member(number) for number in everybody if machine_id(number) not in left]
    running = [(instances or {}).get(number) or instance(number) for number in everybody]
    known.observe(observation(group(shown, **of_group), running))
    return known


def ip_of(number: int) -> str:
    """Return the private address of a machine."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
