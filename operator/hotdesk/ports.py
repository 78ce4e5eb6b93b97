"""What the actors need from the world, and the errors it answers with."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hotdesk.api.lease import Lease, LeaseSpec
from hotdesk.api.v1alpha1 import (
    Claim,
    Machine,
    MachinePool,
    MachinePoolStatus,
    MachineStatus,
    Readiness,
    Reap,
    Workspace,
    WorkspaceStatus,
)
from hotdesk.core.eligibility import Priorities
from hotdesk.core.facts import Group, Instance, InstanceState, LaunchFailure


class HotdeskError(Exception):
    """Anything an adapter reports; the class says what to do about it."""


class Unanswered(HotdeskError):  # noqa: N818  # names the fact, as Conflict and NotFound do
    """No usable answer came: the call may have had its effect, or have it later. Read before acting again."""


class Conflict(HotdeskError):  # noqa: N818
    """The object has changed since it was read (or exists already). Read it again and plan anew."""


class NotFound(HotdeskError):  # noqa: N818
    """The object or group is not there."""


class Denied(HotdeskError):  # noqa: N818
    """We lack a permission; the message names it. Tell the user and try again later."""


class Throttled(HotdeskError):  # noqa: N818
    """Too many calls. Nothing happened; try again later."""


class Refused(HotdeskError):  # noqa: N818
    """The call was understood and refused, nothing happened. Look at the state, not at the text."""


class Fenced(HotdeskError):  # noqa: N818
    """This process may not act: nothing was sent."""


class Store(Protocol):
    """The Kubernetes API: parsed models in, patches guarded by the resourceVersion that was read out.

    Every writing method takes the object as it was read and answers with the object as it is now. It raises
    Conflict if the object changed meanwhile, NotFound if it is gone, Unanswered if the outcome is unknown,
    Denied without the permission, Refused if the API server finds the object invalid.
    """

    async def list_workspaces(self, known: Mapping[str, Workspace] | None = None) -> Sequence[Workspace]:
        """Every Workspace there is; one of `known`, by UID, is that same object if it has not changed."""

    async def list_machines(self, known: Mapping[str, Machine] | None = None) -> Sequence[Machine]:
        """Every Machine there is; one of `known`, by UID, is that same object if it has not changed."""

    async def list_pools(self) -> Sequence[MachinePool]:
        """Every MachinePool there is."""

    async def list_namespace_labels(self) -> Mapping[str, Mapping[str, str]]:
        """Return the labels of every namespace, by its name."""

    async def list_priorities(self) -> Priorities:
        """Return every PriorityClass, and which value is the default."""

    async def fetch_workspace(self, *, namespace: str, name: str) -> Workspace | None:
        """Read one Workspace past every cache; None if it does not exist."""

    async def fetch_machine(self, *, name: str) -> Machine | None:
        """Read one Machine past every cache; None if it does not exist."""

    async def create_machine(self, machine: Machine) -> Machine:
        """Create a Machine (its status is written separately); Conflict if it exists."""

    async def patch_machine(self, machine: Machine, *, claims: Sequence[Claim], reap: Reap | None = None) -> Machine:
        """Replace the machine's claims, and set `reap` unless None: the compare-and-swap of the claim protocol."""

    async def patch_machine_status(self, machine: Machine, status: MachineStatus) -> Machine:
        """Bring the machine's status from what was read to `status`."""

    async def delete_machine(self, machine: Machine) -> None:
        """Delete exactly the object that was read; an absent one is success."""

    async def patch_workspace_status(self, workspace: Workspace, status: WorkspaceStatus) -> Workspace:
        """Bring the workspace's status from what was read to `status`."""

    async def fetch_pool(self, *, name: str) -> MachinePool | None:
        """Read one MachinePool past every cache; None if it does not exist."""

    async def patch_pool_status(self, pool: MachinePool, status: MachinePoolStatus) -> MachinePool:
        """Bring the pool's status from what was read to `status`."""

    async def patch_pool_finalizers(self, pool: MachinePool, finalizers: Sequence[str]) -> MachinePool:
        """Replace the pool's finalizers."""


class Leases(Protocol):
    """The Leases of the replicas and of the pools, in one namespace.

    Writes are guarded by the resourceVersion that was read, and raise what the Store's raise. None of them asks
    whether this process may act: they are how it comes to.
    """

    async def list_leases(self) -> Sequence[Lease]:
        """Every Lease of ours."""

    async def fetch_lease(self, *, name: str) -> Lease | None:
        """Read one Lease past every cache; None if it does not exist."""

    async def create_lease(self, *, name: str, spec: LeaseSpec) -> Lease:
        """Create a Lease; Conflict if it exists."""

    async def patch_lease(self, lease: Lease, spec: LeaseSpec) -> Lease:
        """Merge a spec into a Lease that is still as it was read."""

    async def delete_lease(self, lease: Lease) -> None:
        """Delete exactly the Lease that was read; an absent one is success."""


class Fleet(Protocol):
    """Auto Scaling and EC2 in one region with one set of credentials.

    Reads raise Throttled, Denied or Unanswered. Writes raise these, NotFound for a group that does not exist and
    Refused for anything else; after Unanswered or Refused only a new describe tells what happened. No write is
    ever re-sent by the adapter. `Gone is success`: terminating what does not exist returns.
    """

    async def describe_groups(self, names: Collection[str]) -> Mapping[str, Group]:
        """Read groups by name; one that does not exist is absent. At most 50 names ride in one call."""

    async def describe_instances(self, ids: Collection[str]) -> Mapping[str, Instance]:
        """Instances by id; one that EC2 does not know is absent. At most 200 ids ride in one call."""

    async def describe_pool_instances(
        self, pools: Collection[str], *, states: Collection[InstanceState] | None = None
    ) -> Mapping[str, Instance]:
        """Every instance that carries the tag of one of these pools, in these states if given; pages of 1,000."""

    async def describe_launch_failures(self, *, group: str, since: datetime) -> Sequence[LaunchFailure]:
        """Failed launches since then, newest first."""

    async def describe_scaling_policies(self, *, group: str) -> Sequence[str]:
        """Names of the scaling policies that somebody attached to the group."""

    async def set_desired_capacity(self, *, group: str, desired: int) -> None:
        """Set desired capacity, absolute."""

    async def set_max_size(self, *, group: str, max_size: int) -> None:
        """Set MaxSize alone, never together with desired capacity."""

    async def configure_group(self, *, group: str) -> None:
        """Put right what UpdateAutoScalingGroup sets, capacity excepted.

        That is: protection of new instances, EC2 health checks only, MinSize 0, no capacity rebalancing, no maximum
        instance lifetime.
        """

    async def suspend_processes(self, *, group: str, processes: Collection[str]) -> None:
        """Suspend these Auto Scaling processes of the group."""

    async def tag_group(self, *, group: str, tags: Mapping[str, str]) -> None:
        """Set tags on the group that propagate to instances at launch."""

    async def protect(self, *, group: str, ids: Collection[str]) -> None:
        """Protect up to 50 members from scale-in."""

    async def tag_instances(self, *, ids: Collection[str], tags: Mapping[str, str]) -> None:
        """Write the same tags to all these instances in one call."""

    async def detach(self, *, group: str, ids: Collection[str]) -> None:
        """Take up to 20 members out of the group, desired capacity unchanged: AWS launches their replacement."""

    async def terminate_member(self, *, id: str) -> None:  # noqa: A002  # AWS's word, and ours, for it
        """Terminate one member through its group, desired capacity unchanged."""

    async def terminate_instance(self, *, id: str) -> None:  # noqa: A002
        """Terminate one instance that is no member of a group."""


class Fleets(Protocol):
    """Makes the Fleet for a pool's `aws` section; pools with the same region, endpoint and role share one."""

    def fleet(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> Fleet:
        """Return the Fleet; making it calls nothing."""


class Prober(Protocol):
    """Asks a machine whether it is ready."""

    async def is_ready(self, *, ip: str, readiness: Readiness) -> bool:
        """Return whether the probe succeeded within its time; never raises."""


class Clock(Protocol):
    """Time, for those who may not read a clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps."""


class Metrics(Protocol):
    """Counters that the actors fill."""

    def claim_published(self, *, pool: str, seconds: float) -> None:
        """Record one claim: seconds from the Workspace's arrival here to its IP being accepted by the API server."""

    def claim_hit(self, *, pool: str) -> None:
        """Count a workspace that found an idle slot at once."""

    def claim_missed(self, *, pool: str, cause: str) -> None:
        """Count a workspace that had to wait, with the cause."""

    def pool_counts(self, *, pool: str, counts: Mapping[str, int]) -> None:
        """Set the gauges of one pool (idle, booting, claimed, waiting, …)."""

    def unsecured_age(self, *, pool: str, seconds: float) -> None:
        """Set the age of the oldest claim whose machine is still within its group's reach."""

    def pool_removed(self, *, pool: str) -> None:
        """Forget the gauges of a pool that is gone."""

    def pool_left(self, *, pool: str) -> None:
        """Forget the gauges of a pool that another replica owns; what was counted here stays counted."""

    def pool_owned(self, *, pool: str) -> None:
        """Show that this replica owns a pool, until it is left."""

    def lease_renewed(self, *, outcome: str, seconds: float) -> None:
        """Count one try to renew this replica's Lease; the outcome is `ok` or the name of an error."""
