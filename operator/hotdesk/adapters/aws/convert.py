"""What AWS's answers say, as facts. Pure, and patient with fields that are missing, new or odd.

An instance state that we do not know counts as `stopping`: the machine still counts against `maxMachines`, is never
handed out and is never taken for gone, which is right for anything AWS may add.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hotdesk.core.facts import FailureCause, Group, Instance, InstanceState, LaunchFailure, Member

_STATES: Final = {state.value: state for state in InstanceState}
_NO_TAGS: Final[Mapping[str, str]] = {}
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_FAILED: Final = frozenset({"Failed", "Cancelled"})
# EC2's texts and error codes as they appear in a scaling activity's status message, in lower case.
_CAPACITY: Final = (
    *("do not have sufficient", "insufficientinstancecapacity", "insufficienthostcapacity", "no spot capacity"),
    *("insufficientfreeaddressesinsubnet", "does not have enough free addresses"),
)
_QUOTA: Final = (
    *("vcpu capacity than your current vcpu limit", "vcpulimitexceeded", "instancelimitexceeded"),
    *("maxspotinstancecountexceeded", "volumelimitexceeded"),
)
_CONFIGURATION: Final = (
    *("client.internalerror", "does not exist", "invalidamiid", "invalidgroup", "invalidkeypair", "invalidsubnet"),
    *("invalidparameter", "invalid iam instance profile", "launch template", "launchtemplate", "is not supported"),
    *("not authorized", "unauthorizedoperation"),
)
_CAUSES: Final = (
    (FailureCause.CAPACITY, _CAPACITY),
    (FailureCause.QUOTA, _QUOTA),
    (FailureCause.CONFIGURATION, _CONFIGURATION),
)


def instances_of(answer: Mapping[str, Any]) -> dict[str, Instance]:
    """Return the instances of a DescribeInstances answer, by id."""
    return {
        raw["InstanceId"]: _instance(raw)
        for reservation in answer.get("Reservations") or ()
        for raw in reservation.get("Instances") or ()
        if raw.get("InstanceId")
    }


def groups_of(answer: Mapping[str, Any]) -> dict[str, Group]:
    """Return the groups of a DescribeAutoScalingGroups answer, by name."""
    return {
        raw["AutoScalingGroupName"]: _group(raw)
        for raw in answer.get("AutoScalingGroups") or ()
        if raw.get("AutoScalingGroupName")
    }


def lifecycles_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the LifecycleState of the instances that a DescribeAutoScalingInstances answer lists, by id."""
    return {
        raw["InstanceId"]: str(raw.get("LifecycleState") or "")
        for raw in answer.get("AutoScalingInstances") or ()
        if raw.get("InstanceId")
    }


def launch_failures_of(answer: Mapping[str, Any], *, since: datetime) -> list[LaunchFailure]:
    """Return the failed launches of a DescribeScalingActivities answer that began at `since` or later, newest first."""
    failures = [_failure(raw) for raw in answer.get("Activities") or () if _is_failed_launch(raw)]
    return sorted((f for f in failures if f.at >= since), key=lambda failure: failure.at, reverse=True)


def cause_of(message: str) -> FailureCause:
    """Sort a status message by what a person would have to do."""
    text = message.lower()
    for cause, signs in _CAUSES:
        if any(sign in text for sign in signs):
            return cause
    return FailureCause.OTHER


def policy_names_of(answer: Mapping[str, Any]) -> list[str]:
    """Return the policy names of a DescribePolicies answer."""
    return [raw["PolicyName"] for raw in answer.get("ScalingPolicies") or () if raw.get("PolicyName")]


def _instance(raw: Mapping[str, Any]) -> Instance:
    return Instance(
        id=raw["InstanceId"],
        state=_STATES.get((raw.get("State") or _NO_TAGS).get("Name", ""), InstanceState.STOPPING),
        zone=(raw.get("Placement") or _NO_TAGS).get("AvailabilityZone", ""),
        instance_type=raw.get("InstanceType") or "",
        private_ip=raw.get("PrivateIpAddress") or None,
        public_ip=raw.get("PublicIpAddress") or None,
        spot=raw.get("InstanceLifecycle") == "spot",
        launched_at=raw.get("LaunchTime"),
        tags=_tags(raw.get("Tags") or ()),
    )


def _group(raw: Mapping[str, Any]) -> Group:
    return Group(
        name=raw["AutoScalingGroupName"],
        desired=raw.get("DesiredCapacity") or 0,
        min_size=raw.get("MinSize") or 0,
        max_size=raw.get("MaxSize") or 0,
        members={m["InstanceId"]: _member(m) for m in raw.get("Instances") or () if m.get("InstanceId")},
        protects_new=bool(raw.get("NewInstancesProtectedFromScaleIn")),
        suspended=frozenset(p["ProcessName"] for p in raw.get("SuspendedProcesses") or () if p.get("ProcessName")),
        health_check=raw.get("HealthCheckType") or "EC2",
        capacity_rebalance=bool(raw.get("CapacityRebalance")),
        max_instance_lifetime=raw.get("MaxInstanceLifetime") or None,
        tags=_tags(tag for tag in raw.get("Tags") or () if tag.get("PropagateAtLaunch")),
        deleting=bool(raw.get("Status")),  # AWS sends it only while the group is being deleted
    )


def _member(raw: Mapping[str, Any]) -> Member:
    return Member(
        id=raw["InstanceId"],
        lifecycle=raw.get("LifecycleState") or "",
        zone=raw.get("AvailabilityZone") or "",
        healthy=(raw.get("HealthStatus") or "Healthy").lower() == "healthy",
        protected=bool(raw.get("ProtectedFromScaleIn")),
    )


def _tags(raw: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value") or "" for tag in raw if tag.get("Key")}


def _is_failed_launch(raw: Mapping[str, Any]) -> bool:
    return raw.get("StatusCode") in _FAILED and str(raw.get("Description") or "").startswith("Launching")


def _failure(raw: Mapping[str, Any]) -> LaunchFailure:
    # The reason is in StatusMessage; in older records only behind the description's "Status Reason:".
    message = str(raw.get("StatusMessage") or raw.get("Description") or "AWS gave no reason")
    return LaunchFailure(at=raw.get("StartTime") or _LONG_AGO, cause=cause_of(message), message=message)
