"""Good manifests and edits that the API server takes as they are, and what it adds to them."""

import json
from pathlib import Path

import pytest

from contract.crd_samples import INSTANCE, WORKSPACE, claim, machine, named, pool, schedule, workspace
from hotdesk.api.v1alpha1 import Machine, MachinePool, Workspace

pytestmark = pytest.mark.stack

MODELS = {"Workspace": Workspace, "MachinePool": MachinePool, "Machine": Machine}
EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"

GOOD = {
    "workspace of the required fields": workspace(project=None),
    "owner of any script": workspace(owner="Ἀδά Λάβλεϊς (艾达) 🦉"),
    "owner as an address": workspace(owner="ada+test@example.com"),
    "owner of 128 characters": workspace(owner="o" * 128),
    "owner that looks like an attack": workspace(owner="../../{name}?a=b#c'\"<script>"),
    "empty project": workspace(project=""),
    "priority class with dots": workspace(priorityClassName="team-a.example.com"),
    "pool name with dots": workspace(pool="dev.eu"),
    "pool of the required fields": pool(),
    "empty pool": pool(maxMachines=0, buffer__idle=0),
    "shared files kept apart": pool(
        backup={"method": "S3Archive", "s3": {"bucket": "files"}},
        slotsPerMachine=5,
        access={"urlTemplate": "http://{privateIP}/?folder=/home/{owner}/{namespace}/{name}"},
    ),
    "largest pool": pool(maxMachines=100000, slotsPerMachine=100, buffer__idle=10000, buffer__percent=1000),
    "region of the government": pool(aws__region="us-gov-west-1"),
    "region of the sovereign cloud": pool(aws__region="eusc-de-east-1"),
    "local endpoint": pool(aws__endpointURL="http://127.0.0.1:5000"),
    "role of China": pool(aws__roleARN="arn:aws-cn:iam::123456789012:role/teams/hotdesk"),
    "group of odd characters": pool(aws__autoScalingGroupName="Team_A/dev@(blue)+1"),
    "every cron form": pool(
        buffer__schedules=[
            schedule(name="a", start="*/15 8-18/2 1,15 JAN-MAR mon-fri", timeZone="America/Argentina/Ushuaia"),
            schedule(name="b", start="0   0 31 12 7", timeZone="Etc/GMT+5", duration="1h30m"),
            {"name": "c", "start": "59 23 * * 0", "duration": "45s", "idle": 0},
        ],
    ),
    "no delay": pool(buffer__scaleDownDelay="0s"),
    "TCP probe": pool(readiness={"tcpSocket": {"port": 22}}),
    "HTTP probe": pool(readiness={"httpGet": {"port": 8080, "path": "/healthz?deep=1"}, "deadline": "1h"}),
    "every placeholder": pool(
        access__urlTemplate="https://{privateIP}/{publicIP}/{owner}/{project}/{namespace}/{name}/{machine}/{slot}"
    ),
    "URL without placeholder": pool(access__urlTemplate="http://gateway.example.com/"),
    "all namespaces": pool(allowedNamespaces={"from": "All"}),
    "chosen namespaces": pool(
        allowedNamespaces={
            "from": "Selector",
            "selector": {
                "matchLabels": {"team": "a"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["gold"]},
                    {"key": "old", "operator": "DoesNotExist"},
                ],
            },
        },
    ),
    "quota of one": pool(quota={"maxWorkspacesPerOwner": 1}),
    "largest quota": pool(
        quota={"maxWorkspacesPerOwner": 100000, "maxRunningPerOwner": 100000, "maxMinutesPerOwnerPerDay": 1000000}
    ),
    "quota of minutes alone": pool(quota={"maxMinutesPerOwnerPerDay": 1}),
    "paused pool": pool(paused=True, aws__manageGroup=False),
    "pool name of 63 characters": named(pool(), "p" * 63),
    "machine without claims": machine(),
    "machine with short id": machine("i-0a1b2c3d"),
    "machine with every slot claimed": machine(slots=100, claims=[claim(slot, f"uid-{slot}") for slot in range(100)]),
    "machine to be reaped": machine(reap={"reason": "PoolDeleted", "at": "2026-01-01T00:00:00Z"}),
}

GOOD_EDITS = {
    "workspace: another owner": (workspace(), {"owner": "grace", "project": None}),
    "pool: larger, paused": (pool(), {"maxMachines": 20, "paused": True, "buffer": {"idle": 5}}),
    "pool: other probe": (
        pool(readiness__tcpSocket__port=22),
        {"readiness": {"tcpSocket": None, "httpGet": {"port": 80}}},
    ),
    "pool: other role": (pool(aws__roleARN="arn:aws:iam::123456789012:role/a"), {"aws": {"roleARN": None}}),
    "machine: claimed": (machine(), {"claims": [claim()]}),
    "machine: second claim": (machine(claims=[claim()]), {"claims": [claim(), claim(1, "uid-2")]}),
    "machine: released and reaped in one write": (
        machine(claims=[claim()]),
        {"claims": [], "reap": {"reason": "Used", "at": "2026-01-01T00:00:00Z"}},
    ),
}


@pytest.fixture
def created(kubectl, request):
    """Create an object as a user would, and take it away again."""

    def create(manifest):
        answer = kubectl("apply", "--filename", "-", "--output=json", input=json.dumps(manifest))
        request.addfinalizer(lambda: kubectl("delete", f"{manifest['kind']}/{manifest['metadata']['name']}"))
        return json.loads(answer.stdout)

    return create


@pytest.mark.parametrize("manifest", GOOD.values(), ids=GOOD)
def test_a_good_manifest_is_taken_and_every_field_of_it_means_something(created, manifest):
    stored = created(manifest)
    stored["metadata"] = manifest["metadata"]
    parsed = MODELS[manifest["kind"]].model_validate(stored, extra="forbid")
    assert _as_far_as_stored(parsed.wire()["spec"], stored["spec"]) == stored["spec"]


@pytest.mark.parametrize(("manifest", "change"), GOOD_EDITS.values(), ids=GOOD_EDITS)
def test_a_good_edit_is_taken(created, kubectl, manifest, change):
    created(manifest)
    target = f"{manifest['kind']}/{manifest['metadata']['name']}"
    kubectl("patch", target, "--type=merge", "--patch", json.dumps({"spec": change}))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_taken(kubectl, path):
    kubectl("apply", "--server-side", "--dry-run=server", "--filename", path)


def test_a_new_workspace_never_looks_finished(created, kubectl):
    assert created(workspace())["status"] == {"observedGeneration": -1, "phase": "Pending"}
    answer = kubectl("get", "--raw", "/apis/hotdesk.dev/v1alpha1/workspaces")
    (seen,) = (item for item in json.loads(answer.stdout)["items"] if item["metadata"]["name"] == WORKSPACE)
    assert seen["status"]["observedGeneration"] != seen["metadata"]["generation"]


def test_a_status_that_a_user_sends_is_not_believed(created):
    claimed = {"phase": "Running", "observedGeneration": 1, "privateIP": "10.0.0.1"}
    assert created({**workspace(), "status": claimed})["status"] == {"observedGeneration": -1, "phase": "Pending"}


def test_a_new_pool_and_a_new_machine_have_a_status(created):
    assert created(pool())["status"] == {"observedGeneration": -1}
    assert created(machine())["status"] == {"phase": "Booting"}


def test_only_the_buffer_is_frozen_into_a_stored_pool(created):
    assert created(pool())["spec"] == {**pool()["spec"], "buffer": {"idle": 2}}


def test_a_status_that_the_operator_writes_is_stored_whole(created, kubectl):
    created(workspace())
    status = Workspace.model_validate(
        {
            "metadata": {"name": WORKSPACE},
            "spec": workspace()["spec"],
            "status": {
                "phase": "Running",
                "observedGeneration": 1,
                "machine": INSTANCE,
                "slot": 0,
                "privateIP": "10.0.0.1",
                "publicIP": "203.0.113.1",
                "url": "http://10.0.0.1:8080/",
                "queue": {"position": 1, "ahead": 0, "estimatedWait": "1m30s"},
                "claimedAt": "2026-01-02T03:04:05.678901Z",
                "readyAt": "2026-01-02T03:04:05.678902Z",
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True",
                        "reason": "MachineReady",
                        "message": "It runs.",
                        "lastTransitionTime": "2026-01-02T03:04:05Z",
                        "observedGeneration": 1,
                    },
                ],
            },
        },
    ).status
    patch = json.dumps({"status": status.merge_patch()})
    answer = kubectl(
        "patch", f"ws/{WORKSPACE}", "--subresource=status", "--type=merge", "--patch", patch, "--output=json"
    )
    assert json.loads(answer.stdout)["status"] == status.wire()


def _as_far_as_stored(parsed, stored):
    """Return what the model read, without the defaults that it added."""
    if isinstance(stored, dict):
        return {key: _as_far_as_stored(parsed[key], stored[key]) for key in stored}
    if isinstance(stored, list):
        return [_as_far_as_stored(ours, theirs) for ours, theirs in zip(parsed, stored, strict=True)]
    return parsed
