"""The API server goes away and comes back, and watches break, while workspaces come and go: nothing is lost."""

import json

import pytest

from e2e import laws
from e2e.cluster import Cluster, is_ready
from e2e.proxy import Proxy
from e2e.scene import open_scene
from e2e.simulator import Simulator
from e2e.stage import PACE, start_stack
from hotdesk_local.controlplane.apiserver import Options
from hotdesk_local.controlplane.crds import grant_operator_rights
from waiting import wait_for

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def restartable(binaries, tmp_path_factory):  # noqa: ARG001  # built before anything is started
    """A stack of this module's own. Without a watch cache, a compaction of etcd turns an old watch into 410 Gone."""
    stack = start_stack(tmp_path_factory.mktemp("stack"), options=Options(watch_cache=False))
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def network(restartable, tmp_path_factory):
    """What lies between that stack's operator and its API server."""
    plane = restartable.controlplane
    proxy = Proxy(int(plane.url.rpartition(":")[2]))
    config = json.loads(grant_operator_rights(plane).read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
    kubeconfig = tmp_path_factory.mktemp("network") / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    restartable.start_operator(extra_env={**PACE, "KUBECONFIG": str(kubeconfig)})
    yield proxy
    restartable.stop_operator()
    proxy.close()


@pytest.fixture
def scene(restartable, network):  # noqa: ARG001  # the operator runs behind it
    """A scene on that stack; no journal follows it, since its watches would break too."""
    cluster, simulator = Cluster(restartable.controlplane), Simulator(restartable.aws)
    scene = open_scene(stack=restartable, cluster=cluster, simulator=simulator)
    yield scene
    try:
        laws.no_workspace_has_two_claims(cluster.items("machines"))
    finally:
        scene.clear()
        cluster.close()
        simulator.close()


@pytest.fixture
def pool(scene):
    """A pool with two workspaces that stay, one that shall leave, and an idle machine."""
    pool = scene.pool(idle=1, max_machines=6)
    pool.create("stays", "stays-too", "leaves")
    pool.wait_bound("stays", "stays-too", "leaves")
    laws.is_at_rest(pool, idle=1)
    return pool


def test_operator_outlives_a_crash_of_the_api_server(scene, pool):
    plane = scene.stack.controlplane
    before = _machines(pool)
    pool.delete("leaves")
    pool.create("arrives")
    plane.kill_apiserver()
    plane.start_apiserver()
    pool.create("arrives-later")
    _has_settled(pool, before)


def test_operator_outlives_a_restart_of_the_api_server(scene, pool):
    plane = scene.stack.controlplane
    before = _machines(pool)
    plane.stop_apiserver()
    scene.simulator.terminate(before["stays-too"])  # what AWS does meanwhile is found too
    plane.start_apiserver()
    pool.delete("leaves")
    pool.create("arrives", "arrives-later")
    wait_for(
        lambda: _machines(pool).get("stays-too") not in {None, before["stays-too"]}, what="it is on another machine"
    )
    _has_settled(pool, {**before, "stays-too": _machines(pool)["stays-too"]})
    pool.wait_terminated(before["stays-too"])


def test_api_server_may_be_away_for_a_while_without_an_end_of_the_operator(scene, pool):
    before = _machines(pool)
    operator = scene.stack.state.process("operator")
    for _ in range(3):
        scene.stack.controlplane.kill_apiserver()
        scene.stack.controlplane.start_apiserver()
    pool.delete("leaves")
    pool.create("arrives", "arrives-later")
    _has_settled(pool, before)
    assert scene.stack.state.process("operator") == operator


def test_workspace_deleted_while_no_watch_was_open_is_released(pool, network):
    before = _machines(pool)
    network.refuse()
    pool.delete("leaves")
    pool.create("arrives", "arrives-later")
    network.restore()
    _has_settled(pool, before)


def test_watches_that_come_back_to_410_gone_miss_nothing(scene, pool, network):
    before = _machines(pool)
    network.refuse()
    last_seen = pool.workspace("leaves")["metadata"]["resourceVersion"]
    pool.delete("leaves")
    pool.create("arrives", "arrives-later")
    scene.stack.controlplane.compact()
    resumed = f"/apis/hotdesk.dev/v1alpha1/workspaces?watch=1&resourceVersion={last_seen}"
    refusal = json.loads(scene.kubectl("get", "--raw", resumed).stdout)["object"]
    assert refusal["code"] == 410, "the operator's watches would not be refused either"
    network.restore()
    _has_settled(pool, before)


def test_name_used_again_while_no_watch_was_open_is_another_workspace(pool, network):
    before = _machines(pool)
    network.refuse()
    pool.delete("leaves")
    pool.create("leaves")
    network.restore()
    (anew,) = pool.wait_bound("leaves")
    assert anew["status"]["machine"] != before["leaves"]
    pool.wait_terminated(before["leaves"])
    laws.is_at_rest(pool, idle=1)


def test_machine_record_deleted_while_no_watch_was_open_comes_back(scene, pool, network):
    before = _machines(pool)
    (idle,) = {machine["metadata"]["name"] for machine in pool.machines()} - set(before.values())
    network.refuse()
    scene.cluster.delete("machines", idle)
    scene.cluster.delete("machines", before["stays"])
    network.restore()
    laws.is_at_rest(pool, idle=1)
    assert _machines(pool) == before


def test_connections_that_fell_silent_hide_nothing_for_long(pool, network):
    before = _machines(pool)
    network.silence()
    pool.delete("leaves")
    pool.create("arrives", "arrives-later")
    _has_settled(pool, before)


def test_connections_cut_again_and_again_during_a_burst_lose_nobody(scene, network):
    pool = scene.pool(idle=0, slots=5, max_machines=6)
    names = [f"ws-{number}" for number in range(30)]
    for number, name in enumerate(names):
        pool.create(name)
        if number % 5 == 0:
            network.cut()
    pool.wait_bound(*names)
    pool.delete(*names[::2])
    network.cut()
    pool.delete(*names[1::2])
    laws.is_at_rest(pool, idle=0)
    assert not scene.simulator.live(pool.group)
    laws.live_machines_stay_within(pool, 6)


def test_pool_deleted_while_no_watch_was_open_goes(scene, network):
    pool = scene.pool(idle=2)
    pool.wait_idle(2)
    network.refuse()
    scene.cluster.delete("machinepools", pool.name)
    network.restore()
    wait_for(lambda: scene.cluster.find("machinepools", pool.name) is None, what="the pool is gone")
    assert not scene.simulator.live(pool.group)


def _machines(pool):
    """Return the machine of each workspace that has one, by name."""
    return {
        workspace["metadata"]["name"]: workspace["status"]["machine"]
        for workspace in pool.workspaces()
        if is_ready(workspace)
    }


def _has_settled(pool, before):
    """Assert that who came is served, who left is released, and who stayed noticed nothing."""
    pool.wait_bound("arrives", "arrives-later")
    pool.wait_terminated(before["leaves"])
    laws.is_at_rest(pool, idle=1)
    after = _machines(pool)
    assert {name: after[name] for name in ("stays", "stays-too")} == {
        name: before[name] for name in ("stays", "stays-too")
    }
    laws.live_machines_stay_within(pool, 6)
