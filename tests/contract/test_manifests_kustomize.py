"""What `deploy/` puts into a cluster is accepted by a real API server, and grants no more than is needed."""

import ast
import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from hotdesk.settings import Settings
from waiting import wait_for

pytestmark = pytest.mark.stack

DEPLOY = Path(__file__).parents[2] / "deploy"
AWS_ADAPTER = Path(__file__).parents[2] / "operator" / "hotdesk" / "adapters" / "aws"
OPERATOR = "system:serviceaccount:hotdesk-system:hotdesk"
S3_PERMISSIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
}
SERVICES = ("autoscaling", "cloudwatch", "ec2", "s3", "sns", "sqs", "ssm")
KUSTOMIZATIONS = ["kustomize", "kind", "examples/eks-irsa"]

MAY = [
    *(
        f"{verb} {kind}.hotdesk.dev"
        for verb in ("get", "list", "watch")
        for kind in ("workspaces", "machines", "machinepools")
    ),
    *(f"patch {kind}.hotdesk.dev/status" for kind in ("workspaces", "machines", "machinepools")),
    *(f"{verb} machines.hotdesk.dev" for verb in ("create", "patch", "delete")),
    "patch machinepools.hotdesk.dev",
    "list namespaces",
    "watch namespaces",
    "list priorityclasses.scheduling.k8s.io",
    "watch priorityclasses.scheduling.k8s.io",
    "create events.events.k8s.io",
    "patch events.events.k8s.io",
]
MAY_AT_HOME = [
    *(f"{verb} leases.coordination.k8s.io" for verb in ("get", "list", "watch", "create", "patch", "delete")),
    "get secrets/hotdesk-pool-secrets",
]
MAY_NOT_AT_HOME = [
    "deletecollection leases.coordination.k8s.io",
    "update leases.coordination.k8s.io",
    "get secrets",
    "get secrets/hotdesk-heartbeat",
    "list secrets",
    "watch secrets",
    "patch secrets/hotdesk-pool-secrets",
]
MAY_NOT = [
    "create workspaces.hotdesk.dev",
    "patch workspaces.hotdesk.dev",
    "delete workspaces.hotdesk.dev",
    "create machinepools.hotdesk.dev",
    "delete machinepools.hotdesk.dev",
    "deletecollection machines.hotdesk.dev",
    "get secrets",
    "get secrets/hotdesk-pool-secrets",
    "list events.events.k8s.io",
    "delete events.events.k8s.io",
    "create events",
    "list pods",
    "create pods",
    "patch namespaces",
    "impersonate users",
    "get leases.coordination.k8s.io",
    "create leases.coordination.k8s.io",
    "create clusterrolebindings.rbac.authorization.k8s.io",
]


@pytest.fixture(scope="module")
def system(kubectl):
    """The namespace, for real: a dry run of what goes into it needs it. Nothing else is left behind."""
    kubectl("apply", "--filename", DEPLOY / "kustomize" / "namespace.yaml")


@pytest.fixture(scope="module")
def rights(kubectl, system):  # noqa: ARG001  # the namespace of the Leases
    """The operator's roles, in force until the module ends."""
    roles = ("operator-role.yaml", "lease-role.yaml", "secret-role.yaml")
    files = [f"--filename={DEPLOY / 'kustomize' / name}" for name in roles]
    kubectl("apply", *files)
    wait_for(lambda: _can(kubectl, "list workspaces.hotdesk.dev") == "yes", what="the role is in force")
    wait_for(lambda: _can(kubectl, MAY_AT_HOME[0], at_home=True) == "yes", what="the role for Leases is in force")
    wait_for(lambda: _can(kubectl, MAY_AT_HOME[-1], at_home=True) == "yes", what="the role for Secrets is in force")
    yield
    kubectl("delete", *files)


@pytest.fixture(scope="module")
def built(kubectl):
    """Every object of the base."""
    return list(yaml.safe_load_all(kubectl("kustomize", DEPLOY / "kustomize").stdout))


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_a_kustomization_is_accepted_whole(kubectl, folder):
    text = kubectl("kustomize", DEPLOY / folder).stdout
    kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename", "-", input=text)


@pytest.mark.usefixtures("system")
def test_the_operators_pod_passes_the_restricted_profile(kubectl, built):
    template = _only(built, "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "x", "namespace": "hotdesk-system"}}
    kubectl("create", "--dry-run=server", "--filename", "-", input=json.dumps(pod))

    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    answer = kubectl("create", "--dry-run=server", "--filename", "-", input=json.dumps(pod), check=False)
    assert 'violates PodSecurity "restricted' in answer.stderr


def test_nothing_can_be_written_into_the_image_at_run_time(built):
    (container,) = _only(built, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["image"] == "hotdesk:0.1.0"


def test_the_probes_and_the_service_meet_the_port_of_the_metrics(built):
    (container,) = _only(built, "Deployment")["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    settings = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    everywhere = "0.0.0.0"  # noqa: S104  # within its Pod
    assert settings == {"HOTDESK_METRICS_ADDRESS": everywhere, "HOTDESK_METRICS_PORT": str(port["containerPort"])}
    fields = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in container["env"] if "valueFrom" in e}
    assert fields == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert _only(built, "Service")["spec"]["ports"][0]["targetPort"] == port["name"]


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("right", MAY)
def test_the_operator_may(kubectl, right):
    assert _can(kubectl, right) == "yes"


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("right", MAY_NOT)
def test_the_operator_may_not(kubectl, right):
    assert _can(kubectl, right) == "no"


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("right", MAY_AT_HOME)
def test_the_operator_may_in_its_own_namespace(kubectl, right):
    assert _can(kubectl, right, at_home=True) == "yes"


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("right", MAY_NOT_AT_HOME)
def test_the_operator_may_not_in_its_own_namespace_either(kubectl, right):
    assert _can(kubectl, right, at_home=True) == "no"


def test_a_replica_can_end_in_good_order_and_another_takes_over(built):
    deployment = _only(built, "Deployment")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] >= 2 * Settings().drain_seconds
    labels = deployment["template"]["metadata"]["labels"]
    assert _only(built, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for constraint in deployment["template"]["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()


def test_whoever_edits_a_namespace_has_workspaces_and_no_machines(built):
    rules = _only(built, "ClusterRole", "hotdesk-user")["rules"]
    assert [rule["resources"] for rule in rules] == [["workspaces"]]


def test_the_example_policy_allows_exactly_the_calls_we_make():
    policy = json.loads((DEPLOY / "examples" / "eks-irsa" / "iam-policy.json").read_text(encoding="utf-8"))
    allowed = {action for statement in policy["Statement"] for action in _listed(statement["Action"])}
    assert allowed == _calls_to_aws()
    everywhere = [statement["Sid"] for statement in policy["Statement"] if statement["Resource"] == "*"]
    assert everywhere == ["Look"]


def test_the_image_holds_the_product_and_not_the_local_stack():
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(\S+)", lines, re.MULTILINE)
    assert sorted(copied) == ["deploy/hotdesk.sh", "operator/hotdesk", "requirements.lock"]
    assert "--require-hashes" in lines
    assert re.findall(r"^USER (.*)", lines, re.MULTILINE) == ["65532:65532"]


@pytest.mark.parametrize("script", ["hotdesk.sh", "kind/up.sh", "aws/interruptions.sh"])
def test_a_script_is_one_that_every_shell_reads(script):
    subprocess.run(["sh", "-n", DEPLOY / script], check=True)


def _only(objects, kind, name=None):
    (found,) = (
        found for found in objects if found["kind"] == kind and (name is None or found["metadata"]["name"] == name)
    )
    return found


def _calls_to_aws():
    """Return every `service:Operation` that stands side by side in a call within the AWS adapter."""
    calls = set()
    for path in AWS_ADAPTER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            words = [
                part.value
                for part in (node.args if isinstance(node, ast.Call) else ())
                if isinstance(part, ast.Constant)
            ]
            calls |= {_permission(service, name) for service, name in pairwise(words) if service in SERVICES}
    return calls


def _permission(service, operation):
    """Return the IAM action of a call: SQS's calls for several messages need the one for a single message."""
    return f"{service}:{S3_PERMISSIONS.get(operation, operation).removesuffix('Batch')}"


def _listed(value):
    return [value] if isinstance(value, str) else value


def _can(kubectl, right, *, at_home=False):
    verb, resource = right.split()
    options = []
    if resource.endswith("/status"):  # any other word behind a slash is a name
        resource, options = resource.removesuffix("/status"), ["--subresource=status"]
    where = "--namespace=hotdesk-system" if at_home else "--all-namespaces"
    question = ["auth", "can-i", verb, resource, *options, where, f"--as={OPERATOR}"]
    return kubectl(*question, check=False).stdout.strip()
