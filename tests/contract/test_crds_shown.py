"""What kubectl shows of the kinds: explanations, columns, short names, scaling."""

import json
from collections.abc import Iterator
from functools import partial

import pytest

from contract.crd_samples import INSTANCE, POOL, WORKSPACE, claim, machine, pool, workspace
from waiting import wait_for

pytestmark = pytest.mark.stack

OPENAPI = "/openapi/v3/apis/hotdesk.dev/v1alpha1"


@pytest.fixture(scope="module")
def schemas(kubectl):
    """What the API server publishes about our kinds, which is what `kubectl explain` reads."""

    def published():
        answer = kubectl("get", "--raw", OPENAPI, check=False)
        found = json.loads(answer.stdout)["components"]["schemas"] if answer.returncode == 0 else {}
        kinds = {name.removeprefix("dev.hotdesk.v1alpha1."): schema for name, schema in found.items()}
        return kinds if {"Workspace", "MachinePool", "Machine"} <= kinds.keys() else None

    # The API server publishes a little after the CRDs are established.
    return wait_for(published, what="the API server publishes the schemas of the three kinds")


@pytest.fixture
def objects(kubectl, request):
    """Create objects and take them away again."""

    def create(*manifests):
        for manifest in manifests:
            kubectl("create", "--filename", "-", input=json.dumps(manifest))
            target = f"{manifest['kind']}/{manifest['metadata']['name']}"
            request.addfinalizer(partial(kubectl, "delete", target))

    return create


@pytest.mark.parametrize("kind", ["Workspace", "MachinePool", "Machine"])
def test_every_field_has_an_explanation(schemas, kind):
    fields = {
        path: node for part in ("spec", "status") for path, node in _fields(schemas[kind]["properties"][part], part)
    }
    assert len(fields) > 10
    assert [path for path, node in fields.items() if not node.get("description")] == []


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("ws.spec.owner", "Who works here."),
        ("mpool.spec.buffer.schedules.start", "the five fields of cron"),
        ("mach.spec.reap", "One-way, and never together with claims."),
    ],
)
def test_kubectl_explain_reads_it_out(kubectl, schemas, field, words):
    assert schemas
    assert words in " ".join(kubectl("explain", field).stdout.split())


def test_a_persons_first_questions_are_columns(kubectl, objects):
    objects(workspace(), pool(), machine(claims=[claim()]))
    _show(
        kubectl,
        f"ws/{WORKSPACE}",
        {"phase": "Running", "machine": INSTANCE, "privateIP": "10.0.0.1", "url": "http://10.0.0.1/"},
    )
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Full",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    counts = {"idle": 2, "target": 3, "claimed": 4, "booting": 5, "waiting": 6}
    _show(kubectl, f"mpool/{POOL}", {**counts, "conditions": [ready]})
    _show(kubectl, f"mach/{INSTANCE}", {"privateIP": "10.0.0.1", "zone": "eu-central-1a", "instanceType": "m7i.large"})

    assert _columns(kubectl, "ws") == "NAME STATUS MACHINE IP URL IDLE AGE"
    assert _columns(kubectl, "ws", "-owide") == "NAME STATUS MACHINE IP URL IDLE POOL OWNER QUEUE BACKUP AGE"
    assert _columns(kubectl, "mpool") == "NAME IDLE TARGET CLAIMED BOOTING WAITING MAX READY AGE"
    assert _columns(kubectl, "mach") == "NAME POOL STATUS CLAIMED BY IP ZONE TYPE AGE"
    assert _columns(kubectl, "mach", "-owide").endswith("TYPE SLOTS PROVIDER-ID REAP AGE")
    assert _row(kubectl, f"ws/{WORKSPACE}")[:5] == [WORKSPACE, "Running", INSTANCE, "10.0.0.1", "http://10.0.0.1/"]
    assert _row(kubectl, f"mpool/{POOL}")[:8] == [POOL, "2", "3", "4", "5", "6", "10", "True"]
    assert _row(kubectl, f"mach/{INSTANCE}")[:7] == [
        INSTANCE,
        POOL,
        "Booting",
        "demo",
        "10.0.0.1",
        "eu-central-1a",
        "m7i.large",
    ]


def test_one_word_shows_all_of_hotdesk(kubectl, objects):
    objects(workspace(), pool(), machine())
    shown = kubectl("get", "hotdesk", "--output=name").stdout
    assert {
        f"workspace.hotdesk.dev/{WORKSPACE}",
        f"machinepool.hotdesk.dev/{POOL}",
        f"machine.hotdesk.dev/{INSTANCE}",
    } <= set(shown.split())


def test_kubectl_scale_changes_the_buffer_of_a_pool_that_never_named_it(kubectl, objects):
    objects(pool())
    kubectl("scale", f"mpool/{POOL}", "--replicas=7")
    assert kubectl("get", f"mpool/{POOL}", "-ojsonpath={.spec.buffer.idle}").stdout == "7"


def test_kubectl_scale_is_held_to_the_limits_of_the_field(kubectl, objects):
    objects(pool())
    answer = kubectl("scale", f"mpool/{POOL}", "--replicas=10001", check=False)
    assert answer.returncode != 0
    assert "should be less than or equal to 10000" in answer.stderr


def test_an_autoscaler_sees_idle_slots_as_replicas(kubectl, objects):
    objects(pool())
    _show(kubectl, f"mpool/{POOL}", {"idle": 3, "selector": "hotdesk.dev/pool=dev"})
    scale = json.loads(kubectl("get", "--raw", f"/apis/hotdesk.dev/v1alpha1/machinepools/{POOL}/scale").stdout)
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 3, "selector": "hotdesk.dev/pool=dev"}


def _fields(schema, path) -> Iterator[tuple[str, dict]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from _fields(field, f"{path}.{name}")
    if "items" in schema:
        yield from _fields(schema["items"], f"{path}[]")


def _show(kubectl, target, status):
    kubectl("patch", target, "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))


def _columns(kubectl, kind, *options):
    return " ".join(kubectl("get", kind, *options).stdout.splitlines()[0].split())


def _row(kubectl, target):
    (row,) = kubectl("get", target, "--no-headers").stdout.splitlines()
    return row.split()
