"""The control API of the simulated AWS: calls, faults, quotas, configuration, history, and the process itself."""

import json
import signal
import subprocess
import sys
from ipaddress import ip_address, ip_network
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from component.simulated_cloud import NEVER, Cloud, running_cloud
from hotdesk_local.aws import control_loop
from hotdesk_local.aws.server import SimulatedAws
from waiting import wait_for


def problem(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def calls_since(cloud: Cloud, n: int) -> list[dict]:
    return cloud.sim(f"calls?since={n}")["calls"]


def test_calls_are_recorded_with_parameters_and_outcome(cloud: Cloud):
    group = cloud.group()
    before = cloud.sim("calls")["next"]
    cloud.desire(group, 1)
    with pytest.raises(ClientError):
        cloud.desire(group, 99)
    good, bad = calls_since(cloud, before)
    assert good["params"] == {"AutoScalingGroupName": group, "DesiredCapacity": 1}
    assert (good["service"], good["action"], good["status"], good["error"]) == (
        "autoscaling",
        "SetDesiredCapacity",
        200,
        None,
    )
    assert (bad["status"], bad["error"]) == (400, "ValidationError")
    assert [good["n"], bad["n"]] == [before + 1, before + 2]
    assert cloud.sim("calls")["next"] == before + 2


@pytest.mark.parametrize(
    ("service", "action", "kind", "code", "expected"),
    [
        ("asg", "DescribeAutoScalingGroups", "throttle", None, ("Throttling", 400)),
        ("ec2", "DescribeInstances", "throttle", None, ("RequestLimitExceeded", 503)),
        ("asg", "autoscaling:DescribeAutoScalingGroups", "error", "AccessDenied", ("AccessDenied", 403)),
        ("ec2", "*", "error", "UnauthorizedOperation", ("UnauthorizedOperation", 403)),
        ("asg", "*", "error", "ResourceContention", ("ResourceContention", 500)),
        ("ec2", "DescribeInstances", "error", None, ("InternalFailure", 500)),
    ],
)
def test_errors_on_demand_look_like_aws(cloud: Cloud, service, action, kind, code, expected):
    call = {"asg": cloud.asg.describe_auto_scaling_groups, "ec2": cloud.ec2.describe_instances}[service]
    cloud.fault(action, kind, count=1, **({} if code is None else {"code": code}))
    with pytest.raises(ClientError) as refused:
        call()
    assert problem(refused) == expected
    call()  # the count is used up


def test_a_revoked_permission_stays_revoked_until_it_is_given_back(cloud: Cloud):
    group = cloud.group()
    cloud.fault("SetDesiredCapacity", "error", code="AccessDenied")
    for _ in range(2):
        with pytest.raises(ClientError, match="is not authorized to perform: autoscaling:SetDesiredCapacity"):
            cloud.desire(group, 1)
    cloud.sim("faults", method="DELETE")
    cloud.desire(group, 1)
    cloud.in_service(group, 1)


def test_a_fault_hits_only_its_action(cloud: Cloud):
    cloud.fault("ec2:CreateTags", "error", code="UnauthorizedOperation")
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    with pytest.raises(ClientError):
        cloud.ec2.create_tags(Resources=[machine], Tags=[{"Key": "a", "Value": "b"}])
    cloud.desire(group, 0)


def test_drop_before_has_no_effect_and_drop_after_has(cloud: Cloud):
    group = cloud.group()
    cloud.fault("SetDesiredCapacity", "drop-before", count=1)
    with pytest.raises(ConnectionClosedError):
        cloud.desire(group, 1)
    assert cloud.describe(group)["DesiredCapacity"] == 0
    cloud.fault("SetDesiredCapacity", "drop-after", count=1)
    with pytest.raises(ConnectionClosedError):
        cloud.desire(group, 1)
    assert cloud.describe(group)["DesiredCapacity"] == 1
    dropped = [c for c in calls_since(cloud, 0) if c["action"] == "SetDesiredCapacity"][-2:]
    assert [(c["status"], c["error"]) for c in dropped] == [(0, "drop-before"), (0, "drop-after")]


def test_a_lost_answer_makes_the_sdk_send_again(cloud: Cloud):
    group = cloud.group(desired=3)
    machine = next(iter(cloud.members(group)))
    retrying = cloud.client("autoscaling", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    cloud.fault("TerminateInstanceInAutoScalingGroup", "drop-after", count=1)
    retrying.terminate_instance_in_auto_scaling_group(InstanceId=machine, ShouldDecrementDesiredCapacity=False)
    sent = [c for c in calls_since(cloud, 0) if c["action"] == "TerminateInstanceInAutoScalingGroup"]
    assert [c["status"] for c in sent[-2:]] == [0, 200]
    retrying.close()


def test_latency_delays_the_effect(cloud: Cloud):
    group = cloud.group()
    cloud.fault("SetDesiredCapacity", "latency", seconds=NEVER, count=1)
    hasty = cloud.client("autoscaling", config=Config(read_timeout=0.2, retries={"total_max_attempts": 1}))
    with pytest.raises(Exception, match="Read timeout"):
        hasty.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=5)
    assert cloud.describe(group)["DesiredCapacity"] == 0
    hasty.close()


def test_probability_hits_some_calls_and_spares_others(cloud: Cloud):
    cloud.fault("DescribeAutoScalingGroups", "error", probability=0.5)
    outcomes = set()

    def both_seen() -> bool:
        try:
            cloud.asg.describe_auto_scaling_groups()
        except ClientError:
            outcomes.add("error")
        else:
            outcomes.add("answer")
        return outcomes == {"error", "answer"}

    wait_for(both_seen, what="an error and an answer")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "faults", {"action": "X", "kind": "earthquake"}),
        ("POST", "faults", {"action": "X", "kind": "error", "count": 1, "probability": 0.5}),
        ("PUT", "config", {"launch": -1}),
        ("PUT", "config", {"lunch": 1}),
        ("PUT", "config", []),
        ("GET", "calls?since=yesterday", None),
    ],
)
def test_bad_input_is_refused_with_a_sentence(cloud: Cloud, method, path, body):
    with pytest.raises(HTTPError) as refused:
        cloud.sim(path, method=method, body=body)
    with refused.value as answer:
        assert answer.code == 400
        assert json.load(answer)["error"]


def test_quotas_throttle_a_burst_of_one_service_and_spare_the_other(cloud: Cloud):
    cloud.configure(quotas={"autoscaling": [3, 0.001]})
    for _ in range(3):
        cloud.asg.describe_auto_scaling_groups()
    with pytest.raises(ClientError) as refused:
        cloud.asg.describe_auto_scaling_groups()
    assert problem(refused) == ("Throttling", 400)
    cloud.ec2.describe_instances(MaxResults=5)


def test_unfiltered_reads_and_resources_have_buckets_of_their_own(cloud: Cloud):
    cloud.configure(
        quotas={"ec2:describe-all": [1, 0.001], "ec2:instances:StartInstances": [2, 0.001], "ec2:describe": [1000, 20]},
    )
    cloud.ec2.describe_instances()
    with pytest.raises(ClientError) as refused:
        cloud.ec2.describe_instances()
    assert problem(refused) == ("RequestLimitExceeded", 503)
    cloud.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    group = cloud.group(desired=3)
    with pytest.raises(ClientError) as refused:
        cloud.ec2.start_instances(InstanceIds=list(cloud.members(group)))
    assert problem(refused) == ("RequestLimitExceeded", 503)


def test_history_knows_the_most_that_lived_at_once_detached_ones_included(cloud: Cloud):
    group = cloud.group(desired=2, Tags=[{"Key": "pool", "Value": "u1", "PropagateAtLaunch": True}])
    first, _ = cloud.members(group)
    cloud.detach(group, [first])
    wait_for(lambda: first not in cloud.members(group), what="it left")
    cloud.in_service(group, 2)
    n = cloud.sim("calls")["next"]
    cloud.ec2.terminate_instances(InstanceIds=[first])
    cloud.until_state(first, "terminated")
    history = cloud.sim(f"history?group={group}")
    assert (history["max"], history["live"]) == (3, 2)
    assert [change["live"] for change in history["changes"]] == [1, 2, 3, 2]
    assert history["changes"][-1]["cause"].endswith("TerminateInstances")
    assert cloud.sim("history?tag=pool=u1")["max"] == 3
    assert cloud.sim("history?tag=pool=u2")["max"] == 0
    later = cloud.sim(f"history?group={group}&since={n + 1}")
    assert (later["max"], [change["live"] for change in later["changes"]]) == (3, [2])
    assert cloud.sim(f"history?group={group}&since={n + 1000}")["max"] == 2


def test_machines_show_every_change_with_its_cause(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    cloud.protect(group, [machine], protected=False)
    cloud.sim(f"machines/{machine}/reclaim", method="POST")
    cloud.until_state(machine, "terminated")
    changes = [(c["what"], c["new"], c["cause"]) for c in cloud.machine(machine)["changes"]]
    asked = [c["n"] for c in calls_since(cloud, 0) if c["action"] == "SetInstanceProtection"][-1]
    assert changes[:6] == [
        ("state", "pending", "launch"),
        ("group", "Pending", "launch"),
        ("state", "running", "launch"),
        ("group", "InService", "launch"),
        ("protection", "true", "launch"),
        ("protection", "false", f"call {asked} SetInstanceProtection"),
    ]
    assert ("state", "shutting-down", "reclaim") in changes
    assert ("health", "Unhealthy", "health-check") in changes
    assert cloud.instance(machine)["StateReason"]["Code"] == "Server.InternalError"


def test_interference_with_an_unknown_machine_or_verb_is_refused(cloud: Cloud):
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    for path in ("machines/i-0123456789abcdef0/stop", f"machines/{machine}/paint"):
        with pytest.raises(HTTPError) as refused:
            cloud.sim(path, method="POST")
        with refused.value as answer:
            assert answer.code == 404


def test_an_unknown_path_of_the_control_api_is_no_aws_call(cloud: Cloud):
    before = cloud.sim("calls")["next"]
    with pytest.raises(HTTPError) as refused:
        cloud.sim("mashines")
    with refused.value as answer:
        assert answer.code == 404
    assert cloud.sim("calls")["next"] == before


def test_a_bug_in_the_control_loop_ends_the_simulator_aloud(tmp_path, monkeypatch):
    turn = control_loop.turn

    async def broken(world, machines, *, now):
        if machines.disk("any").is_relative_to(tmp_path):  # and not the other simulator of this process
            raise ZeroDivisionError
        await turn(world, machines, now=now)

    simulator = SimulatedAws(state_dir=tmp_path)
    monkeypatch.setattr(control_loop, "turn", broken)
    simulator.start()
    with pytest.raises(ZeroDivisionError):
        simulator.wait()


def test_two_simulators_use_networks_and_templates_of_their_own(cloud: Cloud, tmp_path):
    with running_cloud(tmp_path) as other:
        assert not ip_network(other.aws.ready.network).overlaps(ip_network(cloud.aws.ready.network))
        for one in (cloud, other):
            one.ec2.create_launch_template(
                LaunchTemplateName="shared-name",
                LaunchTemplateData={"ImageId": one.aws.ready.image},
            )
        assert other.asg.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_a_state_directory_has_one_simulator(tmp_path):
    with SimulatedAws(state_dir=tmp_path), pytest.raises(RuntimeError, match="choose another --state-dir"):
        SimulatedAws(state_dir=tmp_path).start()


def test_the_process_says_where_it_answers_and_ends_on_sigterm(tmp_path):
    command = [
        sys.executable,
        "-m",
        "hotdesk_local.aws",
        "--state-dir",
        tmp_path,
        "--config",
        '{"launch": 0, "boot": 0}',
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            asg = boto3.client(
                "autoscaling",
                endpoint_url=ready["endpoint"],
                region_name=ready["region"],
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            assert asg.describe_auto_scaling_groups()["AutoScalingGroups"] == []
            assert ip_address(ready["endpoint"].split("/")[2].split(":")[0]).is_loopback
            assert len(ready["subnets"]) == 2
            put = Request(ready["endpoint"] + "/_sim/config", data=b'{"stop": 7}', method="PUT")  # noqa: S310  # http, ours
            with urlopen(put) as answer:  # noqa: S310  # http, ours
                assert json.load(answer)["stop"] == 7
            asg.close()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""
