"""What a client does with members: protect, detach, stand by, attach, terminate. AWS's exact refusals."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import NEVER, Cloud
from waiting import wait_for

UNKNOWN = "i-0123456789abcdef0"


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_detached_machine_runs_on_with_every_tag_but_the_groups(cloud: Cloud):
    group = cloud.group(desired=1, Tags=[{"Key": "pool", "Value": "u1", "PropagateAtLaunch": True}])
    (machine,) = cloud.members(group)
    cloud.detach(group, [machine])
    cloud.replacement(group, machine)
    assert cloud.state(machine) == "running"
    assert cloud.tags(machine)["pool"] == "u1"
    assert "aws:autoscaling:groupName" not in cloud.tags(machine)
    assert cloud.machine(machine)["protected"] is False
    assert cloud.describe(group)["DesiredCapacity"] == 1


def test_detaching_takes_a_moment_in_which_the_replacement_starts(cloud: Cloud):
    cloud.configure(detach=NEVER)
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    answer = cloud.detach(group, [machine])
    assert answer["Activities"][0]["Description"] == f"Detaching EC2 instance: {machine}"
    assert answer["Activities"][0]["StatusCode"] == "InProgress"
    wait_for(lambda: len(cloud.members(group)) == 2, what="a replacement starts")
    assert cloud.members(group)[machine]["LifecycleState"] == "Detaching"
    cloud.configure(detach=0)
    cloud.replacement(group, machine)


def test_a_second_detach_is_refused_and_changes_nothing(cloud: Cloud):
    cloud.configure(detach=NEVER)
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.detach(group, [machine])
    with pytest.raises(ClientError) as while_detaching:
        cloud.detach(group, [machine])
    assert refusal(while_detaching) == ("ValidationError", f"The instance {machine} is not in InService or Standby.")
    cloud.configure(detach=0)
    cloud.replacement(group, machine)
    with pytest.raises(ClientError) as afterwards:
        cloud.detach(group, [machine])
    assert refusal(afterwards) == (
        "ValidationError",
        f"The instance {machine} is not part of Auto Scaling group {group}.",
    )


def test_one_bad_id_detaches_nobody(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    with pytest.raises(ClientError, match="is not part of Auto Scaling group"):
        cloud.detach(group, [machine, UNKNOWN])
    assert cloud.members(group)[machine]["LifecycleState"] == "InService"


@pytest.mark.parametrize(
    ("call", "limit"),
    [
        (lambda c, g, ids: c.detach(g, ids), 20),
        (lambda c, g, ids: c.protect(g, ids, protected=True), 50),
        (
            lambda c, g, ids: c.asg.enter_standby(
                AutoScalingGroupName=g,
                InstanceIds=ids,
                ShouldDecrementDesiredCapacity=False,
            ),
            20,
        ),
        (lambda c, _, ids: c.asg.describe_auto_scaling_instances(InstanceIds=ids), 50),
    ],
)
def test_calls_take_only_so_many_ids(cloud: Cloud, call, limit):
    group = cloud.group()
    with pytest.raises(ClientError, match=f"Member must have length less than or equal to {limit}"):
        call(cloud, group, [f"i-{n:017x}" for n in range(limit + 1)])


def test_decrement_is_relative_and_a_repeated_one_counts_again(cloud: Cloud):
    group = cloud.group(desired=3)
    first, second, _ = cloud.members(group)
    cloud.detach(group, [first], decrement=True)
    cloud.detach(group, [second], decrement=True)
    assert cloud.describe(group)["DesiredCapacity"] == 1
    cloud.in_service(group, 1)


def test_decrement_stops_at_the_minimum(cloud: Cloud):
    group = cloud.group(desired=1, MinSize=1)
    (machine,) = cloud.members(group)
    with pytest.raises(ClientError, match=f"AutoScalingGroup {group} has min-size=1, max-size=10, and desired-size=1"):
        cloud.detach(group, [machine], decrement=True)
    with pytest.raises(ClientError, match=r"Currently, desiredSize equals minSize \(1\)"):
        cloud.terminate(machine, decrement=True)


def test_terminating_without_decrement_brings_a_replacement(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    answer = cloud.terminate(machine)
    assert answer["Activity"]["Description"] == f"Terminating EC2 instance: {machine}"
    assert cloud.replacement(group, machine)
    cloud.until_state(machine, "terminated")


def test_terminating_at_a_lowered_desired_capacity_brings_none(cloud: Cloud):
    group = cloud.group(desired=2)
    first, second = cloud.members(group)
    cloud.desire(group, 1)
    cloud.terminate(first)
    assert cloud.in_service(group, 1) == [second]
    assert cloud.sim(f"history?group={group}")["max"] == 2


def test_terminating_twice_decrements_once(cloud: Cloud):
    cloud.configure(terminate=NEVER)
    group = cloud.group(desired=3)
    machine = next(iter(cloud.members(group)))
    first = cloud.terminate(machine, decrement=True)
    second = cloud.terminate(machine, decrement=True)
    assert second["Activity"]["ActivityId"] == first["Activity"]["ActivityId"]
    assert cloud.describe(group)["DesiredCapacity"] == 2
    cloud.configure(terminate=0)
    cloud.in_service(group, 2)


def test_terminating_a_stranger_is_refused(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.detach(group, [machine])
    cloud.replacement(group, machine)
    for stranger in (machine, UNKNOWN):
        with pytest.raises(ClientError) as refused:
            cloud.terminate(stranger)
        assert refusal(refused) == (
            "ValidationError",
            f"Instance Id not found - No managed instance found for instance ID: {stranger}",
        )
    assert cloud.state(machine) == "running"


def test_a_group_ends_its_member_whatever_ec2s_termination_protection_says(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.ec2.modify_instance_attribute(InstanceId=machine, DisableApiTermination={"Value": True})
    cloud.terminate(machine)
    cloud.until_state(machine, "terminated")


def test_protection_can_be_set_only_in_service_or_standby(cloud: Cloud):
    cloud.configure(launch=NEVER)
    group = cloud.group(desired=1, ready=False)
    (machine,) = wait_for(lambda: cloud.members(group), what="a member appears")
    with pytest.raises(ClientError) as refused:
        cloud.protect(group, [machine], protected=True)
    assert refusal(refused) == (
        "ValidationError",
        f"The instance {machine} is not in InService or EnteringStandby or Standby.",
    )


def test_standby_keeps_the_instance_and_its_listing(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.asg.enter_standby(AutoScalingGroupName=group, InstanceIds=[machine], ShouldDecrementDesiredCapacity=False)
    wait_for(lambda: len(cloud.members(group)) == 2, what="a replacement starts")
    wait_for(lambda: cloud.members(group)[machine]["LifecycleState"] == "Standby", what="standby")
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    assert cloud.members(group)[machine]["HealthStatus"] == "Healthy"
    with pytest.raises(ClientError) as refused:
        cloud.asg.enter_standby(AutoScalingGroupName=group, InstanceIds=[machine], ShouldDecrementDesiredCapacity=False)
    assert refusal(refused)[1] == f"The instance {machine} is not in InService."


def test_a_standby_that_ec2_ended_stays_listed_until_the_group_is_told(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.asg.enter_standby(AutoScalingGroupName=group, InstanceIds=[machine], ShouldDecrementDesiredCapacity=True)
    wait_for(lambda: cloud.members(group)[machine]["LifecycleState"] == "Standby", what="standby")
    cloud.ec2.terminate_instances(InstanceIds=[machine])
    cloud.until_state(machine, "terminated")
    assert cloud.members(group)[machine]["HealthStatus"] == "Healthy"
    cloud.terminate(machine)
    cloud.in_service(group, 0)


def test_a_stopped_machine_that_leaves_standby_is_replaced(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.asg.enter_standby(AutoScalingGroupName=group, InstanceIds=[machine], ShouldDecrementDesiredCapacity=True)
    wait_for(lambda: cloud.members(group)[machine]["LifecycleState"] == "Standby", what="standby")
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    cloud.asg.exit_standby(AutoScalingGroupName=group, InstanceIds=[machine])
    assert cloud.describe(group)["DesiredCapacity"] == 1
    cloud.replacement(group, machine)


def test_an_attached_machine_is_a_member_and_raises_desired(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.detach(group, [machine])
    cloud.replacement(group, machine)
    cloud.asg.attach_instances(AutoScalingGroupName=group, InstanceIds=[machine])
    assert cloud.describe(group)["DesiredCapacity"] == 2
    assert cloud.members(group)[machine]["LifecycleState"] == "InService"


def test_a_member_reported_unhealthy_is_replaced(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.asg.set_instance_health(InstanceId=machine, HealthStatus="Unhealthy")
    cloud.replacement(group, machine)


def test_describing_members_names_their_group_and_is_paged(cloud: Cloud):
    group = cloud.group(desired=3)
    pages = list(
        cloud.asg.get_paginator("describe_auto_scaling_instances").paginate(PaginationConfig={"PageSize": 2}),
    )
    members = [member for page in pages for member in page["AutoScalingInstances"]]
    assert [len(page["AutoScalingInstances"]) for page in pages] == [2, 1]
    assert {m["InstanceId"] for m in members} == set(cloud.members(group))
    assert {m["AutoScalingGroupName"] for m in members} == {group}
    assert {m["ProtectedFromScaleIn"] for m in members} == {True}


def test_activities_are_paged_newest_first(cloud: Cloud):
    group = cloud.group(desired=3)
    paginator = cloud.asg.get_paginator("describe_scaling_activities")
    found = [
        activity
        for page in paginator.paginate(AutoScalingGroupName=group, PaginationConfig={"PageSize": 2})
        for activity in page["Activities"]
    ]
    assert len(found) == len({a["ActivityId"] for a in found}) == 3
    assert {a["StatusCode"] for a in found} == {"Successful"}
    assert found == sorted(found, key=lambda a: a["StartTime"], reverse=True)


def test_activities_are_filtered_by_status_and_start(cloud: Cloud):
    group = cloud.group(desired=1)
    (launch,) = cloud.activities(group)

    def filtered(name: str, value: str) -> list[str]:
        found = cloud.asg.describe_scaling_activities(
            AutoScalingGroupName=group,
            Filters=[{"Name": name, "Values": [value]}],
        )
        return [activity["ActivityId"] for activity in found["Activities"]]

    assert filtered("Status", "Successful") == [launch["ActivityId"]]
    assert filtered("Status", "Failed") == []
    before, after = (launch["StartTime"] + timedelta(seconds=s) for s in (-1, 1))
    assert filtered("StartTimeLowerBound", before.isoformat()) == [launch["ActivityId"]]
    assert filtered("StartTimeLowerBound", after.isoformat()) == []


def test_an_action_nobody_simulates_is_refused_in_aws_words(cloud: Cloud):
    group = cloud.group()
    with pytest.raises(ClientError) as refused:
        cloud.asg.start_instance_refresh(AutoScalingGroupName=group)
    assert refusal(refused)[0] == "InvalidAction"
