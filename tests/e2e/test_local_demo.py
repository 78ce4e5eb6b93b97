"""`hotdesk local demo` shows what it promises and leaves nothing behind; `up` brings the operator too."""

import os
import re
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

from hotdesk_local.state import State
from waiting import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("binaries")]

_HOTDESK = Path(sysconfig.get_path("scripts")) / "hotdesk"


@pytest.fixture
def environment(tmp_path):
    """Where the demo puts its folder is ours to look at."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


def test_demo_shows_the_way_of_a_workspace_and_leaves_nothing(tmp_path, environment):
    done = subprocess.run(
        [_HOTDESK, "local", "demo"], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert len(re.findall(r"^  \w+ +\d+ ms +i-\w+ +a machine stood ready$", shown, flags=re.MULTILINE)) == 2
    assert len(re.findall(r"number 1 in the queue, its machine had to boot$", shown, flags=re.MULTILINE)) == 1
    page = re.search(r"200 OK\n  Machine (i-\w+)\n  Folder: /home/ada/engine\n", shown)
    assert page is not None
    assert f"workspace.hotdesk.dev/ada     Running   {page[1]} " in shown
    ended = re.search(r"EC2 now calls (i-\w+) terminated", shown)
    assert ended is not None
    assert ended[1] not in shown[ended.end() :]
    _see_the_second_act(shown[ended.end() :], machine=page[1])
    assert list(tmp_path.iterdir()) == []
    assert _processes_of(tmp_path) == []


def _see_the_second_act(shown: str, *, machine: str) -> None:
    """A file that was edited outlives an idle stop, an archive and its machine, and all of it is told and counted."""
    warning = r"The machine is stopped at [-0-9]+ [:0-9]+ UTC: nobody has been active since"
    facts = [
        r"PUT http://127\.\S+:8080/files/home/ada/engine/notes.txt: 204 No Content",
        rf"{warning}|is stopped, because nobody was active",
        rf"ada     Stopped   {machine} ",
        rf"EC2 now calls {machine} stopped",
        r"All (\d+) bytes are as they were written",
        r'"method":"S3Archive","paths":\["/home"\],"size":[1-9]',
        rf"EC2 now calls {machine} terminated",
        r"ada     Archived    ",
        r"ada    Running   (i-\w+) ",
        r"All \d+ bytes are as they were written",
        r'"billedMinutes":[2-9],',
        r"\n  ada +0:\d\d:\d\d +\d+ +2\n  grace +0:\d\d:\d\d +1 +1\n",
        r"Normal +Claimed\n",
        r"Normal +Archived\n",
    ]
    found = []
    for fact in facts:
        at = re.search(fact, shown[found[-1].end() if found else 0 :])
        assert at is not None, fact
        shown = shown[found[-1].end() if found else 0 :]
        found.append(at)
    assert found[8][1] != machine
    for reason in ("StopWarning", "Stopping", "Stopped", "Woken", "Ready", "BackedUp"):
        assert f" {reason}\n" in found[-2].string


def test_interrupted_demo_ends_what_it_started(tmp_path, environment):
    running = subprocess.Popen(
        [_HOTDESK, "local", "demo"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: any("operator" in line for line in _processes_of(tmp_path)), what="the operator starts", within=90)
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=90)[1]
    assert running.returncode != 0
    assert "What each part said is in" in said
    assert _processes_of(tmp_path) == []


def test_up_starts_only_the_operator_where_it_alone_has_died(tmp_path):
    up = [_HOTDESK, "local", "up", "--state-dir", tmp_path]
    try:
        subprocess.run(up, capture_output=True, text=True, timeout=180, check=True)
        before = {process.name: process.pid for process in State(tmp_path).processes}
        State(tmp_path).last("operator").kill()
        subprocess.run(up, capture_output=True, text=True, timeout=180, check=True)
        after = {process.name: process.pid for process in State(tmp_path).processes}
        assert after.pop("operator") != before.pop("operator")
        assert after == before
        assert f"export HOTDESK_OPERATOR_PID={State(tmp_path).last('operator').pid}\n" in (tmp_path / "env").read_text()
    finally:
        subprocess.run([_HOTDESK, "local", "down", "--state-dir", tmp_path], timeout=180, check=True)


def _processes_of(folder: Path) -> list[str]:
    """Return the command lines of all processes that were told of the folder, by argument or environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command or f"KUBECONFIG={folder}" in environment:
            found.append(command)
    return found
