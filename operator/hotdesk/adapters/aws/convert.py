"""What AWS's answers say, as facts. Pure, and patient with fields that are missing, new or odd.

An instance state that we do not know counts as `stopping`: the machine still counts against `maxMachines`, is never
handed out and is never taken for gone, which is right for anything AWS may add. So it is with every field: what is
missing makes nothing safe. Where only absence could be read from it (a list that is not there, a machine without its
id, a group without its sizes) the answer is none: ValueError.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hotdesk.core.facts import FailureCause, Group, Instance, InstanceState, LaunchFailure, Leftover, Member
from hotdesk.core.tags import BACKUP_TAG, RESTORE_TAG, UID_TAG

_STATES: Final = {state.value: state for state in InstanceState}
_NOTHING: Final[Mapping[str, str]] = {}
_LARGEST: Final = 1_000_000  # members; far above what AWS lets a group have
_YEARS: Final = range(2000, 3000)  # what every calculation and every stored time can hold
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_FAILED: Final = frozenset({"Failed", "Cancelled"})
_UNATTACHED: Final = frozenset({"available", "error"})
_UP: Final = frozenset({"pending", "running"})
# "User initiated (2026-05-09 07:29:33 GMT)"; of some interruptions AWS gives no time.
_ENDED: Final = re.compile(r"\(([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) (?:GMT|UTC)\)")
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
        (name := _name(raw, "InstanceId")): _instance(name, raw)
        for reservation in _listed(answer, "Reservations")
        for raw in _listed(reservation, "Instances")
    }


def groups_of(answer: Mapping[str, Any]) -> dict[str, Group]:
    """Return the groups of a DescribeAutoScalingGroups answer, by name."""
    return {
        (name := _name(raw, "AutoScalingGroupName")): _group(name, raw) for raw in _listed(answer, "AutoScalingGroups")
    }


def lifecycles_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the LifecycleState of the instances that a DescribeAutoScalingInstances answer lists, by id."""
    return {_name(raw, "InstanceId"): _text(raw, "LifecycleState") for raw in _listed(answer, "AutoScalingInstances")}


def launch_failures_of(answer: Mapping[str, Any], *, since: datetime) -> list[LaunchFailure]:
    """Return the failed launches of a DescribeScalingActivities answer that began at `since` or later, newest first."""
    failures = [_failure(raw) for raw in _listed(answer, "Activities") if _is_failed_launch(raw)]
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
    return [name for raw in _listed(answer, "ScalingPolicies") if (name := _text(raw, "PolicyName"))]


def volumes_of(answer: Mapping[str, Any]) -> list[Leftover]:
    """Return the volumes of a DescribeVolumes answer."""
    return [_volume(raw) for raw in _listed(answer, "Volumes")]


def snapshots_of(answer: Mapping[str, Any]) -> list[Leftover]:
    """Return the snapshots of a DescribeSnapshots answer."""
    return [_snapshot(raw) for raw in _listed(answer, "Snapshots")]


def _volume(raw: Mapping[str, Any]) -> Leftover:
    tags = _tags(raw.get("Tags") or ())
    restores = tags.get(UID_TAG, "") if RESTORE_TAG in tags else None
    is_spare = restores is not None and raw.get("State") in _UNATTACHED and not raw.get("Attachments")
    return Leftover(_name(raw, "VolumeId"), _moment(raw.get("CreateTime")), restores, is_spare=is_spare)


def _snapshot(raw: Mapping[str, Any]) -> Leftover:
    is_spare = BACKUP_TAG in _tags(raw.get("Tags") or ()) and raw.get("State") == "error"
    return Leftover(_name(raw, "SnapshotId"), _moment(raw.get("StartTime")), is_spare=is_spare)


def _instance(name: str, raw: Mapping[str, Any]) -> Instance:
    return Instance(
        id=name,
        state=_STATES.get(_text(raw.get("State") or _NOTHING, "Name"), InstanceState.STOPPING),
        zone=_text(raw.get("Placement") or _NOTHING, "AvailabilityZone"),
        instance_type=_text(raw, "InstanceType"),
        private_ip=_text(raw, "PrivateIpAddress") or None,
        public_ip=_text(raw, "PublicIpAddress") or None,
        spot=raw.get("InstanceLifecycle") == "spot",
        launched_at=_moment(raw.get("LaunchTime")),
        ended_at=_end(raw),
        tags=_tags(raw.get("Tags") or ()),
    )


def _group(name: str, raw: Mapping[str, Any]) -> Group:
    return Group(
        name=name,
        desired=_size(raw, "DesiredCapacity"),
        min_size=_size(raw, "MinSize"),
        max_size=_size(raw, "MaxSize"),
        members={(member := _name(m, "InstanceId")): _member(member, m) for m in _listed(raw, "Instances")},
        protects_new=raw.get("NewInstancesProtectedFromScaleIn") is True,
        suspended=frozenset(_text(process, "ProcessName") for process in raw.get("SuspendedProcesses") or ()),
        health_check=_text(raw, "HealthCheckType") or "unknown",
        capacity_rebalance=bool(raw.get("CapacityRebalance")),
        max_instance_lifetime=raw.get("MaxInstanceLifetime") or None,
        tags=_tags(tag for tag in raw.get("Tags") or () if tag.get("PropagateAtLaunch") is True),
        deleting=bool(raw.get("Status")),  # AWS sends it only while the group is being deleted
    )


def _member(name: str, raw: Mapping[str, Any]) -> Member:
    return Member(
        id=name,
        lifecycle=_text(raw, "LifecycleState"),
        zone=_text(raw, "AvailabilityZone"),
        healthy=_text(raw, "HealthStatus").lower() == "healthy",
        protected=raw.get("ProtectedFromScaleIn") is True,
    )


def _tags(raw: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {key: _text(tag, "Value") for tag in raw if (key := _text(tag, "Key"))}


def _is_failed_launch(raw: Mapping[str, Any]) -> bool:
    return _text(raw, "StatusCode") in _FAILED and _text(raw, "Description").startswith("Launching")


def _failure(raw: Mapping[str, Any]) -> LaunchFailure:
    # The reason is in StatusMessage; in older records only behind the description's "Status Reason:".
    message = _text(raw, "StatusMessage") or _text(raw, "Description") or "AWS gave no reason"
    return LaunchFailure(at=_moment(raw.get("StartTime")) or _LONG_AGO, cause=cause_of(message), message=message)


def _listed(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return a list that AWS sends even where nothing is listed."""
    found = raw.get(key)
    if not isinstance(found, list):
        raise ValueError(f"it does not say which {key} there are")  # noqa: TRY004  # of the answer, not of a type
    return found


def _name(raw: Mapping[str, Any], key: str) -> str:
    name = _text(raw, key)
    if not name:
        raise ValueError(f"it lists something without its {key}")
    return name


def _size(raw: Mapping[str, Any], key: str) -> int:
    size = raw.get(key)
    if not isinstance(size, int) or not 0 <= size <= _LARGEST:
        raise ValueError(f"it gives {size!r} as a group's {key}")
    return size


def _text(raw: Mapping[str, Any], key: str) -> str:
    text = raw.get(key)
    return text if isinstance(text, str) else ""


def _end(raw: Mapping[str, Any]) -> datetime | None:
    """Return when an instance was told to stop or to terminate, if AWS says so; the latest counts."""
    found = _ENDED.search(_text(raw, "StateTransitionReason"))
    if found is None or _text(raw.get("State") or _NOTHING, "Name") in _UP:
        return None
    try:
        return _moment(datetime.fromisoformat(found[1]))
    except ValueError:
        return None


def _moment(value: object) -> datetime | None:
    """Return a time in UTC; one that no clock of AWS can have shown is none."""
    if not isinstance(value, datetime) or value.year not in _YEARS:
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
