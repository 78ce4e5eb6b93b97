"""Auto Scaling groups of the simulated AWS: sizes, launches, protection, scale-in, health, zones, deletion."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import NEVER, Cloud
from waiting import wait_for


def test_new_members_are_pending_until_the_launch_delay_is_over(cloud: Cloud):
    cloud.configure(launch=NEVER)
    group = cloud.group(desired=2, ready=False)
    members = wait_for(lambda: cloud.members(group), what="members appear")
    assert {m["LifecycleState"] for m in members.values()} == {"Pending"}
    assert {cloud.state(i) for i in members} == {"pending"}
    cloud.configure(launch=0)
    assert set(cloud.in_service(group, 2)) == set(members)
    assert {cloud.state(i) for i in members} == {"running"}


def test_protection_of_new_members_begins_in_service_and_not_before(cloud: Cloud):
    cloud.configure(launch=NEVER)
    group = cloud.group(desired=1, ready=False)
    ((_, member),) = wait_for(lambda: cloud.members(group), what="a member appears").items()
    assert member["ProtectedFromScaleIn"] is False
    cloud.configure(launch=0)
    (serving,) = cloud.in_service(group, 1)
    assert cloud.members(group)[serving]["ProtectedFromScaleIn"] is True


def test_members_are_spread_over_the_zones(cloud: Cloud):
    group = cloud.group(desired=4)
    assert sorted(Counter(m["AvailabilityZone"] for m in cloud.members(group).values()).values()) == [2, 2]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (6, "New SetDesiredCapacity value 6 is above max value 5 for the AutoScalingGroup."),
        (0, "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup."),
    ],
)
def test_desired_capacity_stays_within_the_borders(cloud: Cloud, wanted, sentence):
    group = cloud.group(desired=1, MinSize=1, maximum=5)
    with pytest.raises(ClientError) as refused:
        cloud.desire(group, wanted)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert refused.value.response["Error"]["Message"] == sentence


def test_max_size_below_desired_lowers_desired(cloud: Cloud):
    group = cloud.group(desired=3)
    cloud.asg.update_auto_scaling_group(AutoScalingGroupName=group, MaxSize=2)
    assert cloud.describe(group)["DesiredCapacity"] == 2


def test_min_size_above_desired_raises_desired(cloud: Cloud):
    group = cloud.group(desired=1)
    cloud.asg.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=2)
    assert cloud.describe(group)["DesiredCapacity"] == 2
    cloud.in_service(group, 2)


def test_an_explicit_desired_capacity_outside_the_new_borders_is_refused(cloud: Cloud):
    group = cloud.group(desired=1)
    with pytest.raises(ClientError, match="Desired capacity:4 must be between the specified min size:0 and max size:3"):
        cloud.asg.update_auto_scaling_group(AutoScalingGroupName=group, MaxSize=3, DesiredCapacity=4)
    assert cloud.describe(group)["MaxSize"] == 10


def test_scale_in_ends_only_unprotected_members_and_the_oldest_first(cloud: Cloud):
    group = cloud.group(desired=2, NewInstancesProtectedFromScaleIn=False)
    cloud.desire(group, 4)
    ids = cloud.in_service(group, 4)
    cloud.protect(group, [ids[0]], protected=True)
    cloud.desire(group, 3)
    assert set(cloud.in_service(group, 3)) == set(ids) - {ids[1]}
    assert cloud.machine(ids[1])["changes"][-1]["cause"] == "scale-in"


def test_scale_in_waits_while_all_are_protected_and_says_so_once(cloud: Cloud):
    group = cloud.group(desired=2)
    cloud.desire(group, 0)
    sentence = "Could not scale to desired capacity because all remaining instances are protected from scale in."
    wait_for(lambda: [a for a in cloud.activities(group) if a["Description"] == sentence], what="the group says so")
    ids = list(cloud.members(group))
    cloud.protect(group, ids[:1], protected=False)
    assert cloud.in_service(group, 1) == ids[1:]
    assert sum(a["Description"] == sentence for a in cloud.activities(group)) == 2  # again after protection changed


def test_standby_members_are_never_chosen_for_scale_in(cloud: Cloud):
    group = cloud.group(desired=2, NewInstancesProtectedFromScaleIn=False)
    first, second = cloud.members(group)
    cloud.asg.enter_standby(AutoScalingGroupName=group, InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
    wait_for(lambda: cloud.members(group)[first]["LifecycleState"] == "Standby", what="standby")
    cloud.desire(group, 0)
    cloud.until_state(second, "terminated")
    assert cloud.members(group)[first]["LifecycleState"] == "Standby"
    assert cloud.state(first) == "running"


@pytest.mark.parametrize("how", ["stop", "terminate"])
def test_a_member_that_a_person_ended_is_replaced_protected_or_not(cloud: Cloud, how):
    group = cloud.group(desired=1)
    (member,) = cloud.members(group)
    cloud.sim(f"machines/{member}/{how}", method="POST")
    assert cloud.replacement(group, member) != member
    cloud.until_state(member, "terminated")
    causes = [change["cause"] for change in cloud.machine(member)["changes"]]
    assert "person" in causes
    assert "health-check" in causes
    assert any("EC2 health check" in a["Cause"] for a in cloud.activities(group))


def test_a_dead_member_stays_listed_until_the_health_check(cloud: Cloud):
    cloud.configure(healthCheck=NEVER)
    group = cloud.group(desired=1)
    (member,) = cloud.members(group)
    cloud.ec2.terminate_instances(InstanceIds=[member])
    cloud.until_state(member, "terminated")
    assert cloud.members(group)[member]["LifecycleState"] == "InService"
    cloud.configure(healthCheck=0)
    assert cloud.replacement(group, member) != member


def test_suspended_replacement_marks_unhealthy_and_ends_it_when_resumed(cloud: Cloud):
    group = cloud.group(desired=1)
    (member,) = cloud.members(group)
    cloud.asg.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["ReplaceUnhealthy"])
    cloud.ec2.stop_instances(InstanceIds=[member])
    wait_for(lambda: cloud.members(group)[member]["HealthStatus"] == "Unhealthy", what="it is marked")
    cloud.until_state(member, "stopped")
    assert cloud.describe(group)["SuspendedProcesses"][0]["ProcessName"] == "ReplaceUnhealthy"
    cloud.asg.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["ReplaceUnhealthy"])
    assert cloud.replacement(group, member) != member


def test_suspended_launch_holds_launches_back(cloud: Cloud):
    group = cloud.group()
    cloud.asg.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["Launch"])
    cloud.desire(group, 1)
    other = cloud.group(desired=1)  # proof that the control loop has turned meanwhile
    assert cloud.members(other)
    assert cloud.members(group) == {}
    cloud.asg.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["Launch"])
    cloud.in_service(group, 1)


def test_suspended_terminate_holds_scale_in_back(cloud: Cloud):
    group = cloud.group(desired=2, NewInstancesProtectedFromScaleIn=False)
    cloud.asg.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["Terminate"])
    cloud.desire(group, 1)
    cloud.group(desired=1)
    assert len(cloud.members(group)) == 2
    cloud.asg.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["Terminate"])
    cloud.in_service(group, 1)


def _unbalance(cloud: Cloud) -> tuple[str, set[str]]:
    """A group of two unprotected members in one zone."""
    group = cloud.group(desired=4, NewInstancesProtectedFromScaleIn=False)
    cloud.asg.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["AZRebalance", "Launch"])
    members = cloud.members(group)
    zone = next(iter(members.values()))["AvailabilityZone"]
    leaving = [i for i, m in members.items() if m["AvailabilityZone"] == zone]
    cloud.detach(group, leaving, decrement=True)
    cloud.in_service(group, 2)
    return group, set(members) - set(leaving)


def when(cloud: Cloud, machine: str, new: str) -> float:
    """The moment a machine entered a state, of EC2 or of its group."""
    (moment,) = [change["time"] for change in cloud.machine(machine)["changes"] if change["new"] == new]
    return moment


def test_az_rebalance_launches_first_and_ends_an_unprotected_member_then(cloud: Cloud):
    group, before = _unbalance(cloud)
    cloud.configure(launch=NEVER)
    cloud.asg.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["AZRebalance", "Launch"])
    wait_for(lambda: len(cloud.members(group)) == 3, what="one is launched")
    cloud.configure(launch=NEVER)  # makes the group look again
    other = cloud.group(desired=1, ready=False)
    wait_for(lambda: cloud.members(other), what="the control loop has turned")
    assert before < set(cloud.members(group))
    cloud.configure(launch=0)
    wait_for(lambda: len(before & set(cloud.members(group))) == 1, what="one of the crowded zone goes")
    (victim,) = before - set(cloud.members(group))
    (newcomer,) = set(cloud.in_service(group, 2)) - before
    assert when(cloud, newcomer, "InService") <= when(cloud, victim, "shutting-down")
    assert len({m["AvailabilityZone"] for m in cloud.members(group).values()}) == 2
    history = cloud.sim(f"history?group={group}")
    assert history["changes"][-1]["live"] == history["live"] == 4  # two detached, two members
    assert any("balance instances in zones" in a["Cause"] for a in cloud.activities(group))


def test_suspended_az_rebalance_leaves_the_zones_alone(cloud: Cloud):
    group, before = _unbalance(cloud)
    cloud.asg.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["Launch"])
    cloud.group(desired=1)
    assert set(cloud.members(group)) == before


def test_az_rebalance_spares_the_protected(cloud: Cloud):
    group, before = _unbalance(cloud)
    cloud.protect(group, sorted(before), protected=True)
    cloud.asg.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["AZRebalance", "Launch"])
    cloud.group(desired=1)
    assert set(cloud.members(group)) == before


def test_deletion_is_refused_while_members_exist_and_forced_on_demand(cloud: Cloud):
    group = cloud.group(desired=1)
    (member,) = cloud.members(group)
    with pytest.raises(ClientError) as refused:
        cloud.asg.delete_auto_scaling_group(AutoScalingGroupName=group)
    assert refused.value.response["Error"]["Code"] == "ResourceInUse"
    cloud.asg.delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)
    cloud.until_state(member, "terminated")
    wait_for(
        lambda: not cloud.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"],
        what="the group is gone",
    )


def test_deletion_protection_refuses_force(cloud: Cloud):
    group = cloud.group(desired=1, DeletionProtection="prevent-force-deletion")
    with pytest.raises(ClientError, match="deletion protection"):
        cloud.asg.delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)
    assert cloud.describe(group)["DeletionProtection"] == "prevent-force-deletion"


def test_what_an_update_sets_is_shown(cloud: Cloud):
    group = cloud.group()
    wanted = {"CapacityRebalance": True, "MaxInstanceLifetime": 86_400, "HealthCheckType": "ELB"}
    cloud.asg.update_auto_scaling_group(AutoScalingGroupName=group, **wanted)
    assert wanted.items() <= cloud.describe(group).items()
    cloud.asg.update_auto_scaling_group(AutoScalingGroupName=group, MaxInstanceLifetime=0, CapacityRebalance=False)
    assert "MaxInstanceLifetime" not in cloud.describe(group)


def test_policies_and_scheduled_actions_are_kept(cloud: Cloud):
    group = cloud.group()
    cloud.asg.put_scaling_policy(
        AutoScalingGroupName=group,
        PolicyName="foreign",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=1,
    )
    cloud.asg.put_scheduled_update_group_action(
        AutoScalingGroupName=group,
        ScheduledActionName="night",
        Recurrence="0 0 * * *",
        DesiredCapacity=0,
    )
    (policy,) = cloud.asg.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"]
    (action,) = cloud.asg.describe_scheduled_actions(AutoScalingGroupName=group)["ScheduledUpdateGroupActions"]
    assert (policy["PolicyName"], policy["ScalingAdjustment"]) == ("foreign", 1)
    assert action["ScheduledActionName"] == "night"
    cloud.asg.delete_policy(AutoScalingGroupName=group, PolicyName="foreign")
    assert cloud.asg.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"] == []


def test_launched_instances_get_the_propagated_tags_and_the_groups_name(cloud: Cloud):
    group = cloud.group(Tags=[{"Key": "kept", "Value": "here", "PropagateAtLaunch": False}])
    cloud.asg.create_or_update_tags(
        Tags=[
            {
                "ResourceId": group,
                "ResourceType": "auto-scaling-group",
                "Key": "pool",
                "Value": "<u&1>",
                "PropagateAtLaunch": True,
            },
        ],
    )
    cloud.desire(group, 1)
    (member,) = cloud.in_service(group, 1)
    tags = cloud.tags(member)
    assert (tags["pool"], tags["aws:autoscaling:groupName"]) == ("<u&1>", group)
    assert "kept" not in tags


def test_groups_are_paged(cloud: Cloud):
    names = sorted(cloud.group() for _ in range(5))
    paginator = cloud.asg.get_paginator("describe_auto_scaling_groups")
    pages = [
        [g["AutoScalingGroupName"] for g in page["AutoScalingGroups"]]
        for page in paginator.paginate(PaginationConfig={"PageSize": 2})
    ]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page] == names


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"capacity": 1}, "We currently do not have sufficient t3.large capacity"),
        ({"vcpuQuota": 2}, "You have requested more vCPU capacity than your current vCPU limit of 2"),
    ],
)
def test_a_shortage_launches_fewer_and_records_why_until_there_is_room(cloud: Cloud, limit, text):
    cloud.configure(**limit)
    group = cloud.group(desired=2, ready=False)
    failed = wait_for(
        lambda: [a for a in cloud.activities(group) if a["StatusCode"] == "Failed"],
        what="a failed launch is recorded",
    )
    assert text in failed[0]["StatusMessage"]
    assert failed[0]["Description"].startswith("Launching a new EC2 instance.  Status Reason:")
    assert len(cloud.members(group)) == 1
    cloud.configure(**dict.fromkeys(limit))
    cloud.in_service(group, 2)


def test_a_launch_template_that_is_gone_fails_launches_with_the_reason(cloud: Cloud):
    template = cloud.template()
    group = cloud.group(LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
    cloud.ec2.delete_launch_template(LaunchTemplateId=template)
    cloud.desire(group, 1)
    failed = wait_for(
        lambda: [a for a in cloud.activities(group) if a["StatusCode"] == "Failed"],
        what="a failed launch is recorded",
    )
    assert template in failed[0]["StatusMessage"]
