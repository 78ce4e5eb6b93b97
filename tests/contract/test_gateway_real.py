"""The gateway on a real API server, with the rights that `deploy/gateway` gives it and no others."""

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml

from component.gateways import until, wire
from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.kube.connection import find_connection
from hotdesk.gateway.keys import KeyFile
from hotdesk.gateway_main import opened
from hotdesk.settings import GatewaySettings
from waiting import wait_for

pytestmark = pytest.mark.stack

DEPLOY = Path(__file__).parents[2] / "deploy"
KEY = "a-key-of-the-contract-0123456789abcdef"
ACCOUNT = "system:serviceaccount:hotdesk-system:hotdesk-gateway"
MAY = ["get workspaces", "list workspaces", "watch workspaces", "patch workspaces/status"]
MAY_NOT = [
    "patch workspaces",
    "delete workspaces",
    "update workspaces/status",
    "get machines",
    "patch machines",
    "patch machinepools",
    "get secrets",
    "list pods",
    "create leases",
]


@pytest.fixture(scope="module")
def installed(kubectl):
    """The gateway's account and rights, in force until the module ends."""
    kubectl("apply", "--filename", DEPLOY / "kustomize" / "namespace.yaml")
    files = [f"--filename={DEPLOY / 'gateway' / name}" for name in ("service-account.yaml", "role.yaml")]
    kubectl("apply", *files)
    wait_for(lambda: _can(kubectl, MAY[0]) == "yes", what="the role is in force")
    yield
    kubectl("delete", *files)


@pytest.fixture(scope="module")
def built(kubectl, tmp_path_factory):
    """Every object of the base with the component, as the example builds it."""
    folder = tmp_path_factory.mktemp("deploy") / "deploy"
    subprocess.run(["cp", "-r", DEPLOY, folder], check=True)
    subprocess.run(["cp", "-r", DEPLOY.parent / "crds", folder.parent / "crds"], check=True)
    (folder / "examples" / "gateway" / "keys").write_text(KEY, encoding="utf-8")
    return kubectl("kustomize", folder / "examples" / "gateway").stdout


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("right", MAY)
def test_the_gateway_may(kubectl, right):
    assert _can(kubectl, right) == "yes"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("right", MAY_NOT)
def test_the_gateway_may_not(kubectl, right):
    assert _can(kubectl, right) == "no"


@pytest.mark.usefixtures("installed")
def test_the_example_is_accepted_whole_and_its_pod_passes_the_restricted_profile(kubectl, built):
    kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename", "-", input=built)
    deployment = _gateway(built, "Deployment")
    pod = {"apiVersion": "v1", "kind": "Pod", **deployment["spec"]["template"]}
    pod["metadata"] = {"name": "x", "namespace": "hotdesk-system"}
    kubectl("create", "--dry-run=server", "--filename", "-", input=json.dumps(pod))


def test_ports_probes_secret_and_image_meet(built):
    deployment = _gateway(built, "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert (env["HOTDESK_GATEWAY_PORT"], env["HOTDESK_METRICS_PORT"]) == (ports["heartbeats"], ports["metrics"])
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert container["image"] == "hotdesk:0.1.0"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert deployment["replicas"] == 2
    assert pod["volumes"][0]["secret"]["secretName"] == "hotdesk-heartbeat"
    assert _gateway(built, "Secret")["metadata"]["name"] == "hotdesk-heartbeat"
    assert Path(env["HOTDESK_HEARTBEAT_KEYS"]).parent == Path(container["volumeMounts"][0]["mountPath"])
    assert list(_gateway(built, "Secret")["data"]) == [Path(env["HOTDESK_HEARTBEAT_KEYS"]).name]
    assert pod["terminationGracePeriodSeconds"] >= 2 * GatewaySettings(heartbeat_keys="x").drain_seconds
    for kind in ("PodDisruptionBudget", "Service"):
        spec = _gateway(built, kind)["spec"]
        selected = spec["selector"].get("matchLabels", spec["selector"])
        assert selected.items() <= deployment["template"]["metadata"]["labels"].items()


@pytest.mark.usefixtures("installed")
def test_a_beat_reaches_the_status_with_these_rights_and_kubectl_shows_it(
    controlplane, kubectl, namespace, tmp_path, monkeypatch
):
    keys = tmp_path / "keys"
    keys.write_text(KEY, encoding="utf-8")
    _workspace(kubectl, namespace)
    kubeconfig = controlplane.kubeconfig_for(namespace="hotdesk-system", service_account="hotdesk-gateway")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    token = _token(f"{namespace}/demo", "--keys", keys)

    async def scenario() -> None:
        settings = GatewaySettings(heartbeat_keys=keys, gateway_port=0, metrics_port=0)
        async with (
            opened(settings, find_connection(), KeyFile(keys), clock=SystemClock()) as gateway,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        ):
            url = f"http://127.0.0.1:{gateway.server.port}/v1/workspaces/{namespace}/demo/heartbeat"

            async def beat() -> int:
                async with http.post(url, json={"source": "editor"}) as answer:
                    return answer.status

            await until(beat, 204)
            uid = token.partition(".")[0]
            await until(lambda: gateway.heartbeats.find(uid).last_activity is not None, wanted=True)
            _recreate(kubectl, namespace)
            await until(lambda: uid in gateway.heartbeats, wanted=False)
            assert await beat() == 404

    asyncio.run(scenario())
    assert "lastActivityTime" not in _status(kubectl, namespace)


@pytest.mark.usefixtures("installed")
def test_idle_is_a_column_with_the_time_since_then(kubectl, namespace):
    _workspace(kubectl, namespace)
    told = {"lastActivityTime": wire(SystemClock().now()), "activitySource": "Heartbeat"}
    _patch_status(kubectl, namespace, told)
    head, row = kubectl("get", "ws", "--namespace", namespace).stdout.splitlines()
    assert head.split()[-2:] == ["IDLE", "AGE"]
    assert row.split()[-2].endswith("s")


@pytest.mark.usefixtures("installed")
def test_the_token_command_takes_its_key_from_the_secret(controlplane, kubectl, namespace, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
    _workspace(kubectl, namespace)
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n{'o' * 40}\n", encoding="utf-8")
    kubectl("create", "secret", "generic", "beat", f"--from-file=keys={keys}", "--namespace", namespace)
    made = _token(f"{namespace}/demo", "--secret", f"{namespace}/beat")
    assert made == _token(f"{namespace}/demo", "--keys", keys)
    assert base64.urlsafe_b64decode(made.partition(".")[2] + "=")
    refused = _run("token", f"{namespace}/absent", "--keys", str(keys))
    assert refused.returncode == 1
    assert f"there is no Workspace absent in namespace {namespace}" in refused.stderr
    refused = _run("token", f"{namespace}/demo", "--secret", f"{namespace}/absent")
    assert "absent" in refused.stderr
    assert "Traceback" not in refused.stderr


def _gateway(built, kind):
    (found,) = (
        found
        for found in yaml.safe_load_all(built)
        if found["kind"] == kind and found["metadata"]["name"] in ("hotdesk-gateway", "hotdesk-heartbeat")
    )
    return found


def _workspace(kubectl, namespace):
    made = {"apiVersion": "hotdesk.dev/v1alpha1", "kind": "Workspace", "metadata": {"name": "demo"}}
    made["spec"] = {"pool": "contract", "owner": "ada"}
    kubectl("create", "--namespace", namespace, "--filename", "-", input=json.dumps(made))
    _patch_status(
        kubectl, namespace, {"phase": "Running", "machine": "i-1", "claimedAt": "2026-01-01T00:00:00.000001Z"}
    )


def _recreate(kubectl, namespace):
    kubectl("delete", "ws", "demo", "--namespace", namespace)
    _workspace(kubectl, namespace)


def _patch_status(kubectl, namespace, status):
    patch = json.dumps({"status": status})
    kubectl("patch", "ws", "demo", "--namespace", namespace, "--subresource=status", "--type=merge", "--patch", patch)


def _status(kubectl, namespace):
    return json.loads(kubectl("get", "ws", "demo", "--namespace", namespace, "--output=json").stdout)["status"]


def _token(*arguments):
    done = _run("token", *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _run(*arguments):
    command = [sys.executable, "-c", "from hotdesk.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _can(kubectl, right):
    verb, _, resource = right.partition(" ")
    resource, _, subresource = resource.partition("/")
    options = [f"--subresource={subresource}"] if subresource else []
    group = ".hotdesk.dev" if resource in ("workspaces", "machines", "machinepools") else ""
    question = ["auth", "can-i", verb, f"{resource}{group}", *options, "--all-namespaces", f"--as={ACCOUNT}"]
    return kubectl(*question, check=False).stdout.strip()
