"""A process of the stack is ended for certain, and only if it is still the one that was started."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk_local.errors import LocalStackError
from hotdesk_local.processes import start_process
from hotdesk_local.state import State
from waiting import wait_for

_STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


@pytest.fixture
def sleeper(tmp_path):
    process = start_process(name="sleeper", command=["sleep", "600"], environment=os.environ, log=tmp_path / "log")
    yield process
    process.kill()


def test_ended_process_is_gone(sleeper):
    assert sleeper.running
    assert sleeper.end()
    assert not sleeper.running


def test_stranger_with_the_same_pid_is_left_alone(sleeper):
    recorded_long_ago = replace(sleeper, identity="another-boot/1")
    assert not recorded_long_ago.running
    recorded_long_ago.end()
    recorded_long_ago.kill()
    assert sleeper.running


def test_process_that_ended_before_it_was_looked_at_does_not_run(sleeper):
    sleeper.kill()
    assert not replace(sleeper, identity="").running


def test_ending_what_is_gone_succeeds(sleeper):
    sleeper.end()
    sleeper.end()
    sleeper.kill()


def test_process_that_ignores_sigterm_is_killed_after_its_grace(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", _STUBBORN]
    process = start_process(name="stubborn", command=command, environment=os.environ, log=log)
    wait_for(lambda: "deaf" in log.read_text(), what="it ignores SIGTERM")
    assert not process.end(grace=0.1)
    assert not process.running


def test_kill_takes_the_children_along(tmp_path):
    log = tmp_path / "log"
    command = ["sh", "-c", "sleep 600 & echo $!; wait"]
    process = start_process(name="parent", command=command, environment=os.environ, log=log)
    child = int(wait_for(lambda: log.read_text().strip(), what="it names its child"))
    process.kill()
    wait_for(lambda: not _alive(child), what="the child is gone too")


def test_process_outlives_a_terminal_interrupt(sleeper):
    assert os.getpgid(sleeper.pid) == sleeper.pid != os.getpgid(0)


def test_state_knows_its_processes_after_being_read_again(tmp_path):
    State(tmp_path).start(name="sleeper", command=["sleep", "600"])
    found = State(tmp_path)
    assert found.process("sleeper") is not None
    assert found.end_all() == ["sleeper"]
    assert State(tmp_path).processes == ()


def test_processes_are_ended_last_first(tmp_path):
    state = State(tmp_path)
    for name in ("first", "second", "third"):
        state.start(name=name, command=["sleep", "600"])
    os.kill(state.process("second").pid, signal.SIGKILL)
    wait_for(lambda: state.process("second") is None, what="second has died by itself")
    assert state.end_all() == ["third", "first"]


def test_running_process_is_not_started_twice(tmp_path):
    state = State(tmp_path)
    state.start(name="sleeper", command=["sleep", "600"])
    with pytest.raises(LocalStackError, match="runs already"):
        state.start(name="sleeper", command=["sleep", "600"])
    state.end_all()


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("five years of work")
    with pytest.raises(LocalStackError, match="neither empty nor the folder of a stack"):
        State(tmp_path)


def test_unreadable_record_says_which_file_and_what_to_do(tmp_path):
    (tmp_path / "state.json").write_text('{"processes": [')
    with pytest.raises(LocalStackError, match=r"state\.json cannot be read .* remove the file"):
        State(tmp_path)


def test_a_persons_own_aws_account_is_never_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    state = State(tmp_path)
    process = state.start(name="shell", command=["env"], environment={"AWS_REGION": "eu-central-1"})
    wait_for(lambda: not process.running, what="env has printed and ended")
    said = state.log("shell").read_text()
    assert "AWS_REGION=eu-central-1" in said
    assert "production" not in said


def _alive(pid: int) -> bool:
    """Whether it runs; a dead one that nobody has collected yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
