"""The local API server is a real one: it keeps its data, checks rights, and breaks watches when asked to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hotdesk_local.controlplane.apiserver import Options
from hotdesk_local.controlplane.plane import ControlPlane
from hotdesk_local.errors import LocalStackError
from hotdesk_local.state import State
from waiting import wait_for

_GUARD = Path(__file__).parents[1] / "guard.py"

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def plane(binaries, tmp_path_factory):
    """A control plane of this module's own, so that it may be killed; without a watch cache, and audited."""
    options = Options(audit=True, watch_cache=False)
    plane = ControlPlane.start(tmp_path_factory.mktemp("plane"), binaries=binaries, options=options)
    yield plane
    # What is on record, not what `plane` knows of: a test may have started it anew from its folder.
    State(plane.state.folder).end_all()


def test_server_and_kubectl_are_of_one_release(plane):
    versions = json.loads(plane.kubectl("version", "--output=json").stdout)
    assert versions["serverVersion"]["gitVersion"] == versions["clientVersion"]["gitVersion"] == "v1.37.2"


def test_killed_api_server_comes_back_with_the_same_address_and_data(plane):
    plane.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    address = plane.url
    plane.kill_apiserver()
    assert plane.kubectl("get", "configmap", "kept", check=False).returncode != 0
    plane.start_apiserver()
    assert plane.url == address
    assert plane.kubectl("get", "configmap", "kept", "--output=jsonpath={.data.a}").stdout == "b"


def test_restart_keeps_the_data(plane):
    plane.kubectl("create", "configmap", "survivor")
    plane.restart_apiserver()
    plane.kubectl("get", "configmap", "survivor")


def test_api_server_does_not_wait_for_those_who_watch(plane):
    events = plane.watch("/api/v1/namespaces")
    assert next(events)["type"] == "ADDED"
    went_by_itself = plane.state.last("apiserver").end()
    events.close()
    plane.start_apiserver()
    assert went_by_itself


def test_watch_from_before_a_compaction_is_gone(plane):
    listed = json.loads(plane.kubectl("get", "--raw", "/api/v1/configmaps?limit=1").stdout)
    before = listed["metadata"]["resourceVersion"]
    for name in ("later", "latest"):
        plane.kubectl("create", "configmap", name)
    plane.compact()
    watch = plane.kubectl("get", "--raw", f"/api/v1/configmaps?watch=1&timeoutSeconds=5&resourceVersion={before}")
    assert json.loads(watch.stdout)["object"]["code"] == 410


def test_service_account_has_the_rights_it_was_given_and_no_others(plane):
    plane.kubectl("create", "serviceaccount", "reader")
    plane.kubectl("create", "role", "reader", "--verb=get", "--resource=configmaps")
    plane.kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader")
    kubeconfig = plane.kubeconfig_for(namespace="default", service_account="reader")
    as_reader = ("--kubeconfig", kubeconfig)
    # The authorizer learns of a new binding through its own watch.
    wait_for(
        lambda: plane.kubectl(*as_reader, "auth", "can-i", "get", "configmaps", check=False).returncode == 0,
        what="the role is in force",
    )
    refused = plane.kubectl(*as_reader, "get", "secrets", check=False)
    assert "Forbidden" in refused.stderr


def test_audit_log_names_each_request(plane):
    plane.kubectl("create", "configmap", "audited")
    events = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    made = [event for event in events if event["verb"] == "create" and event["objectRef"].get("name") == "audited"]
    assert [event["responseStatus"]["code"] for event in made] == [201]


def test_failed_kubectl_raises_what_it_said(plane):
    with pytest.raises(LocalStackError, match='configmaps "absent" not found'):
        plane.kubectl("get", "configmap", "absent")


def test_started_again_from_its_folder_it_is_the_same(plane):
    found = ControlPlane.start(State(plane.state.folder), binaries=plane.binaries, options=plane.options)
    assert found.url == plane.url
    assert [process.pid for process in found.state.processes] == [process.pid for process in plane.state.processes]


def test_api_server_that_cannot_start_says_why(binaries, tmp_path):
    with pytest.raises(LocalStackError, match="unknown flag: --no-such-flag"):
        ControlPlane.start(tmp_path, binaries=binaries, options=Options(flags=("--no-such-flag",)))
    State(tmp_path).end_all()


def test_killed_test_run_leaves_no_process(tmp_path):
    folder = tmp_path / "stack"
    sleeper = State(folder).start(name="sleeper", command=["sleep", "600"])
    guard = subprocess.Popen([sys.executable, _GUARD, tmp_path], stdin=subprocess.PIPE)
    guard.communicate(timeout=60)  # closes its input, as the death of the test run does
    assert guard.returncode == 0
    assert not sleeper.running
