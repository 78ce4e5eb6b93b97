"""`hotdesk local up` and `down`: what a person at a shell sees, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from hotdesk_local.processes import Process
from hotdesk_local.state import State
from waiting import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("binaries")]

_HOTDESK = Path(sysconfig.get_path("scripts")) / "hotdesk"


@pytest.fixture(scope="module")
def stack_dir(binaries, tmp_path_factory):  # noqa: ARG001  # built before the command would build it
    """A stack without an operator, for the tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("stack")
    _hotdesk("up", "--no-operator", state_dir=folder)
    yield folder
    _hotdesk("down", state_dir=folder)


@pytest.fixture
def folder(tmp_path):
    """A folder for a stack; whatever the test did, nothing of it runs afterwards."""
    folder = tmp_path / "stack"
    yield folder
    if State.is_at(folder):
        State(folder).end_all()


def test_up_twice_says_it_runs_and_starts_nothing_new(stack_dir):
    before = _pids(stack_dir)
    assert "runs already" in _hotdesk("up", "--no-operator", state_dir=stack_dir).stdout
    assert _pids(stack_dir) == before


def test_status_names_each_process(stack_dir):
    shown = _hotdesk("status", state_dir=stack_dir).stdout.splitlines()
    assert [line.split()[:2] for line in shown] == [["aws", "runs"], ["etcd", "runs"], ["apiserver", "runs"]]


def test_sourced_shell_uses_the_stacks_own_kubectl_and_knows_the_kinds(stack_dir):
    script = f"source {stack_dir}/env && command -v kubectl && kubectl explain mpool.spec.maxMachines"
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(f"{stack_dir}/bin/kubectl\n")
    assert "FIELD: maxMachines <integer>" in shown


def test_group_of_the_demo_exists_in_the_simulated_aws(stack_dir):
    program = (
        "import boto3; groups = boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']; "
        "print([(g['AutoScalingGroupName'], g['MinSize'], g['DesiredCapacity']) for g in groups])"
    )
    script = f'source {stack_dir}/env && exec {sys.executable} -c "{program}"'
    environment = {**os.environ, "AWS_PROFILE": "production"}
    shown = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout == "[('hotdesk-demo', 0, 0)]\n"


def test_environment_and_credentials_are_for_their_owner_only(stack_dir):
    for name in ("env", "kubeconfig", "state.json", "apiserver/tokens.csv", "apiserver/service-account.key"):
        assert (stack_dir / name).stat().st_mode & 0o077 == 0, name


def test_down_ends_everything_and_leaves_only_the_logs(folder):
    _hotdesk("up", "--no-operator", state_dir=folder)
    processes = State(folder).processes
    assert _hotdesk("down", state_dir=folder).stdout == "Ended: apiserver, etcd, aws.\n"
    assert not any(process.running for process in processes)
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "logs", "state.json"]
    assert _hotdesk("down", state_dir=folder).stdout == "Nothing of it ran.\n"


def test_several_operators_run_and_know_each_other(folder):
    _hotdesk("up", "--replicas", "2", state_dir=folder)
    shown = _hotdesk("status", state_dir=folder).stdout.splitlines()
    assert [line.split()[:2] for line in shown][-2:] == [["operator", "runs"], ["operator-2", "runs"]]
    script = f'source {folder}/env && kill -0 "$HOTDESK_OPERATOR_2_PID" && kubectl get leases -n hotdesk-system -o name'
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert found == [f"lease.coordination.k8s.io/replica-{name}" for name in ("operator", "operator-2")]
    assert "runs already" in _hotdesk("up", "--replicas", "2", state_dir=folder).stdout
    assert _hotdesk("down", state_dir=folder).stdout == "Ended: operator-2, operator, apiserver, etcd, aws.\n"


def test_two_stacks_run_side_by_side(stack_dir, folder):
    _hotdesk("up", "--no-operator", state_dir=folder)
    here, there = _facts(folder), _facts(stack_dir)
    assert here["server"] != there["server"]
    assert here["endpoint"] != there["endpoint"]
    assert here["network"] != there["network"]
    _hotdesk("down", state_dir=folder)
    _hotdesk("status", state_dir=stack_dir)


def test_up_after_a_crash_halfway_loses_no_process(folder):
    starting = _start_up(folder)
    wait_for(lambda: _process(folder, "etcd"), what="etcd is started", within=60)
    starting.kill()
    starting.communicate()
    orphans = State(folder).processes
    _hotdesk("up", "--no-operator", state_dir=folder)
    assert not any(process.running for process in orphans)
    _hotdesk("status", state_dir=folder)


def test_interrupted_up_ends_what_it_began(folder):
    starting = _start_up(folder)
    etcd = wait_for(lambda: _process(folder, "etcd"), what="etcd is started", within=60)
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=60)
    assert starting.returncode != 0
    assert not etcd.running


def test_second_command_waits_for_nobody_but_says_why(folder):
    starting = _start_up(folder)
    wait_for(lambda: _process(folder, "etcd"), what="the first command is at work", within=60)
    refused = _hotdesk("down", state_dir=folder, check=False)
    assert refused.returncode == 1
    assert "Another `hotdesk local` command works on" in refused.stderr
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=60)


def test_up_starts_anew_where_the_simulated_aws_has_died(folder):
    _hotdesk("up", "--no-operator", state_dir=folder)
    State(folder).process("aws").kill()
    shown = _hotdesk("up", "--no-operator", state_dir=folder).stdout
    assert "Part of this stack had ended; starting anew (ended: apiserver, etcd)." in shown
    _hotdesk("status", state_dir=folder)


def test_record_of_before_a_reboot_is_no_obstacle(folder):
    # The pid is alive, but belongs to somebody else by now: to this very test.
    folder.mkdir()
    stale = {"name": "etcd", "pid": os.getpid(), "identity": "boot-of-last-week/77"}
    (folder / "state.json").write_text(json.dumps({"processes": [stale], "facts": {"etcd_port": 20001}}))
    _hotdesk("up", "--no-operator", state_dir=folder)
    _hotdesk("status", state_dir=folder)


def test_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "bin").mkdir()
    refused = _hotdesk("up", state_dir=tmp_path, check=False)
    assert refused.returncode == 1
    assert "choose another one" in refused.stderr
    assert (tmp_path / "bin").is_dir()


def test_status_without_a_stack_says_how_to_start_one(tmp_path):
    shown = _hotdesk("status", state_dir=tmp_path / "none", check=False)
    assert shown.returncode == 1
    assert "Start one with `hotdesk local up`" in shown.stderr


def _hotdesk(*arguments: str, state_dir: Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
    command = [_HOTDESK, "local", *arguments, "--state-dir", state_dir]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def _start_up(folder: Path) -> "subprocess.Popen[str]":
    command = [_HOTDESK, "local", "up", "--no-operator", "--state-dir", folder]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _process(folder: Path, name: str) -> Process | None:
    return State(folder).process(name) if State.is_at(folder) else None


def _pids(folder: Path) -> list[int]:
    return [process.pid for process in State(folder).processes]


def _facts(folder: Path) -> dict[str, str]:
    aws = json.loads((folder / "aws.json").read_text())
    kubeconfig = json.loads((folder / "kubeconfig").read_text())
    return {**aws, "server": kubeconfig["clusters"][0]["cluster"]["server"]}
