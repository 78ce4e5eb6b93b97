"""What the actors need from AWS."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hotdesk.api.v1alpha1 import Backup
from hotdesk.core.announcements import Announcement
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress
from hotdesk.core.facts import Group, Instance, InstanceState, LaunchFailure, Leftover
from hotdesk.core.usage import Interval


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

    async def describe_leftovers(self, *, pool: str) -> Sequence[Leftover]:
        """Volumes of the pool that are attached to nothing or were made for a restore, and its failed snapshots."""

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

    async def delete_leftover(self, *, id: str) -> None:  # noqa: A002  # as below
        """Delete one volume or snapshot; one that is gone stays so. Raises Refused while it is in use."""

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

    async def stop_instance(self, *, id: str) -> None:  # noqa: A002
        """Stop one instance that is no member of a group; one that is stopped stays so."""

    async def start_instance(self, *, id: str) -> None:  # noqa: A002
        """Start one stopped instance; one that runs stays so. Raises InsufficientCapacity where AWS has no room."""

    async def protect_from_stop(self, *, id: str, protect: bool) -> None:  # noqa: A002
        """Switch EC2's stop protection of one instance on or off."""


class Fleets(Protocol):
    """Makes what a pool's `aws` section asks for; pools with the same region, endpoint and role share it."""

    def fleet(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> Fleet:
        """Return the Fleet; making it calls nothing."""

    def interruptions(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> "Interruptions":
        """Return the queues of the same region, endpoint and role; making it calls nothing."""

    def vault(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> "Vault":
        """Return the Vault; making it calls nothing."""


class Vault(Protocol):
    """Where the files of workspaces are kept, beyond the life of a machine.

    Both long jobs advance by being asked: each call does the next step that is due and tells where the job stands, so
    that whoever asks next, after a crash or in another process, goes on from what AWS itself remembers. A step that
    was begun is never begun twice. They raise what reads of the Fleet raise; what AWS refuses, and what a machine
    reports as failed, is the progress `Failed` with a sentence: the next call after it begins anew.
    """

    async def back_up(self, job: BackupJob) -> BackupProgress:
        """Advance one backup: Running, Failed, or Done with the proof, which was verified just now."""

    async def restore(self, job: RestoreJob) -> RestoreProgress:
        """Advance one restore: Running, Failed, or Done; once done it stays so for its machine and claim."""

    async def find(self, *, pool: str, backup: Backup, namespace: str, uid: str) -> Sequence[Kept]:
        """Return the verified backups of one workspace, the newest first; it may be long gone."""

    async def find_by_id(self, *, backup: Backup, id: str) -> Kept | None:  # noqa: A002
        """Return one verified backup by its id, or None; the caller checks whose it is."""

    async def prune(self, *, pool: str, backup: Backup, namespace: str, uid: str, keep: Collection[str]) -> None:
        """Delete the workspace's backups except those with these ids."""


class Ledger(Protocol):
    """The record of who used machines for how long, which finance reads."""

    async def write(self, interval: Interval) -> Interval:
        """Keep one interval, once and only once, and return what is kept: count that.

        Writing the same interval again changes nothing; if it is said to have ended at another time, the first word
        stands. Raises Throttled, Denied, Refused, Unanswered or Fenced: then it may be kept or not; write it again.
        """


class Interruptions(Protocol):
    """What AWS announces before it happens: an SQS queue with messages of EventBridge.

    Both raise Throttled, Denied or Unanswered. A message may come twice, late, or after a newer one.
    """

    async def receive(self, *, queue_url: str) -> Sequence[Announcement]:
        """Wait up to 20 s for messages. Those that cannot be read stay in the queue, useless ones are deleted."""

    async def delete(self, *, queue_url: str, receipts: Collection[str]) -> None:
        """Delete messages that were handled; what is not deleted comes again."""
