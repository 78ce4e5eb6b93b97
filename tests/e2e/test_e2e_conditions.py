"""What the schema cannot refuse becomes a condition that says what to do, goes with its cause and stops nobody."""

import json

import pytest

from e2e import laws, manifests
from e2e.cluster import condition, is_ready
from e2e.manifests import ANSWERS
from e2e.scene import SOON, unique
from waiting import wait_for

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def _another_pool_is_served(scene, steady):
    """Whatever a test did, the operator serves another pool after it."""
    yield
    laws.another_pool_is_served(scene, steady)


def test_workspace_of_a_missing_pool_is_stalled_until_the_pool_exists(scene):
    name = unique("pool")
    scene.cluster.apply(manifests.workspace("early", pool=name, namespace=scene.namespace))
    early = scene.pool
    told = wait_for(lambda: _stalled(scene, "early", "PoolNotFound"), what="the workspace is told")
    assert told == f"MachinePool {name} does not exist: create it, or name another in a new Workspace."
    pool = early(name=name)
    (workspace,) = pool.wait_bound("early")
    assert [found["type"] for found in workspace["status"]["conditions"]] == ["Ready"]


def test_namespace_is_served_once_it_carries_the_label_the_pool_asks_for(scene):
    allowed = {"from": "Selector", "selector": {"matchLabels": {"team": scene.namespace}}}
    pool = scene.pool(allowedNamespaces=allowed)
    pool.apply("outsider")
    told = wait_for(lambda: _stalled(scene, "outsider", "NamespaceNotAllowed"), what="the workspace is told")
    assert f"MachinePool {pool.name} does not serve namespace {scene.namespace}" in told
    scene.kubectl("label", "namespace", scene.namespace, f"team={scene.namespace}")
    (workspace,) = pool.wait_bound("outsider")
    scene.kubectl("label", "namespace", scene.namespace, "team-")
    pool.apply("later")
    wait_for(lambda: _stalled(scene, "later", "NamespaceNotAllowed"), what="the next workspace is told")
    assert pool.workspace("outsider")["status"]["machine"] == workspace["status"]["machine"]


def test_unknown_priority_class_is_named_and_served_once_it_exists(scene):
    name = unique("class")
    pool = scene.pool()
    pool.apply("urgent", priorityClassName=name)
    told = wait_for(lambda: _stalled(scene, "urgent", "PriorityClassNotFound"), what="the workspace is told")
    assert told == f"PriorityClass {name} does not exist: create it, or change spec.priorityClassName."
    scene.cluster.create_priority_class(name, 7)
    try:
        pool.wait_bound("urgent")
    finally:
        scene.cluster.delete_priority_class(name)


def test_unknown_priority_class_can_be_changed_in_the_workspace(scene):
    pool = scene.pool()
    pool.apply("urgent", priorityClassName="no-such-class")
    wait_for(lambda: _stalled(scene, "urgent", "PriorityClassNotFound"), what="the workspace is told")
    pool.apply("urgent")
    (workspace,) = pool.wait_bound("urgent")
    assert workspace["status"]["observedGeneration"] == workspace["metadata"]["generation"] == 2


def test_workspace_beyond_the_quota_says_so_and_is_served_when_another_of_its_owner_goes(scene):
    pool = scene.pool(quota={"maxWorkspacesPerOwner": 2})
    pool.apply("one", "two", "three")
    pool.wait_bound("one", "two")
    told = wait_for(lambda: _stalled(scene, "three", "QuotaExceeded"), what="the third is told")
    assert told == (
        f'Owner "{pool.workspace("three")["spec"]["owner"]}" uses 2 of the 2 workspaces that MachinePool {pool.name} '
        "allows one owner (spec.quota.maxWorkspacesPerOwner): delete one of them, or have the quota raised. "
        "The oldest that is held back is served next."
    )
    held = pool.workspace("three")["status"]
    assert held["phase"] == "Pending"
    assert "queue" not in held
    assert "machine" not in held
    pool.apply("theirs", owner="eve")
    pool.wait_bound("theirs")
    scene.kubectl("delete", "ws", "one", "-n", scene.namespace)
    (third,) = pool.wait_bound("three")
    assert [found["type"] for found in third["status"]["conditions"]] == ["Ready"]
    pool.apply("four")
    wait_for(lambda: _stalled(scene, "four", "QuotaExceeded"), what="the fourth is told")
    pool.change(quota=None)
    pool.wait_bound("two", "three", "four")


def test_overlapping_schedules_are_named_and_the_pool_works_on_without_them(scene):
    def schedule(name, start, idle):
        return {"name": name, "start": start, "duration": "2h", "idle": idle}

    overlapping = [schedule("morning", "0 8 * * *", 3), schedule("late-morning", "0 9 * * *", 4)]
    pool = scene.pool(idle=1, buffer={"schedules": overlapping})
    told = pool.wait_condition("Ready", "False", "InvalidSchedule")
    assert told.startswith("Schedules morning and late-morning overlap on ")
    assert told.endswith("shorten a duration or move a start.")
    pool.apply("mine")
    pool.wait_bound("mine")
    pool.change(buffer={"schedules": [overlapping[0], schedule("late-morning", "0 10 * * *", 4)]})
    pool.wait_condition("Ready", "True", "BufferFull")


def test_second_pool_of_a_group_is_stopped_until_the_first_is_gone(scene):
    first = scene.pool(idle=1)
    first.wait_idle(1)
    first.apply("mine")
    first.wait_bound("mine")
    second = scene.pool(group=first.group, name=f"z-{first.name}", idle=2)
    told = second.wait_condition("Ready", "False", "GroupInUse")
    assert f"Pool {first.name} manages Auto Scaling group {first.group} already" in told
    second.apply("waits")
    wait_for(lambda: _stalled(scene, "waits", "PoolStopped"), what="the workspace of the second pool is told")
    laws.is_at_rest(first, idle=1)
    first.delete("mine")
    scene.kubectl("delete", "mpool", first.name, f"--timeout={SOON:.0f}s")
    second.wait_bound("waits")
    laws.is_at_rest(second, idle=2)
    laws.live_machines_stay_within(second, 4)


def test_handmade_machine_of_an_instance_that_never_was_is_given_to_nobody(scene):
    pool = scene.pool(idle=1)
    pool.wait_idle(1)
    invented = "i-0123456789abcdef0"
    scene.cluster.apply(manifests.machine(invented, pool=pool.name))
    _look_idle(scene, invented)
    pool.apply("one", "two")
    workspaces = pool.wait_bound("one", "two")
    assert invented not in {workspace["status"]["machine"] for workspace in workspaces}
    scene.kubectl("delete", "mach", invented, "--wait=false")


def test_handmade_machine_of_an_instance_outside_the_group_is_given_to_nobody_and_named(scene):
    pool = scene.pool(idle=1)
    aws = scene.simulator.aws
    stranger = aws.ec2.run_instances(ImageId=aws.image, InstanceType="m7i.large", MinCount=1, MaxCount=1)
    instance = stranger["Instances"][0]["InstanceId"]
    pool.wait_idle(1)
    scene.cluster.apply(manifests.machine(instance, pool=pool.name))
    _look_idle(scene, instance)
    pool.apply("one", "two")
    workspaces = pool.wait_bound("one", "two")
    assert instance not in {workspace["status"]["machine"] for workspace in workspaces}
    told = wait_for(lambda: _not_ready(scene, instance, "OutsideGroup"), what="the Machine is told")
    assert f"attach it to the group, or terminate instance {instance}" in told
    assert scene.simulator.machine(instance)["state"] == "running"
    scene.simulator.terminate(instance)
    wait_for(lambda: scene.cluster.find("machines", instance) is None, what="its record goes with it")


def test_machine_record_deleted_by_hand_comes_back(scene):
    pool = scene.pool(idle=1)
    pool.wait_idle(1)
    (machine,) = pool.machines()
    scene.kubectl("delete", "mach", machine["metadata"]["name"], "--wait=false")
    wait_for(lambda: _uid(scene, machine) not in {None, machine["metadata"]["uid"]}, what="it is registered anew")
    laws.is_at_rest(pool, idle=1)
    assert len(scene.simulator.machines(pool.group)) == 1


def test_handmade_machine_of_another_pools_instance_is_given_to_nobody_by_that_pool(scene):
    theirs, ours = scene.pool(idle=1, max_machines=3), scene.pool(idle=0, slots=2)
    laws.is_at_rest(theirs, idle=1)
    # While the operator is blind, a machine is launched and recorded for a pool whose group it is not in.
    blindness = scene.simulator.deny("autoscaling", "DescribeAutoScalingGroups")
    theirs.wait_condition("GroupConfigured", "False", "PermissionDenied")
    before = {machine["id"] for machine in scene.simulator.machines(theirs.group)}
    scene.simulator.person.set_desired_capacity(AutoScalingGroupName=theirs.group, DesiredCapacity=2)
    launched = wait_for(
        lambda: {machine["id"] for machine in scene.simulator.live(theirs.group)} - before, what="AWS launches one"
    )
    (name,) = launched
    scene.cluster.create(manifests.machine(name, pool=ours.name, slots=2))
    _look_idle(scene, name)
    scene.simulator.mend(blindness)
    ours.create("mine", "too")
    for workspace in ours.wait_bound("mine", "too"):
        assert workspace["status"]["machine"] != name
    theirs.create("one", "two")
    for workspace in theirs.wait_bound("one", "two"):
        assert workspace["status"]["machine"] != name
    scene.kubectl("delete", "mach", name, "--wait=false")
    laws.is_at_rest(theirs, idle=1)


def test_machine_record_deleted_under_its_user_comes_back_with_the_claim(scene):
    pool = scene.pool(idle=1)
    pool.apply("mine")
    (workspace,) = pool.wait_bound("mine")
    machine = workspace["status"]["machine"]
    laws.is_at_rest(pool, idle=1)
    scene.kubectl("delete", "mach", machine, "--wait=false")
    laws.is_at_rest(pool, idle=1)
    assert pool.workspace("mine")["status"]["machine"] == machine
    assert pool.instance(machine)["state"] == "running"


def test_deleted_pool_waits_for_its_claims_names_them_and_serves_nobody_new(scene):
    pool = scene.pool(idle=2)
    pool.wait_idle(2)
    pool.apply("mine")
    (workspace,) = pool.wait_bound("mine")
    scene.kubectl("delete", "mpool", pool.name, "--wait=false")
    told = pool.wait_condition("Ready", "False", "Deleting")
    assert told == f"Waiting for the workspaces that hold machines: {scene.namespace}/mine. Delete them."
    pool.apply("late")
    wait_for(lambda: _stalled(scene, "late", "PoolDeleting"), what="the late one is told")
    wait_for(lambda: len(scene.simulator.live(pool.group)) == 1, what="the idle machines are given back")
    assert pool.workspace("mine")["status"]["machine"] == workspace["status"]["machine"]
    pool.delete("mine")
    wait_for(lambda: scene.cluster.find("machinepools", pool.name) is None, what="the pool is gone")
    assert not scene.simulator.live(pool.group)
    assert not pool.machines()
    assert scene.simulator.group(pool.group)["AutoScalingGroupName"] == pool.group, "it never deletes the group"
    wait_for(lambda: _stalled(scene, "late", "PoolNotFound"), what="the late one is told anew")


def test_paused_pool_changes_nothing_in_aws_and_goes_on_afterwards(scene, journal):
    pool = scene.pool(idle=1)
    pool.apply("mine")
    (workspace,) = pool.wait_bound("mine")
    laws.is_at_rest(pool, idle=1)
    pool.change(paused=True)
    pool.wait_condition("Paused", "True", "PausedBySpec")
    assert pool.condition("Ready")["reason"] == "Paused"
    since = scene.simulator.last_call()
    pool.change(buffer={"idle": 3})
    pool.apply("waits")
    told = pool.wait_reason("waits", "PoolPaused")
    assert told == f"MachinePool {pool.name} is paused: it serves again when spec.paused is false."
    pool.delete("mine")
    machine = workspace["status"]["machine"]
    wait_for(lambda: journal.reaped(machine), what="the machine that was left is to be ended")
    wait_for(lambda: _looks(scene, pool, since) >= 2, what="AWS was looked at twice more")
    changes = [call for action in _CHANGES for call in scene.simulator.calls(action, since=since)]
    assert not [call for call in changes if call["params"].get("AutoScalingGroupName") == pool.group]
    assert pool.instance(machine)["state"] == "running"
    pool.change(paused=False)
    pool.wait_bound("waits")
    laws.is_at_rest(pool, idle=3)
    assert pool.instance(machine)["state"] == "terminated"


def test_missing_group_is_named_and_used_once_it_is_created(scene):
    name = unique("group")
    pool = scene.pool(group=name, idle=1)
    told = pool.wait_condition("GroupConfigured", "False", "GroupNotFound")
    assert told == f"Auto Scaling group {name} does not exist in eu-central-1: create it; Hotdesk never does."
    assert pool.condition("Ready")["status"] == "False"
    pool.apply("early")
    pool.wait_reason("early", "WaitingForMachine")
    scene.create_group(name)
    pool.wait_bound("early")
    laws.is_at_rest(pool, idle=1)
    pool.wait_condition("GroupConfigured", "True")


def test_machines_that_never_pass_their_probe_are_replaced_ever_more_slowly(scene):
    pool = scene.pool(idle=1, max_machines=2, readiness={"tcpSocket": {"port": 9}, "deadline": "1s"})
    told = pool.wait_condition("Ready", "False", "MachinesNotReady")
    assert "machines in a row did not pass the readiness probe" in told
    assert "correct spec.readiness or the launch template" in told
    launches = wait_for(lambda: _launches(scene, pool, 5), what="a fifth machine is tried")
    # The first three are replaced at once. The fourth is left alone for twice the deadline after it has missed it;
    # EC2 tells launch times in whole seconds, so that the deadline may pass up to a second early.
    assert launches[4] - launches[3] >= 2
    laws.live_machines_stay_within(pool, 2)
    pool.change(readiness={**ANSWERS, "tcpSocket": None, "deadline": "1m"})
    laws.is_at_rest(pool, idle=1)
    pool.wait_condition("Ready", "True")


def test_readiness_that_stays_unanswered_gives_no_machine_to_anybody(scene):
    pool = scene.pool(idle=1, readiness={"httpGet": {"port": 8080, "path": "/no-such-page"}, "deadline": "10m"})
    pool.apply("waits")
    pool.wait_reason("waits", "WaitingForMachine")
    wait_for(lambda: _serving(scene, pool), what="a machine answers, though not with what the probe asks for")
    wait_for(lambda: pool.status()["booting"], what="the pool counts it as booting")
    assert not is_ready(pool.workspace("waits"))
    assert pool.status()["idle"] == 0
    pool.change(readiness={"httpGet": {"port": 8080, "path": "/healthz"}})
    pool.wait_bound("waits")


_CHANGES = (
    "SetDesiredCapacity",
    "UpdateAutoScalingGroup",
    "DetachInstances",
    "TerminateInstanceInAutoScalingGroup",
    "SetInstanceProtection",
    "SuspendProcesses",
)


def _stalled(scene, name, reason):
    """Return the sentence of a workspace that is stalled for a reason."""
    workspace = scene.cluster.get("workspaces", name, namespace=scene.namespace)
    found = condition(workspace, "Stalled")
    assert found.get("reason") == reason, workspace.get("status")
    assert condition(workspace, "Ready")["status"] == "False"
    assert workspace["status"]["observedGeneration"] == workspace["metadata"]["generation"]
    return found["message"]


def _not_ready(scene, machine, reason):
    found = condition(scene.cluster.get("machines", machine), "Ready")
    return found["message"] if found.get("reason") == reason else None


def _look_idle(scene, name):
    """Give a hand-made record the status that a machine on offer has."""
    status = {"phase": "Idle", "privateIP": "127.0.0.1", "readyAt": "2026-01-01T00:00:00.000000Z", "inGroup": True}
    patch = json.dumps({"status": status})
    scene.kubectl("patch", "mach", name, "--subresource=status", "--type=merge", "-p", patch)


def _launches(scene, pool, number):
    """Return when the group's machines were launched, in seconds, once there have been so many."""
    launched = sorted(machine["launched"] for machine in scene.simulator.machines(pool.group))
    return launched if len(launched) >= number else None


def _uid(scene, machine):
    found = scene.cluster.find("machines", machine["metadata"]["name"])
    return found["metadata"]["uid"] if found is not None else None


def _looks(scene, pool, since):
    calls = scene.simulator.calls("DescribeAutoScalingGroups", since=since)
    return sum(pool.group in call["params"].get("AutoScalingGroupNames", []) for call in calls)


def _serving(scene, pool):
    return any(machine["serving"] for machine in scene.simulator.machines(pool.group))
