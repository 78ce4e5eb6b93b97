"""Who is served next when every machine that maxMachines allows is in use, and what those who wait are told."""

import pytest

from e2e import laws
from e2e.cluster import Object, condition, is_ready
from e2e.scene import Pool, Scene, unique
from waiting import wait_for

pytestmark = pytest.mark.stack


@pytest.fixture
def classes(scene):
    """Two PriorityClasses, the more urgent one first."""
    urgent, relaxed = unique("urgent"), unique("relaxed")
    scene.cluster.create_priority_class(urgent, 1000)
    scene.cluster.create_priority_class(relaxed, -10)
    yield urgent, relaxed
    scene.cluster.delete_priority_class(urgent)
    scene.cluster.delete_priority_class(relaxed)


def test_queue_is_served_by_priority_and_first_come_first_served_within(scene, classes):
    urgent, relaxed = classes
    pool = _full_pool(scene, max_machines=2)
    pool.create("relaxed-1", "relaxed-2", priorityClassName=relaxed)
    pool.create("plain-1", "plain-2")
    pool.create("urgent-1", "urgent-2", priorityClassName=urgent)
    order = ["urgent-1", "urgent-2", "plain-1", "plain-2", "relaxed-1", "relaxed-2"]
    wait_for(lambda: _positions(pool) == order, what=f"the queue reads {order}")
    holders = ["holder-1", "holder-2"]
    for number, due in enumerate(order):
        pool.delete(holders[number])
        pool.wait_bound(due)
        holders.append(due)
        waiting = order[number + 1 :]
        wait_for(lambda due=waiting: _positions(pool) == due, what=f"the queue reads {waiting}")
    laws.live_machines_stay_within(pool, 2)
    laws.is_at_rest(pool, idle=0)


def test_those_who_wait_see_their_place_the_wait_and_what_everybody_waits_for(scene):
    pool = _full_pool(scene, max_machines=2, idle=1)
    pool.create("first")
    pool.create("second")
    told = wait_for(lambda: _queue(pool, "second", position=2), what="the second is told its place")
    assert told["ahead"] == 1
    assert told["estimatedWait"].endswith("s")
    sentence = condition(pool.workspace("second"), "Ready")["message"]
    assert sentence.startswith("Number 2 in the queue, about ")
    assert "all 2 machines that maxMachines allows are in use" in sentence
    shown = scene.kubectl("get", "ws", "second", "-n", scene.namespace, "-o", "wide").stdout
    heading, row = shown.splitlines()
    assert row[heading.index("QUEUE") :].split()[0] == "2"
    waiting = pool.workspace("second")
    assert waiting["status"]["phase"] == "Pending"
    assert condition(waiting, "Reconciling")["status"] == "True"
    pool.delete("first")
    told = wait_for(lambda: _queue(pool, "second", position=1), what="the second has become the first")
    assert told["ahead"] == 0
    pool.wait_condition("Ready", "False", "AtMaxMachines")
    pool.delete("holder-1")
    (second,) = pool.wait_bound("second")
    assert "queue" not in second["status"]
    assert [found["type"] for found in second["status"]["conditions"]] == ["Ready"]
    laws.live_machines_stay_within(pool, 2)


def test_raised_ceiling_serves_the_whole_queue(scene):
    pool = _full_pool(scene, max_machines=1, holders=1)
    names = [f"waiting-{number}" for number in range(4)]
    pool.create(*names)
    wait_for(lambda: _positions(pool) == names, what="all four wait in the order they came")
    pool.change(maxMachines=5)
    pool.wait_bound(*names)
    laws.live_machines_stay_within(pool, 5)


def test_lowered_ceiling_ends_nobodys_machine_and_launches_none(scene):
    pool = _full_pool(scene, max_machines=3, holders=3)
    pool.change(maxMachines=1)
    pool.create("waiting")
    pool.wait_reason("waiting", "WaitingForMachine")
    pool.delete("holder-1")
    pool.delete("holder-2")
    wait_for(lambda: len(scene.simulator.live(pool.group)) == 1, what="two machines are gone")
    assert not is_ready(pool.workspace("waiting"))
    assert is_ready(pool.workspace("holder-3"))
    pool.delete("holder-3")
    pool.wait_bound("waiting")
    assert len(scene.simulator.machines(pool.group)) == 4, "a machine was launched that had no room"


def test_slot_that_becomes_free_goes_to_the_head_of_the_queue_without_a_launch(scene, classes):
    urgent, _ = classes
    pool = _full_pool(scene, max_machines=1, slots=5, holders=5)
    pool.create("plain")
    pool.create("urgent", priorityClassName=urgent)
    wait_for(lambda: _positions(pool) == ["urgent", "plain"], what="the urgent one is first")
    pool.delete("holder-3")
    (served,) = pool.wait_bound("urgent")
    assert not is_ready(pool.workspace("plain"))
    pool.delete("holder-5")
    (then,) = pool.wait_bound("plain")
    assert served["status"]["machine"] == then["status"]["machine"]
    assert len(scene.simulator.machines(pool.group)) == 1
    laws.is_at_rest(pool, idle=0)


def test_workspace_that_leaves_the_queue_lets_the_others_move_up(scene):
    pool = _full_pool(scene, max_machines=1, holders=1)
    pool.create("first")
    pool.create("second")
    pool.create("third")
    wait_for(lambda: _positions(pool) == ["first", "second", "third"], what="three wait")
    pool.delete("first", "second")
    wait_for(lambda: _positions(pool) == ["third"], what="the third is first")
    wait_for(lambda: pool.status()["waiting"] == 1, what="the pool counts one")


def _full_pool(scene: Scene, *, max_machines: int, holders: int = 2, slots: int = 1, idle: int = 0) -> Pool:
    """Return a pool whose machines are all held by holder-1, holder-2 …"""
    pool = scene.pool(idle=idle, max_machines=max_machines, slots=slots)
    names = [f"holder-{number}" for number in range(1, holders + 1)]
    pool.create(*names)
    pool.wait_bound(*names)
    return pool


def _positions(pool: Pool) -> list[str]:
    """Return the names of those who wait, by the place each is told; places must be distinct and without gaps."""
    waiting = [workspace for workspace in pool.workspaces() if not is_ready(workspace)]
    places = {workspace["metadata"]["name"]: workspace["status"].get("queue", {}) for workspace in waiting}
    assert all(places.values()), f"not all were told a place: {places}"
    told = sorted(place["position"] for place in places.values())
    assert told == list(range(1, len(told) + 1)), f"places are not those of a queue: {places}"
    return sorted(places, key=lambda name: places[name]["position"])


def _queue(pool: Pool, name: str, *, position: int) -> Object | None:
    """Return what a workspace is told about the queue once it has this place and an estimated wait."""
    told = pool.workspace(name)["status"].get("queue", {})
    assert told.get("position") == position, told
    return told if "estimatedWait" in told else None
