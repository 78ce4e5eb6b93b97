"""A person or AWS interferes: the operator restores what it manages, says what it cannot, and recovers by itself."""

import pytest

from e2e import laws
from e2e.cluster import condition, is_ready
from waiting import wait_for

pytestmark = pytest.mark.stack


# -- machines -------------------------------------------------------------------------------------------------------


def test_terminated_idle_machine_is_replaced(scene):
    pool = scene.pool(idle=2)
    pool.wait_idle(2)
    victim = pool.machines()[0]["metadata"]["name"]
    scene.simulator.terminate(victim)
    pool.wait_terminated(victim)
    laws.is_at_rest(pool, idle=2)
    laws.live_machines_stay_within(pool, 4)


@pytest.mark.parametrize("outside", [False, True], ids=["member", "detached"])
def test_user_of_a_terminated_machine_gets_another_and_is_told_why(scene, journal, outside):
    pool = scene.pool(idle=1)
    pool.wait_idle(1)
    pool.create("mine")
    (before,) = pool.wait_bound("mine")
    victim = before["status"]["machine"]
    if outside:
        wait_for(lambda: pool.instance(victim)["group"] is None, what="the machine has left its group")
    scene.simulator.terminate(victim)
    after = wait_for(lambda: _elsewhere(pool, "mine", victim), what="the workspace is on another machine")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert "MachineLost" in journal.reasons(before["metadata"]["uid"])
    pool.wait_terminated(victim)
    laws.is_at_rest(pool, idle=1)
    laws.live_machines_stay_within(pool, 4)


def test_lost_machine_at_the_ceiling_is_made_good_as_soon_as_it_is_gone(scene):
    pool = scene.pool(idle=0, max_machines=1)
    pool.create("mine")
    (workspace,) = pool.wait_bound("mine")
    victim = workspace["status"]["machine"]
    scene.simulator.terminate(victim)
    wait_for(lambda: _elsewhere(pool, "mine", victim), what="the workspace is on another machine")
    laws.live_machines_stay_within(pool, 1)


def test_five_users_of_a_terminated_machine_all_get_another(scene):
    pool = scene.pool(idle=0, slots=5, max_machines=2)
    names = [f"seat-{number}" for number in range(5)]
    pool.create(*names)
    victim = pool.wait_bound(*names)[0]["status"]["machine"]
    scene.simulator.terminate(victim)
    for name in names:
        wait_for(lambda name=name: _elsewhere(pool, name, victim), what=f"{name} is on another machine")
    laws.claims_and_statuses_agree(pool)
    laws.live_machines_stay_within(pool, 2)


# -- the group's settings -------------------------------------------------------------------------------------------


def test_removed_protection_comes_back(scene):
    pool = scene.pool(idle=2)
    pool.wait_idle(2)
    names = [machine["metadata"]["name"] for machine in pool.machines()]
    scene.simulator.person.set_instance_protection(
        AutoScalingGroupName=pool.group, InstanceIds=names, ProtectedFromScaleIn=False
    )
    wait_for(lambda: all(pool.instance(name)["protected"] for name in names), what="both are protected again")
    laws.is_at_rest(pool, idle=2)
    assert {machine["metadata"]["name"] for machine in pool.machines()} == set(names)


def test_changed_settings_come_back(scene):
    pool = scene.pool(idle=1)
    laws.is_at_rest(pool, idle=1)
    pool.wait_condition("GroupConfigured", "True")
    person = scene.simulator.person
    person.resume_processes(AutoScalingGroupName=pool.group, ScalingProcesses=["AZRebalance"])
    person.update_auto_scaling_group(
        AutoScalingGroupName=pool.group, NewInstancesProtectedFromScaleIn=False, CapacityRebalance=True
    )

    def restored():
        group = scene.simulator.group(pool.group)
        suspended = {process["ProcessName"] for process in group["SuspendedProcesses"]}
        assert suspended == {"AZRebalance"}, suspended
        assert group["NewInstancesProtectedFromScaleIn"]
        assert not group.get("CapacityRebalance")
        return True

    wait_for(restored, what="the group is set up again")
    pool.wait_condition("GroupConfigured", "True")


def test_group_that_is_not_managed_is_only_reported_on_with_the_fix(scene):
    pool = scene.pool(idle=1, aws={"manageGroup": False})
    told = pool.wait_condition("GroupConfigured", "False", "SettingsWrong")
    assert "set NewInstancesProtectedFromScaleIn to true" in told
    assert "process AZRebalance runs: suspend it." in told
    group = scene.simulator.group(pool.group)
    assert not group["NewInstancesProtectedFromScaleIn"]
    assert not group["SuspendedProcesses"]


def test_suspended_launches_are_named_and_everything_goes_on_once_they_are_resumed(scene):
    pool = scene.pool(idle=1)
    pool.wait_idle(1)
    scene.simulator.person.suspend_processes(AutoScalingGroupName=pool.group, ScalingProcesses=["Launch"])
    told = pool.wait_condition("GroupConfigured", "False", "SettingsWrong")
    assert "process Launch is suspended: resume it" in told.replace("Process", "process")
    pool.create("one", "two")
    wait_for(lambda: is_ready(pool.workspace("one")), what="who finds a machine is served")
    scene.simulator.person.resume_processes(AutoScalingGroupName=pool.group, ScalingProcesses=["Launch"])
    pool.wait_bound("one", "two")
    laws.is_at_rest(pool, idle=1)


def test_desired_capacity_set_by_hand_is_set_back(scene):
    pool = scene.pool(idle=2, max_machines=6)
    laws.is_at_rest(pool, idle=2)
    pool.create("mine")
    (workspace,) = pool.wait_bound("mine")
    laws.is_at_rest(pool, idle=2)
    for desired in (4, 0):
        scene.simulator.person.set_desired_capacity(AutoScalingGroupName=pool.group, DesiredCapacity=desired)
        wait_for(lambda: scene.simulator.group(pool.group)["DesiredCapacity"] == 2, what="two are desired again")
        laws.is_at_rest(pool, idle=2)
    assert pool.workspace("mine")["status"]["machine"] == workspace["status"]["machine"]
    laws.live_machines_stay_within(pool, 6)


def test_shrunk_maximum_is_raised_again(scene):
    pool = scene.pool(idle=2, max_machines=6)
    laws.is_at_rest(pool, idle=2)
    scene.simulator.person.update_auto_scaling_group(AutoScalingGroupName=pool.group, MaxSize=1)
    pool.create("one", "two")
    pool.wait_bound("one", "two")
    laws.is_at_rest(pool, idle=2)
    assert scene.simulator.group(pool.group)["MaxSize"] >= 2
    laws.live_machines_stay_within(pool, 6)


def test_deleted_group_costs_no_detached_machine_and_is_used_once_it_is_back(scene):
    pool = scene.pool(idle=1, max_machines=4)
    pool.create("mine")
    (workspace,) = pool.wait_bound("mine")
    machine = workspace["status"]["machine"]
    wait_for(lambda: pool.instance(machine)["group"] is None, what="the claimed machine has left the group")
    laws.is_at_rest(pool, idle=1)
    scene.simulator.person.delete_auto_scaling_group(AutoScalingGroupName=pool.group, ForceDelete=True)
    told = pool.wait_condition("GroupConfigured", "False", "GroupNotFound")
    assert "create it; Hotdesk never does" in told
    pool.create("waits")
    pool.wait_reason("waits", "WaitingForMachine")
    assert pool.workspace("mine")["status"] == workspace["status"]
    scene.create_group(pool.group)
    pool.wait_bound("waits")
    laws.is_at_rest(pool, idle=1)
    assert pool.workspace("mine")["status"]["machine"] == machine
    pool.wait_condition("GroupConfigured", "True")


# -- permissions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "action"),
    [
        ("autoscaling", "SetDesiredCapacity"),
        ("autoscaling", "DetachInstances"),
        ("ec2", "CreateTags"),
        ("autoscaling", "DescribeAutoScalingGroups"),
        ("autoscaling", "TerminateInstanceInAutoScalingGroup"),
    ],
)
def test_missing_permission_is_named_and_everything_goes_on_once_it_is_given(scene, service, action):
    pool = scene.pool(idle=2, max_machines=5)
    laws.is_at_rest(pool, idle=2)
    denial = scene.simulator.deny(service, action)
    pool.create("one", "two")
    first, second = pool.wait_bound("one", "two")  # nobody needs AWS to be given a machine that stands idle
    pool.change(buffer={"idle": 1})
    pool.delete("one")
    told = pool.wait_condition("GroupConfigured", "False", "PermissionDenied")
    assert f"not allowed to call {service}:{action}: add it to the operator's IAM policy" in told
    assert pool.condition("Ready")["status"] == "False"
    scene.simulator.mend(denial)
    laws.is_at_rest(pool, idle=1)
    pool.wait_terminated(first["status"]["machine"])
    assert pool.workspace("two")["status"]["machine"] == second["status"]["machine"]
    wait_for(lambda: pool.instance(second["status"]["machine"])["group"] is None, what="the second is detached")
    pool.wait_condition("GroupConfigured", "True")
    laws.live_machines_stay_within(pool, 5)


# -- what AWS has not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shortage", "reason", "fix"),
    [
        ("capacity", "InsufficientCapacity", "add instance types or subnets to the group, or wait"),
        ("vcpuQuota", "QuotaExceeded", "ask AWS for a higher quota"),
    ],
)
def test_shortage_is_named_with_its_fix_and_everybody_is_served_when_it_ends(scene, shortage, reason, fix):
    pool = scene.pool(idle=0, max_machines=4)
    pool.create("lucky")
    pool.wait_bound("lucky")
    scene.simulator.configure(**{shortage: 0})
    pool.create("one", "two")
    told = pool.wait_condition("CapacityAvailable", "False", reason)
    assert fix in told
    sentence = wait_for(lambda: _told(pool, "one", because=told.partition(". To mend")[0]), what="the first is told")
    assert sentence.startswith("Number 1 in the queue")
    assert is_ready(pool.workspace("lucky"))
    scene.simulator.configure(**{shortage: None})
    pool.wait_bound("one", "two")
    pool.wait_condition("CapacityAvailable", "True")
    laws.is_at_rest(pool, idle=0)
    laws.live_machines_stay_within(pool, 4)


def test_throttling_of_everything_is_told_and_outlived(scene):
    pool = scene.pool(idle=1, max_machines=5)
    laws.is_at_rest(pool, idle=1)
    throttling = scene.simulator.break_down("*", "throttle")
    pool.create("lucky", "waits")
    pool.wait_bound("lucky")
    told = pool.wait_condition("GroupConfigured", "False", "Throttled")
    assert "AWS throttles our calls; they are tried again" in told
    scene.simulator.mend(throttling)
    pool.wait_bound("waits")
    laws.is_at_rest(pool, idle=1)
    pool.wait_condition("GroupConfigured", "True")
    laws.live_machines_stay_within(pool, 5)


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
def test_every_mutating_call_may_lose_its_answer_once(scene, kind):
    pool = scene.pool(idle=0, max_machines=6, paused=True)
    for action in (
        "UpdateAutoScalingGroup",
        "SuspendProcesses",
        "CreateOrUpdateTags",
        "SetDesiredCapacity",
        "SetInstanceProtection",
        "DetachInstances",
        "TerminateInstanceInAutoScalingGroup",
        "ec2:CreateTags",
        "ec2:TerminateInstances",
    ):
        scene.simulator.break_down(action, kind, count=1)
    # What was launched before the group was set up is not protected: that makes SetInstanceProtection necessary.
    scene.simulator.person.update_auto_scaling_group(AutoScalingGroupName=pool.group, MinSize=0, MaxSize=2)
    scene.simulator.person.set_desired_capacity(AutoScalingGroupName=pool.group, DesiredCapacity=1)
    wait_for(
        lambda: [m for m in scene.simulator.live(pool.group) if m["groupState"] == "InService" and not m["protected"]],
        what="AWS launches one without protection",
    )
    pool.change(paused=False, buffer={"idle": 3})
    laws.is_at_rest(pool, idle=3)
    pool.create("one", "two")
    one, two = pool.wait_bound("one", "two")
    laws.is_at_rest(pool, idle=3)
    wait_for(lambda: pool.instance(one["status"]["machine"])["group"] is None, what="the first is detached")
    pool.change(buffer={"idle": 1})
    pool.delete("one")
    pool.wait_terminated(one["status"]["machine"])
    laws.is_at_rest(pool, idle=1)
    assert pool.workspace("two")["status"] == two["status"]
    assert not scene.simulator.unspent(), "a call that should have lost its answer was never made"
    laws.live_machines_stay_within(pool, 6)


# -- what they look at ----------------------------------------------------------------------------------------------


def _elsewhere(pool, name, machine):
    """Return the workspace once it is bound to another machine than this."""
    workspace = pool.workspace(name)
    found = workspace["status"].get("machine")
    return workspace if is_ready(workspace) and found not in {None, machine} else None


def _told(pool, name, *, because):
    sentence = condition(pool.workspace(name), "Ready")["message"]
    return sentence if because in sentence else None
