"""What the computer lacks is said, and what the API server has noted is read."""

import json
import subprocess
import sys
import time

import pytest

from chaos import audit, clocks, nets


def test_missing_namespaces_are_named(monkeypatch):
    refused = subprocess.CompletedProcess((), 1, stdout="", stderr="unshare: unshare failed: Operation not permitted\n")
    monkeypatch.setattr(nets.subprocess, "run", lambda *_, **__: refused)
    said = nets.go_inside(["-m", "chaos"])
    assert said.startswith("namespaces (user namespaces for everybody, or root")
    assert said.count("Operation not permitted") == 2  # with and without a user namespace


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "cc" in clocks.missing()


@pytest.mark.skipif(bool(clocks.missing()), reason=clocks.missing())
def test_a_clock_steps_for_one_process_alone(tmp_path):
    clock = clocks.SteppingClock.make(tmp_path)
    clock.step(-3600)
    asked = [sys.executable, "-c", "import time; print(time.time(), time.monotonic())"]
    done = subprocess.run(asked, env=clock.environment, capture_output=True, text=True, check=True)
    wall, monotonic = map(float, done.stdout.split())
    assert wall < time.time() - 3000  # noqa: TID251  # this computer's own clock
    assert abs(monotonic - time.monotonic()) < 60


def test_a_write_is_read_with_its_sender_its_guard_and_its_outcome(tmp_path):
    log = tmp_path / "audit.log"
    entry = {
        "stage": "ResponseComplete",
        "verb": "patch",
        "user": {"username": "hotdesk", "extra": {"authentication.kubernetes.io/credential-id": ["JTI=one"]}},
        "objectRef": {"resource": "machines", "subresource": "status", "name": "i-1"},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:01.000000Z",
        "responseStatus": {"code": 200},
        "requestObject": {"metadata": {"resourceVersion": "7"}},
        "responseObject": {"kind": "Machine", "metadata": {"resourceVersion": "8"}, "spec": {"pool": "dev"}},
    }
    log.write_text(json.dumps(entry) + "\n" + '{"stage": "Resp')  # it was killed while it wrote
    (write,) = audit.read(log, processes={"JTI=one": "operator#1"})
    assert (write.process, write.kind, write.name, write.pool) == ("operator#1", "machines/status", "i-1", "dev")
    assert (write.guard, write.version, write.is_done, write.ended - write.began) == (7, 8, True, 1)
