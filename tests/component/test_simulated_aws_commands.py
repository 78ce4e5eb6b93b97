"""SSM of the simulated AWS: commands run for real in a machine's directory, late, failing, or never reported."""

import json
import os
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import FAST, NEVER, Cloud
from waiting import wait_for


@pytest.fixture
def ssm(cloud: Cloud):
    client = cloud.client("ssm")
    yield client
    client.close()


def run(cloud: Cloud, ssm) -> str:
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)
    machine = made["Instances"][0]["InstanceId"]
    wait_for(lambda: ping(ssm, machine) == "Online", what=f"the agent of {machine} answers")
    return machine


def ping(ssm, machine: str) -> str | None:
    filters = [{"Key": "InstanceIds", "Values": [machine]}]
    found = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    return found[0]["PingStatus"] if found else None


def send(ssm, machine: str, *lines: str, **more) -> str:
    parameters = {"commands": list(lines), **more.pop("Parameters", {})}
    sent = ssm.send_command(InstanceIds=[machine], DocumentName="AWS-RunShellScript", Parameters=parameters, **more)[
        "Command"
    ]
    assert (sent["Status"], sent["InstanceIds"]) == ("Pending", [machine])
    return sent["CommandId"]


def ended(ssm, machine: str, command: str) -> dict:
    def look() -> dict | None:
        found = ssm.get_command_invocation(CommandId=command, InstanceId=machine)
        return found if found["Status"] not in {"Pending", "InProgress"} else None

    return wait_for(look, what=f"{command} has ended") or {}


def disk(cloud: Cloud, machine: str) -> Path:
    return Path(cloud.machine(machine)["disk"])


def refused(call, **params) -> str:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"]


def test_a_command_runs_in_the_machines_directory(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    (disk(cloud, machine) / "home/ada").mkdir(parents=True)
    (disk(cloud, machine) / "home/ada/a.txt").write_text("hello")
    command = send(ssm, machine, "cat home/ada/a.txt", 'echo "$HOME" >&2', "pwd > where", 'echo "$AWS_ENDPOINT_URL"')
    result = ended(ssm, machine, command)
    assert (result["Status"], result["ResponseCode"]) == ("Success", 0)
    assert result["StandardOutputContent"] == f"hello{cloud.aws.endpoint}\n"
    assert result["StandardErrorContent"].strip() == str(disk(cloud, machine))
    assert (disk(cloud, machine) / "where").read_text().strip() == str(disk(cloud, machine))
    (listed,) = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert listed["CommandPlugins"][0]["Output"].startswith("hello")
    assert ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Success"


def test_a_failing_command_says_its_code(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    result = ended(ssm, machine, send(ssm, machine, "echo so far", "exit 3", "echo never"))
    assert (result["Status"], result["ResponseCode"], result["StandardOutputContent"]) == ("Failed", 3, "so far\n")


def test_a_script_may_name_its_interpreter(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    result = ended(ssm, machine, send(ssm, machine, "#!/bin/bash", "a=(1 2 3)", "echo ${a[1]}"))
    assert result["StandardOutputContent"] == "2\n"


def test_output_is_cut_at_24000_characters(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    result = ended(ssm, machine, send(ssm, machine, "head -c 50000 /dev/zero | tr '\\0' x"))
    assert len(result["StandardOutputContent"]) == 24_000
    assert result["StandardOutputContent"].endswith("---Output truncated---")


def test_a_machine_that_does_not_run_is_refused(cloud: Cloud, ssm):
    cloud.configure(agent=NEVER)
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)
    fresh = made["Instances"][0]["InstanceId"]
    cloud.until_state(fresh, "running")
    assert ping(ssm, fresh) is None
    document = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}}
    assert refused(ssm.send_command, InstanceIds=[fresh], **document) == "InvalidInstanceId"
    cloud.configure(agent=0)
    wait_for(lambda: ping(ssm, fresh) == "Online", what="the agent answers")
    cloud.ec2.stop_instances(InstanceIds=[fresh])
    cloud.until_state(fresh, "stopped")
    assert ping(ssm, fresh) == "ConnectionLost"
    assert refused(ssm.send_command, InstanceIds=[fresh], **document) == "InvalidInstanceId"
    assert refused(ssm.send_command, InstanceIds=["i-0123456789abcdef0"], **document) == "InvalidInstanceId"
    assert refused(ssm.send_command, InstanceIds=[fresh], DocumentName="Nonsense") == "InvalidDocument"


def test_an_agent_that_is_offline_keeps_commands_waiting(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    cloud.sim(f"machines/{machine}/agent", method="POST", body={"mood": "offline"})
    assert ping(ssm, machine) == "ConnectionLost"
    command = send(ssm, machine, "echo late > proof", TimeoutSeconds=600)
    assert ssm.get_command_invocation(CommandId=command, InstanceId=machine)["Status"] == "Pending"
    assert not (disk(cloud, machine) / "proof").exists()
    cloud.sim(f"machines/{machine}/agent", method="POST", body={"mood": "online"})
    assert ended(ssm, machine, command)["Status"] == "Success"
    assert (disk(cloud, machine) / "proof").read_text() == "late\n"


@pytest.mark.parametrize("how", ["fault", "agent"])
def test_a_command_that_shall_fail_fails_without_running(cloud: Cloud, ssm, how):
    machine = run(cloud, ssm)
    if how == "fault":
        cloud.fault("SendCommand", "fail-later", count=1)
    else:
        cloud.sim(f"machines/{machine}/agent", method="POST", body={"mood": "failing"})
    result = ended(ssm, machine, send(ssm, machine, "touch proof"))
    assert (result["Status"], result["ResponseCode"]) == ("Failed", 1)
    assert not (disk(cloud, machine) / "proof").exists()


def test_a_hanging_agent_reports_nothing_until_the_time_is_over(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    cloud.sim(f"machines/{machine}/agent", method="POST", body={"mood": "hanging"})
    forever = send(ssm, machine, "true")
    brief = send(ssm, machine, "true", Parameters={"executionTimeout": ["1"]})
    result = ended(ssm, machine, brief)
    assert (result["Status"], result["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    assert ssm.get_command_invocation(CommandId=forever, InstanceId=machine)["Status"] == "InProgress"
    ssm.cancel_command(CommandId=forever)
    assert ended(ssm, machine, forever)["Status"] == "Cancelled"


def test_a_command_over_its_time_is_killed_with_all_it_started(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    command = send(ssm, machine, "sleep 3000 & echo $! > child; wait", Parameters={"executionTimeout": ["1"]})
    assert ended(ssm, machine, command)["StatusDetails"] == "ExecutionTimedOut"
    assert is_gone(int((disk(cloud, machine) / "child").read_text()))


def test_a_stop_kills_what_runs_and_ssm_hears_nothing_of_it(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    command = send(ssm, machine, "sleep 3000 & echo $! > child; wait")
    child = disk(cloud, machine) / "child"
    wait_for(lambda: child.exists() and child.read_text().strip(), what="the command runs")
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    assert is_gone(int(child.read_text()))
    assert ssm.get_command_invocation(CommandId=command, InstanceId=machine)["Status"] == "InProgress"


def is_gone(process: int) -> bool:
    def gone() -> bool:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    return wait_for(gone, what=f"process {process} is gone")


def test_a_command_is_unknown_for_a_moment(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    cloud.configure(consistency=NEVER)
    command = send(ssm, machine, "true")
    assert refused(ssm.get_command_invocation, CommandId=command, InstanceId=machine) == "InvocationDoesNotExist"
    cloud.configure(**FAST)
    assert ended(ssm, machine, command)["Status"] == "Success"


def test_slow_commands_take_their_time(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    cloud.configure(command=NEVER)
    command = send(ssm, machine, "touch proof")
    assert ssm.get_command_invocation(CommandId=command, InstanceId=machine)["Status"] == "Pending"
    cloud.configure(command=0, run=NEVER)
    wait_for((disk(cloud, machine) / "proof").exists, what="the command has run")
    assert ssm.get_command_invocation(CommandId=command, InstanceId=machine)["Status"] == "InProgress"
    cloud.configure(run=0)
    assert ended(ssm, machine, command)["Status"] == "Success"


def test_commands_are_taken_at_an_address_not_under_a_name(cloud: Cloud, ssm):
    machine = run(cloud, ssm)
    body = {"InstanceIds": [machine], "DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["touch proof"]}}
    headers = {
        "Host": "rebound.example.com",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonSSM.SendCommand",
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/ssm/aws4_request",
    }
    asked = Request(cloud.aws.endpoint, data=json.dumps(body).encode(), headers=headers)  # noqa: S310  # http, ours
    with pytest.raises(HTTPError, match="400") as answer:
        urlopen(asked, timeout=60)  # noqa: S310  # http, ours
    answer.value.close()
    assert not (disk(cloud, machine) / "proof").exists()
