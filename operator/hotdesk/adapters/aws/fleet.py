"""The Fleet port on EC2 Auto Scaling and EC2."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from hotdesk.adapters.aws import convert
from hotdesk.adapters.aws.calls import Answer, Calls, Parameters
from hotdesk.adapters.aws.clients import Service
from hotdesk.core.facts import Group, Instance, InstanceState, LaunchFailure, Leftover
from hotdesk.core.tags import POOL_TAG, RESTORE_TAG
from hotdesk.ports import NotFound, Refused, Unanswered

T = TypeVar("T")

_GROUPS_PER_CALL: Final = 50
_FILTER_VALUES: Final = 200  # EC2's limit of values in one filter
_EC2_PAGE: Final = 1000
_EBS_PAGE: Final = 500
_AUTO_SCALING_PAGE: Final = 100
_TAGS_PER_CALL: Final = 25


class AwsFleet:
    """Auto Scaling and EC2 in one region with one set of credentials; see `hotdesk.ports.Fleet` for the contract."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @property
    def calls(self) -> Calls:
        """What it calls through."""
        return self._calls

    async def describe_groups(self, names: Collection[str]) -> Mapping[str, Group]:
        """Return groups by name; an unknown one is absent."""
        found: dict[str, Group] = {}
        for batch in _batches(names, size=_GROUPS_PER_CALL):
            asked = {"AutoScalingGroupNames": batch, "MaxRecords": _AUTO_SCALING_PAGE}
            async for groups in self._pages("autoscaling", "DescribeAutoScalingGroups", asked, convert.groups_of):
                found |= groups
        return found

    async def describe_instances(self, ids: Collection[str]) -> Mapping[str, Instance]:
        """Return instances by id; asked for by filter, since naming one unknown id would fail the whole call."""
        return await self._instances(filter_name="instance-id", values=ids)

    async def describe_pool_instances(
        self, pools: Collection[str], *, states: Collection[InstanceState] | None = None
    ) -> Mapping[str, Instance]:
        """Return every instance with a pool's tag, in these states if given; EC2 shows ended ones for about an hour."""
        return await self._instances(filter_name=f"tag:{POOL_TAG}", values=pools, states=states)

    async def describe_launch_failures(self, *, group: str, since: datetime) -> Sequence[LaunchFailure]:
        """Return failed launches since then, newest first; none if the group does not exist."""
        failures: list[LaunchFailure] = []
        since_then = partial(convert.launch_failures_of, since=since)
        asked: Parameters = {
            "AutoScalingGroupName": group,
            "MaxRecords": _AUTO_SCALING_PAGE,
            "Filters": [{"Name": "StartTimeLowerBound", "Values": [since.isoformat()]}],
        }
        try:
            async for page in self._pages("autoscaling", "DescribeScalingActivities", asked, since_then):
                failures += page
        except NotFound:
            return []
        return failures

    async def describe_scaling_policies(self, *, group: str) -> Sequence[str]:
        """Return names of the group's scaling policies; none if the group does not exist."""
        names: list[str] = []
        asked = {"AutoScalingGroupName": group, "MaxRecords": _AUTO_SCALING_PAGE}
        try:
            async for page in self._pages("autoscaling", "DescribePolicies", asked, convert.policy_names_of):
                names += page
        except NotFound:
            return []
        return names

    async def describe_leftovers(self, *, pool: str) -> Sequence[Leftover]:
        """Return volumes that are attached to nothing or were made for a restore, and snapshots that failed."""
        tag = {"Name": f"tag:{POOL_TAG}", "Values": [pool]}
        loose = {"Filters": [tag, {"Name": "status", "Values": ["available", "error"]}], "MaxResults": _EBS_PAGE}
        attached = [tag, {"Name": "tag-key", "Values": [RESTORE_TAG]}, {"Name": "status", "Values": ["in-use"]}]
        snapshots = {**loose, "Filters": [tag, {"Name": "status", "Values": ["error"]}], "OwnerIds": ["self"]}
        found: list[Leftover] = []
        for volumes in (loose, {**loose, "Filters": attached}):
            async for page in self._pages("ec2", "DescribeVolumes", volumes, convert.volumes_of):
                found += page
        async for page in self._pages("ec2", "DescribeSnapshots", snapshots, convert.snapshots_of):
            found += page
        return found

    async def set_desired_capacity(self, *, group: str, desired: int) -> None:
        """Set desired capacity at once, without waiting for the group's cooldown."""
        await self._calls.write(
            "autoscaling",
            "SetDesiredCapacity",
            {"AutoScalingGroupName": group, "DesiredCapacity": desired, "HonorCooldown": False},
        )

    async def set_max_size(self, *, group: str, max_size: int) -> None:
        """Set MaxSize alone. AWS lowers desired capacity with it where that is higher."""
        await self._update(group, {"MaxSize": max_size})

    async def configure_group(self, *, group: str) -> None:
        """Put right what UpdateAutoScalingGroup sets, capacity excepted. A lifetime of 0 removes the maximum."""
        await self._update(
            group,
            {
                "NewInstancesProtectedFromScaleIn": True,
                "HealthCheckType": "EC2",
                "MinSize": 0,
                "CapacityRebalance": False,
                "MaxInstanceLifetime": 0,
            },
        )

    async def suspend_processes(self, *, group: str, processes: Collection[str]) -> None:
        """Suspend these processes; nothing is called for an empty list, which AWS would take for all of them."""
        if processes:
            asked = {"AutoScalingGroupName": group, "ScalingProcesses": sorted(processes)}
            await self._calls.write("autoscaling", "SuspendProcesses", asked)

    async def tag_group(self, *, group: str, tags: Mapping[str, str]) -> None:
        """Set tags that propagate to instances at launch."""
        whose = {"ResourceId": group, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
        for keys in _batches(tags, size=_TAGS_PER_CALL):
            asked = [{**whose, "Key": key, "Value": tags[key]} for key in keys]
            await self._calls.write("autoscaling", "CreateOrUpdateTags", {"Tags": asked})

    async def protect(self, *, group: str, ids: Collection[str]) -> None:
        """Protect up to 50 members from scale-in; one id that is no member refuses the whole call."""
        asked = {"AutoScalingGroupName": group, "InstanceIds": list(ids), "ProtectedFromScaleIn": True}
        await self._calls.write("autoscaling", "SetInstanceProtection", asked)

    async def tag_instances(self, *, ids: Collection[str], tags: Mapping[str, str]) -> None:
        """Write the same tags to all these instances in one call, up to 1,000 of them."""
        asked = [{"Key": key, "Value": value} for key, value in tags.items()]
        await self._calls.write("ec2", "CreateTags", {"Resources": list(ids), "Tags": asked})

    async def detach(self, *, group: str, ids: Collection[str]) -> None:
        """Take up to 20 members out, desired unchanged; one that cannot be detached refuses the whole call."""
        asked = {
            "AutoScalingGroupName": group,
            "InstanceIds": list(ids),
            "ShouldDecrementDesiredCapacity": False,  # relative, and a repetition would count twice: never True
        }
        await self._calls.write("autoscaling", "DetachInstances", asked)

    async def terminate_member(self, *, id: str) -> None:  # noqa: A002  # the port's word
        """Terminate through the group, desired unchanged; returns if it is no member, or on its way out already."""
        asked = {"InstanceId": id, "ShouldDecrementDesiredCapacity": False}
        try:
            await self._calls.write("autoscaling", "TerminateInstanceInAutoScalingGroup", asked)
        except (NotFound, Refused):
            # AWS's words for "gone", "leaving" and "in a warm pool" are alike, so the state decides.
            if await self._is_staying(id):
                raise

    async def terminate_instance(self, *, id: str) -> None:  # noqa: A002
        """Terminate by EC2, one id a call: in a batch one bad or guarded id fails its neighbours."""
        try:
            await self._calls.write("ec2", "TerminateInstances", {"InstanceIds": [id]})
        except Refused:
            if await self.describe_instances([id]):
                raise

    async def delete_leftover(self, *, id: str) -> None:  # noqa: A002
        """Delete one volume or snapshot, which the prefix of its id tells apart."""
        kind, read = ("Snapshot", convert.snapshots_of) if id.startswith("snap-") else ("Volume", convert.volumes_of)
        try:
            await self._calls.write("ec2", f"Delete{kind}", {f"{kind}Id": id})
        except Refused:
            asked = {"Filters": [{"Name": f"{kind.lower()}-id", "Values": [id]}]}
            if any([page async for page in self._pages("ec2", f"Describe{kind}s", asked, read)]):
                raise

    async def stop_instance(self, *, id: str) -> None:  # noqa: A002
        """Stop one instance; EC2 refuses spot machines and those whose stop protection is on."""
        await self._calls.write("ec2", "StopInstances", {"InstanceIds": [id]})

    async def start_instance(self, *, id: str) -> None:  # noqa: A002
        """Start one instance; EC2 refuses one that is still stopping."""
        await self._calls.write("ec2", "StartInstances", {"InstanceIds": [id]})

    async def protect_from_stop(self, *, id: str, protect: bool) -> None:  # noqa: A002
        """Set the attribute disableApiStop."""
        asked = {"InstanceId": id, "DisableApiStop": {"Value": protect}}
        await self._calls.write("ec2", "ModifyInstanceAttribute", asked)

    def close(self) -> None:
        """Take no more calls."""
        self._calls.close()

    async def _is_staying(self, id: str) -> bool:  # noqa: A002
        asked = {"InstanceIds": [id]}
        page = await self._calls.read("autoscaling", "DescribeAutoScalingInstances", asked, convert.lifecycles_of)
        return id in page.facts and not page.facts[id].startswith("Terminat")

    async def _instances(
        self, *, filter_name: str, values: Collection[str], states: Collection[InstanceState] | None = None
    ) -> Mapping[str, Instance]:
        found: dict[str, Instance] = {}
        wanted = [{"Name": "instance-state-name", "Values": sorted(states)}] if states is not None else []
        for batch in _batches(values, size=_FILTER_VALUES):
            asked = {"Filters": [{"Name": filter_name, "Values": batch}, *wanted], "MaxResults": _EC2_PAGE}
            async for instances in self._pages("ec2", "DescribeInstances", asked, convert.instances_of):
                found |= instances
        return found

    async def _update(self, group: str, changes: Parameters) -> None:
        await self._calls.write("autoscaling", "UpdateAutoScalingGroup", {"AutoScalingGroupName": group, **changes})

    async def _pages(
        self, service: Service, operation: str, asked: Parameters, converted: Callable[[Answer], T]
    ) -> AsyncIterator[T]:
        token: str | None = None
        while True:
            page = await self._calls.read(
                service, operation, asked if token is None else {**asked, "NextToken": token}, converted
            )
            yield page.facts
            if page.next_token is None:
                return
            if page.next_token == token:
                raise Unanswered(f"{service}:{operation} has no end: it gave the same NextToken twice")
            token = page.next_token


def _batches(values: Collection[str], *, size: int) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
