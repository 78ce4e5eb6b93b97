"""From `kubectl apply` of a workspace to a machine and its end: what a user sees."""

import html
import random
import urllib.parse

import pytest
import urllib3

from e2e import laws
from e2e.cluster import condition, is_ready
from e2e.manifests import ANSWERS, URL_TEMPLATE
from e2e.scene import SOON
from waiting import wait_for

pytestmark = pytest.mark.stack

HOSTILE = [
    "../..",
    "a/../../../etc/passwd",
    "%2e%2e%2f",
    "http://evil.example/",
    "a?b=c&folder=/etc#d",
    "'; rm -rf / #",
    '"><script>alert(1)</script>',
    "{privateIP}",
    "${HOME}$(id)`id`",
    "Zoë 東京 🐍",
    " leading and trailing ",
]


def test_applied_workspace_is_told_everything_at_once(scene):
    pool = scene.pool(idle=2, readiness=ANSWERS, access={"urlTemplate": URL_TEMPLATE})
    pool.wait_idle(2)
    pool.apply("demo", owner="ada", project="engine")
    scene.kubectl("wait", "ws/demo", "-n", scene.namespace, "--for=condition=Ready", f"--timeout={SOON:.0f}s")
    workspace = pool.workspace("demo")
    status = workspace["status"]
    instance = pool.instance(status["machine"])
    assert status["phase"] == "Running"
    assert status["privateIP"] == instance["privateIP"]
    assert status["publicIP"] == instance["publicIP"]
    assert status["url"] == f"http://{instance['privateIP']}:8080/?folder=/home/ada/engine"
    assert status["slot"] == 0
    assert "queue" not in status
    assert status["observedGeneration"] == workspace["metadata"]["generation"]
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [("Ready", "True", "MachineReady")]
    assert status["machine"] in condition(workspace, "Ready")["message"]
    shown = scene.kubectl("get", "ws", "demo", "-n", scene.namespace).stdout
    assert status["machine"] in shown
    assert status["privateIP"] in shown
    laws.is_at_rest(pool, idle=2)


def test_claimed_machine_is_tagged_with_its_user_and_taken_out_of_the_group(scene):
    pool = scene.pool(idle=1)
    pool.apply("mine")
    (workspace,) = pool.wait_bound("mine")
    machine = workspace["status"]["machine"]
    instance = wait_for(lambda: _outside_its_group(pool, machine), what=f"{machine} is detached")
    assert instance["state"] == "running"
    holder = f"{scene.namespace}/mine/{workspace['metadata']['uid']}"
    assert instance["tags"][f"hotdesk.dev/claim.{machine}.0"] == holder
    secured = wait_for(lambda: _secured(scene, machine), what=f"{machine} says that it is secured")
    assert secured["reason"] == "Detached"


@pytest.mark.parametrize("delay", ["0s", "1s"])
def test_pool_follows_kubectl_scale_up_and_down(scene, delay):
    pool = scene.pool(idle=1, max_machines=6, scale_down_delay=delay)
    pool.apply("mine")
    (workspace,) = pool.wait_bound("mine")
    scene.kubectl("scale", "mpool", pool.name, "--replicas=4")
    laws.is_at_rest(pool, idle=4)
    scene.kubectl("scale", "mpool", pool.name, "--replicas=1")
    laws.is_at_rest(pool, idle=1)
    assert len(scene.simulator.live(pool.group)) == 2
    assert pool.workspace("mine")["status"] == workspace["status"]
    laws.live_machines_stay_within(pool, 6)


def test_pool_scaled_to_zero_ends_every_idle_machine_and_serves_on_demand(scene):
    pool = scene.pool(idle=2)
    pool.wait_idle(2)
    scene.kubectl("scale", "mpool", pool.name, "--replicas=0")
    laws.is_at_rest(pool, idle=0)
    assert not scene.simulator.live(pool.group)
    pool.apply("late")
    pool.wait_bound("late")
    laws.is_at_rest(pool, idle=0)


def test_url_of_a_workspace_shows_its_own_machine_whatever_strangers_are_called(scene):
    pool = scene.pool(
        idle=len(HOSTILE), max_machines=len(HOSTILE) + 2, readiness=ANSWERS, access={"urlTemplate": URL_TEMPLATE}
    )
    pool.wait_idle(len(HOSTILE))
    names = [f"hostile-{number}" for number in range(len(HOSTILE))]
    manifests = [
        pool.manifest(name, owner=owner, project=owner[::-1]) for name, owner in zip(names, HOSTILE, strict=True)
    ]
    scene.cluster.apply(*manifests)
    for workspace in pool.wait_bound(*names):
        owner, project, status = workspace["spec"]["owner"], workspace["spec"]["project"], workspace["status"]
        url = urllib.parse.urlsplit(status["url"])
        assert (url.scheme, url.netloc, url.path) == ("http", f"{status['privateIP']}:8080", "/")
        assert not url.fragment
        assert urllib.parse.parse_qs(url.query) == {"folder": [f"/home/{owner}/{project}"]}
        page = _fetch(status["url"])
        assert f"<title>{status['machine']}</title>" in page
        assert f"<p>Folder: <code>{html.escape(f'/home/{owner}/{project}')}</code></p>" in page
        assert "<script>alert" not in page


def test_owner_stays_one_segment_of_the_urls_path(scene):
    pool = scene.pool(
        idle=1, slots=20, max_machines=1, access={"urlTemplate": "http://{privateIP}:8080/users/{owner}/files"}
    )
    names = [f"hostile-{number}" for number in range(len(HOSTILE))]
    scene.cluster.apply(*(pool.manifest(name, owner=owner) for name, owner in zip(names, HOSTILE, strict=True)))
    for workspace in pool.wait_bound(*names):
        _, users, segment, files = urllib.parse.urlsplit(workspace["status"]["url"]).path.split("/")
        assert (users, files) == ("users", "files")
        assert urllib.parse.unquote(segment) == workspace["spec"]["owner"]
        assert segment not in {".", ".."}


@pytest.mark.parametrize("owner", ["a\nb", "a\rb", "a\x00b", "\u202eada", "a\u2028b", "", "   ", ".", ".."])
def test_owner_that_cannot_be_written_down_is_refused_at_apply(scene, steady, owner):
    said = scene.cluster.refusal(steady.manifest("refused", owner=owner, namespace=scene.namespace))
    assert "spec.owner" in said


def test_name_used_again_right_after_deletion_gets_another_machine(scene, journal):
    pool = scene.pool(idle=3, max_machines=8)
    pool.wait_idle(3)
    seen: list[tuple[str, str]] = []
    for _ in range(5):
        pool.create("again")
        (workspace,) = pool.wait_bound("again")
        seen.append((workspace["metadata"]["uid"], workspace["status"]["machine"]))
        pool.delete("again")
    machines = [machine for _, machine in seen]
    assert len(set(machines)) == len(seen), f"a used machine was handed out again: {seen}"
    pool.wait_terminated(*machines)
    for uid, machine in seen:
        assert journal.holders(machine) == {uid}
    laws.is_at_rest(pool, idle=3)
    laws.live_machines_stay_within(pool, 8)


def test_deleted_workspace_ends_its_machine_and_the_buffer_stays_full(scene, journal):
    pool = scene.pool(idle=2)
    pool.wait_idle(2)
    pool.apply("short")
    (workspace,) = pool.wait_bound("short")
    laws.is_at_rest(pool, idle=2)
    scene.kubectl("delete", "ws", "short", "-n", scene.namespace)
    machine = workspace["status"]["machine"]
    pool.wait_terminated(machine)
    reaped = journal.reaped(machine)
    assert reaped is not None
    assert reaped.reason == "Used"
    laws.is_at_rest(pool, idle=2)
    laws.live_machines_stay_within(pool, 4)


def test_workspace_deleted_before_its_machine_booted_leaves_nothing_behind(scene):
    pool = scene.pool(idle=0)
    scene.simulator.configure(launch=2)
    pool.create("hasty")
    wait_for(lambda: scene.simulator.live(pool.group), what="a machine is launched")
    pool.delete("hasty")
    laws.is_at_rest(pool, idle=0)
    assert not scene.simulator.live(pool.group)


def test_five_workspaces_share_a_machine_until_the_last_leaves(scene, journal):
    pool = scene.pool(slots=5, idle=5, max_machines=3)
    pool.wait_idle(5)
    names = [f"seat-{number}" for number in range(5)]
    pool.apply(*names)
    workspaces = pool.wait_bound(*names)
    assert len({workspace["status"]["machine"] for workspace in workspaces}) == 1
    assert {workspace["status"]["slot"] for workspace in workspaces} == set(range(5))
    shared = workspaces[0]["status"]["machine"]
    laws.is_at_rest(pool, idle=5)
    pool.delete(*names[:4])
    wait_for(lambda: _holders(scene, shared) == {"seat-4"}, what="four have left")
    laws.is_at_rest(pool, idle=5 + 4)  # the four that were left, and the machine that was launched meanwhile
    assert pool.instance(shared)["state"] == "running"
    assert journal.reaped(shared) is None
    pool.delete("seat-4")
    pool.wait_terminated(shared)
    laws.is_at_rest(pool, idle=5)
    laws.live_machines_stay_within(pool, 3)


def test_seat_that_was_left_on_a_shared_machine_is_taken_before_a_new_machine(scene):
    pool = scene.pool(slots=3, idle=3, max_machines=4)
    pool.wait_idle(3)
    pool.create("one", "two", "three")
    (one, _, _) = pool.wait_bound("one", "two", "three")
    shared = one["status"]["machine"]
    laws.is_at_rest(pool, idle=3)
    pool.delete("two")
    wait_for(lambda: _holders(scene, shared) == {"one", "three"}, what="the second has left")
    pool.wait_idle(4)  # the operator knows it, too
    pool.create("four")
    (four,) = pool.wait_bound("four")
    assert four["status"]["machine"] == shared


def test_two_hundred_workspaces_on_pools_that_come_and_go(scene):
    chance = random.Random(20)  # noqa: S311  # seeded, so that a failure can be repeated
    pools = [scene.pool(slots=slots, idle=idle, max_machines=12) for slots, idle in ((1, 3), (2, 4), (5, 5), (3, 2))]
    everyone: list[tuple[object, str]] = []
    for number in range(200):
        pool, name = chance.choice(pools), f"ws-{number}"
        pool.create(name, owner=f"owner-{number}")
        everyone.append((pool, name))
        while len(everyone) > 30 or (everyone and chance.random() < 0.4):
            left, gone = everyone.pop(chance.randrange(len(everyone)))
            left.delete(gone)
        if number % 40 == 39:  # one pool goes and another comes
            leaving = pools.pop(chance.randrange(len(pools)))
            scene.cluster.delete("machinepools", leaving.name)
            for gone in [one for one in everyone if one[0] is leaving]:
                leaving.delete(gone[1])
                everyone.remove(gone)
            pools.append(scene.pool(slots=chance.choice((1, 2, 4)), idle=chance.choice((1, 4)), max_machines=12))
    for pool in pools:
        pool.wait_bound(*(name for home, name in everyone if home is pool))
    for pool in scene.pools:
        laws.live_machines_stay_within(pool, 12)
        if pool not in pools:
            wait_for(lambda p=pool: scene.cluster.find("machinepools", p.name) is None, what=f"{pool.name} is gone")
            assert not scene.simulator.live(pool.group)
        else:
            laws.claims_and_statuses_agree(pool)
    assert all(is_ready(workspace) for workspace in scene.cluster.items("workspaces", namespace=scene.namespace))


def _outside_its_group(pool, machine):
    instance = pool.instance(machine)
    return instance if instance["group"] is None else None


def _secured(scene, machine):
    found = condition(scene.cluster.get("machines", machine), "Secured")
    return found if found.get("status") == "True" else None


def _holders(scene, machine):
    claims = scene.cluster.get("machines", machine)["spec"].get("claims", [])
    return {claim["workspace"]["name"] for claim in claims}


def _fetch(url: str) -> str:
    answer = urllib3.PoolManager(retries=False, timeout=10).request("GET", url)
    assert answer.status == 200
    return answer.data.decode()
