"""AWS's answers as facts, also where a field is missing, new or odd."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.adapters.aws import convert
from hotdesk.core.facts import FailureCause, Group, Instance, InstanceState, Member

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def instances(*raw: dict[str, Any]) -> dict[str, Instance]:
    return convert.instances_of({"Reservations": [{"Instances": list(raw)}]})


def test_instance_is_read_with_its_tags_and_addresses():
    raw = {
        "InstanceId": "i-1",
        "State": {"Code": 16, "Name": "running"},
        "Placement": {"AvailabilityZone": "eu-west-1a"},
        "InstanceType": "m5.large",
        "InstanceLifecycle": "spot",
        "PrivateIpAddress": "10.0.0.1",
        "PublicIpAddress": "192.0.2.1",
        "LaunchTime": NOON,
        "Tags": [{"Key": "a", "Value": "1"}],
    }
    assert instances(raw) == {
        "i-1": Instance(
            id="i-1",
            state=InstanceState.RUNNING,
            zone="eu-west-1a",
            instance_type="m5.large",
            private_ip="10.0.0.1",
            public_ip="192.0.2.1",
            spot=True,
            launched_at=NOON,
            tags={"a": "1"},
        )
    }


@pytest.mark.parametrize("state", [{"Name": "hibernating"}, {}, None])
def test_unknown_state_counts_as_a_live_machine_that_nobody_gets(state: dict[str, str] | None):
    (instance,) = instances({"InstanceId": "i-1", "State": state}).values()
    assert instance.state.is_live
    assert instance.state not in (InstanceState.RUNNING, InstanceState.PENDING)


@pytest.mark.parametrize(
    ("state", "reason", "ended_at"),
    [
        ("stopped", "User initiated (2026-01-01 12:00:00 GMT)", NOON),
        ("terminated", "Service initiated (2026-01-01 12:00:00 UTC)", NOON),
        ("shutting-down", "Server.SpotInstanceTermination: (2026-01-01 12:00:00 GMT)", NOON),
        ("terminated", "Server.SpotInstanceTermination", None),
        ("stopped", "User initiated (2026-13-01 12:00:00 GMT)", None),
        ("stopped", "User initiated (0001-01-01 12:00:00 GMT)", None),
        ("stopped", "", None),
        ("stopped", None, None),
        ("running", "User initiated (2026-01-01 12:00:00 GMT)", None),
    ],
)
def test_the_time_of_the_end_is_read_where_aws_gives_one(state: str, reason: str | None, ended_at: datetime | None):
    raw = {"InstanceId": "i-1", "State": {"Name": state}, "StateTransitionReason": reason}
    assert instances(raw)["i-1"].ended_at == ended_at


@pytest.mark.parametrize("nameless", [{"State": {"Name": "running"}}, {"InstanceId": ""}])
def test_an_answer_that_leaves_out_an_id_is_none_for_what_is_left_out_counts_as_gone(nameless: dict[str, Any]):
    with pytest.raises(ValueError, match="InstanceId"):
        instances({"InstanceId": "i-1"}, nameless)


@pytest.mark.parametrize("answer", [{}, {"Reservations": None}, {"Reservations": [{}]}])
def test_an_answer_that_leaves_out_the_list_is_none(answer: dict[str, Any]):
    with pytest.raises(ValueError, match="it does not say which"):
        convert.instances_of(answer)


def test_group_is_read_with_the_tags_that_propagate():
    answer = {
        "AutoScalingGroups": [
            {
                "AutoScalingGroupName": "g",
                "DesiredCapacity": 2,
                "MinSize": 1,
                "MaxSize": 5,
                "NewInstancesProtectedFromScaleIn": True,
                "HealthCheckType": "EC2,ELB",
                "CapacityRebalance": True,
                "MaxInstanceLifetime": 86400,
                "Status": "Delete in progress",
                "SuspendedProcesses": [{"ProcessName": "AZRebalance", "SuspensionReason": "user"}],
                "Instances": [
                    {
                        "InstanceId": "i-1",
                        "LifecycleState": "InService",
                        "AvailabilityZone": "a",
                        "HealthStatus": "Unhealthy",
                        "ProtectedFromScaleIn": True,
                    }
                ],
                "Tags": [
                    {"Key": "ours", "Value": "1", "PropagateAtLaunch": True},
                    {"Key": "theirs", "Value": "2", "PropagateAtLaunch": False},
                ],
            }
        ]
    }
    assert convert.groups_of(answer) == {
        "g": Group(
            name="g",
            desired=2,
            min_size=1,
            max_size=5,
            members={"i-1": Member("i-1", "InService", "a", healthy=False, protected=True)},
            protects_new=True,
            suspended=frozenset({"AZRebalance"}),
            health_check="EC2,ELB",
            capacity_rebalance=True,
            max_instance_lifetime=86400,
            tags={"ours": "1"},
            deleting=True,
        )
    }


BARE = {"AutoScalingGroupName": "g", "MinSize": 0, "MaxSize": 4, "DesiredCapacity": 2, "Instances": []}


def test_bare_group_reads_as_one_that_has_nothing_set():
    read = convert.groups_of({"AutoScalingGroups": [BARE]})
    assert read == {"g": Group(name="g", desired=2, min_size=0, max_size=4, health_check="unknown")}


@pytest.mark.parametrize("missing", ["MaxSize", "DesiredCapacity", "Instances"])
def test_a_group_without_what_the_fence_is_read_from_is_no_answer(missing: str):
    with pytest.raises(ValueError, match=missing):
        convert.groups_of({"AutoScalingGroups": [{**BARE, missing: None}]})


def test_a_member_of_unknown_health_is_not_healthy():
    (member,) = convert.groups_of({"AutoScalingGroups": [{**BARE, "Instances": [{"InstanceId": "i-1"}]}]})[
        "g"
    ].members.values()
    assert not member.healthy
    assert not member.protected


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "We currently do not have sufficient m5.large capacity in the Availability Zone you requested (eu-1a).",
            FailureCause.CAPACITY,
        ),
        ("Could not launch On-Demand Instances. InsufficientInstanceCapacity - …", FailureCause.CAPACITY),
        ("There is no Spot capacity available that matches your request.", FailureCause.CAPACITY),
        (
            "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket",
            FailureCause.QUOTA,
        ),
        ("Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count", FailureCause.QUOTA),
        ("Client.InternalError: Client error on launch", FailureCause.CONFIGURATION),
        ("The image id '[ami-1]' does not exist. Launching EC2 instance failed.", FailureCause.CONFIGURATION),
        ("The security group 'sg-1' does not exist in VPC 'vpc-1'", FailureCause.CONFIGURATION),
        ("A brand-new reason", FailureCause.OTHER),
    ],
)
def test_failed_launch_is_sorted_by_what_a_person_would_do(message: str, cause: FailureCause):
    assert convert.cause_of(message) is cause


def test_only_failed_launches_since_then_are_listed_newest_first():
    def activity(minutes: int, status: str, description: str = "Launching a new EC2 instance: i-1") -> dict[str, Any]:
        at = NOON + timedelta(minutes=minutes)
        return {"StartTime": at, "StatusCode": status, "Description": description, "StatusMessage": f"at {minutes}"}

    answer = {
        "Activities": [
            activity(1, "Failed"),
            activity(3, "Cancelled"),
            activity(2, "Failed"),
            activity(4, "Successful"),
            activity(5, "Failed", "Terminating EC2 instance: i-2"),
            activity(-1, "Failed"),
        ]
    }
    assert [f.message for f in convert.launch_failures_of(answer, since=NOON)] == ["at 3", "at 2", "at 1"]


def test_reason_is_taken_from_the_description_where_no_message_came():
    text = "Launching a new EC2 instance.  Status Reason: The image id 'ami-1' does not exist."
    answer = {"Activities": [{"StartTime": NOON, "StatusCode": "Failed", "Description": text}]}
    (failure,) = convert.launch_failures_of(answer, since=NOON)
    assert failure.cause is FailureCause.CONFIGURATION


_WORDS = st.sampled_from(["", "running", "Running", "new state"])
_ODD = st.one_of(st.none(), st.just(""), st.just({}), st.just([]))


@given(
    st.fixed_dictionaries(
        {"InstanceId": st.just("i-1")},
        optional={
            "State": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"Name": _WORDS})),
            "Placement": st.one_of(st.none(), st.just({})),
            "InstanceType": _ODD,
            "PrivateIpAddress": st.one_of(st.none(), st.just("")),
            "Tags": st.one_of(st.none(), st.lists(st.fixed_dictionaries({}, optional={"Key": _WORDS}))),
            "SomethingNew": st.integers(),
        },
    )
)
def test_no_odd_instance_stops_the_operator(raw: dict[str, Any]):
    assert set(instances(raw)) == {"i-1"}
