"""Pools and their news: what a watch missed, two pools on one group, pools that come, pause and go."""

import asyncio

from component.desk import Desk, at_a_desk
from fakes.fleet import Hold
from hotdesk.actors.observer import Observer
from hotdesk.actors.pool_actor import PoolActor
from hotdesk.api.conditions import find_condition
from hotdesk.api.v1alpha1 import MachinePool


def reason(pool: MachinePool, kind: str) -> str | None:
    found = find_condition(pool.status.conditions, kind)
    return found.reason if found is not None else None


def told(desk: Desk, name: str) -> str | None:
    found = find_condition(desk.workspace(name).status.conditions, "Ready")
    return found.reason if found is not None else None


@at_a_desk()
async def test_a_workspace_whose_deletion_was_missed_is_found_by_comparing(desk: Desk):
    desk.add_pool()
    operator = await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    await desk.until_secured(seat := desk.claimed()["demo"])
    operator.is_deaf = True
    desk.leave("demo")
    await operator.directory.resync()
    await desk.until_gone(seat)


@at_a_desk()
async def test_a_workspace_whose_creation_was_missed_is_served(desk: Desk):
    desk.add_pool()
    operator = await desk.operator()
    await desk.until_idle(2)
    operator.is_deaf = True
    desk.ask("demo")
    await operator.directory.resync()
    await desk.until_bound("demo")


@at_a_desk()
async def test_a_machine_whose_deletion_was_missed_is_not_handed_out(desk: Desk):
    desk.add_pool()
    operator = await desk.operator()
    operator.is_deaf = True  # not even that its own machines were created reaches it
    await desk.until_idle(2)
    ghost = desk.idle()[0]
    desk.server.delete("machines", ghost)
    uid = desk.machine(desk.idle()[0]).metadata.uid
    await operator.directory.resync()
    await desk.until_idle(2)
    assert desk.machine(ghost).metadata.uid != uid
    desk.ask("a", "b")
    await operator.directory.resync()
    await desk.until_bound("a", "b")


@at_a_desk()
async def test_a_workspace_of_a_pool_that_does_not_exist_is_told_and_served_when_it_does(desk: Desk):
    await desk.operator()
    desk.ask("demo")
    await desk.until(lambda: told(desk, "demo") == "PoolNotFound", what="it is told")
    desk.add_pool()
    await desk.until_bound("demo")


@at_a_desk()
async def test_a_namespace_may_use_a_selective_pool_once_it_is_labelled(desk: Desk):
    selector = {"matchLabels": {"tier": "gold"}}
    desk.add_pool(allowedNamespaces={"from": "Selector", "selector": selector})
    operator = await desk.operator()
    desk.ask("demo")
    await desk.until(lambda: told(desk, "demo") == "NamespaceNotAllowed", what="it is told")
    desk.server.patch("namespaces", "team", {"metadata": {"labels": {"tier": "gold"}}})
    operator.directory.set_namespace("team", {"tier": "gold"})
    await desk.until_bound("demo")


@at_a_desk()
async def test_of_two_pools_on_one_group_the_later_is_stopped_and_touches_nothing(desk: Desk):
    desk.add_pool("elder", idle=1)
    desk.add_pool("younger", idle=3)
    await desk.operator()
    desk.ask("demo", pool="elder")
    desk.ask("other", pool="younger")
    await desk.until_bound("demo")
    await desk.until(lambda: reason(desk.pool("younger"), "GroupConfigured") == "GroupInUse", what="it is told")
    await desk.until(lambda: told(desk, "other") == "PoolStopped", what="its workspace is told")
    await desk.until_idle(1)
    await desk.looked()
    assert {made.spec.pool for made in desk.machines()} == {"elder"}
    assert desk.group().desired == 1
    await desk.until(lambda: reason(desk.pool("elder"), "GroupConfigured") == "AsRequired", what="the elder works")


@at_a_desk()
async def test_when_the_elder_of_two_pools_goes_the_younger_serves(desk: Desk):
    desk.add_pool("elder", idle=1)
    desk.add_pool("younger", idle=2)
    await desk.operator()
    desk.ask("other", pool="younger")
    await desk.until(lambda: told(desk, "other") == "PoolStopped", what="it is told")
    desk.server.delete("machinepools", "elder")
    await desk.until_bound("other")
    assert {made.spec.pool for made in desk.machines() if made.spec.reap is None} == {"younger"}


@at_a_desk()
async def test_a_deleted_pool_waits_for_its_claims_says_who_holds_them_and_ends_the_rest(desk: Desk):
    desk.add_pool()
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    desk.server.delete("machinepools", "pool")

    def waits() -> bool:
        ready = find_condition(desk.pool().status.conditions, "Ready")
        return ready is not None and "team/demo" in ready.message and len(desk.machines()) == 1

    await desk.until(waits, what="it waits for its last workspace")
    desk.leave("demo")
    await desk.until(lambda: not desk.server.objects("machinepools"), what="it is gone")
    assert not desk.machines()
    assert not desk.fleet.live("desk")
    assert desk.group().desired == 0


@at_a_desk(launch=0.3)
async def test_a_pool_deleted_while_its_machines_launch_leaves_none_behind(desk: Desk):
    desk.add_pool(idle=3)
    await desk.operator()
    await desk.until(lambda: len(desk.fleet.live("desk")) == 3, what="machines are launched")
    desk.server.delete("machinepools", "pool")
    await desk.until(lambda: not desk.server.objects("machinepools"), what="it is gone")
    assert not desk.fleet.live("desk")


@at_a_desk()
async def test_a_paused_pool_changes_nothing_in_aws_until_it_goes_on(desk: Desk):
    desk.add_pool(idle=1)
    await desk.operator()
    await desk.until_idle(1)
    desk.ask("held")
    await desk.until_bound("held")
    await desk.until_secured(desk.claimed()["held"])
    await desk.until_idle(1)
    await desk.looked()
    desk.server.patch("machinepools", "pool", {"spec": {"paused": True, "buffer": {"idle": 4}}})
    await desk.until(lambda: reason(desk.pool(), "Paused") == "PausedBySpec", what="it is told")
    before = desk.changes()
    desk.leave("held")
    desk.ask("demo")
    await desk.until(lambda: told(desk, "demo") == "PoolPaused", what="its workspace is told")
    await desk.looked(10)
    assert desk.changes() == before
    desk.server.patch("machinepools", "pool", {"spec": {"paused": False}})
    await desk.until_bound("demo")
    await desk.until_idle(4)


@at_a_desk()
async def test_a_pool_whose_group_does_not_exist_says_so_and_works_once_it_does(desk: Desk):
    desk.add_pool()
    desk.fleet.delete_group("desk")
    await desk.operator()
    await desk.until(lambda: reason(desk.pool(), "GroupConfigured") == "GroupNotFound", what="it is told")
    desk.fleet.add_group("desk", protects_new=False, suspended=(), min_size=0)
    await desk.until_idle(2)
    await desk.until(lambda: reason(desk.pool(), "Ready") == "BufferFull", what="it is told")


@at_a_desk()
async def test_an_edited_owner_is_seen_while_the_machine_stays(desk: Desk):
    desk.add_pool(access={"urlTemplate": "http://{privateIP}/{owner}"})
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    before = desk.workspace("demo").status
    desk.server.patch("workspaces", "demo", {"spec": {"owner": "bob"}}, namespace="team")
    await desk.until(lambda: desk.workspace("demo").status.observed_generation == 2, what="the edit is seen")
    after = desk.workspace("demo").status
    assert after.url == (before.url or "").replace("ada", "bob")
    assert (after.machine, after.claimed_at) == (before.machine, before.claimed_at)


@at_a_desk()
async def test_a_pool_that_goes_during_a_look_spoils_it_for_no_other(desk: Desk):
    observer, pool, other = await _watched_pools(desk)
    held = desk.fleet.hold_next("describe_groups", Hold.ANSWER)
    look = asyncio.create_task(observer._look(list(observer._schedules.values())))
    await held.arrived.wait()
    before = pool.facts.observation
    other.facts.set_pool(None)  # as a write's answer tells it, before the watch does
    held.release()
    await look
    assert pool.facts.observation is not before
    assert not pool._effects.troubles._times


@at_a_desk()
async def test_a_pool_that_went_before_a_look_spoils_it_for_no_other(desk: Desk):
    observer, pool, other = await _watched_pools(desk)
    before = pool.facts.observation
    other.facts.set_pool(None)  # as a write's answer tells it, before the watch does
    await observer._look(list(observer._schedules.values()))
    assert pool.facts.observation is not before
    assert not pool._effects.troubles._times


async def _watched_pools(desk: Desk) -> tuple[Observer, PoolActor, PoolActor]:
    """Return two pools and who looks at both, and leave the looking to the test."""
    desk.add_pool("other", group="second")
    desk.add_pool()
    operator = await desk.operator()
    await desk.until_idle(4)
    await operator.directory._lookouts.stop()
    actors = operator.directory._actors
    observer = actors["pool"].watcher
    assert isinstance(observer, Observer)
    assert [*observer._schedules] == ["other", "pool"]
    return observer, actors["pool"], actors["other"]


@at_a_desk()
async def test_a_pool_of_which_only_its_actor_knows_that_it_is_gone_is_removed_when_the_news_comes(desk: Desk):
    desk.add_pool()
    operator = await desk.operator()
    await desk.until_idle(2)
    desk.add_pool("other", group="second", idle=0)
    desk.ask("demo", pool="other")
    await desk.until_bound("demo")
    directory = operator.directory
    other = directory._actors["other"]
    other.facts.set_pool(None)  # as a write's answer tells it, before the watch does
    for thing in (*other.facts.workspaces.values(), *other.facts.machines.values()):
        directory.delete(thing)
    await desk.until(lambda: not other._effects.is_busy, what="its writes have ended")
    directory._retire("other")
    directory.delete(desk.pool("other"))
    assert "other" not in directory._pools


@at_a_desk()
async def test_the_echo_of_an_own_write_is_known_and_what_others_change_is_not(desk: Desk):
    desk.add_pool()
    operator = await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    machine = desk.claimed()["demo"]
    await desk.until_secured(machine)
    await desk.until(lambda: not desk.is_busy(), what="every answer is taken in")
    for kind, name, namespace in (("workspaces", "demo", "team"), ("machines", machine, "")):
        stored = desk.server.get(kind, name, namespace=namespace)
        assert stored is not None
        assert operator.directory.knows(stored)
        later = str(int(stored["metadata"]["resourceVersion"]) + 1)
        assert not operator.directory.knows({**stored, "metadata": {**stored["metadata"], "resourceVersion": later}})
        assert not operator.directory.knows({**stored, "metadata": {**stored["metadata"], "uid": "another"}})
    assert not operator.directory.knows({"metadata": {"name": "demo"}})


@at_a_desk()
async def test_a_pool_that_changes_hands_waits_for_what_was_sent_and_drops_what_was_not(desk: Desk):
    desk.add_pool(idle=10)
    operator = await desk.operator()
    await desk.until_idle(10)
    late = [desk.fleet.hold_next("terminate_member", Hold.CALL) for _ in range(10)]
    desk.server.delete("machinepools", "pool")
    await asyncio.gather(*(call.arrived.wait() for call in late[:8]))
    leaving = asyncio.create_task(operator.directory.let_go("pool"))
    await desk.until(lambda: len(operator.directory.under_way.get("pool", ())) == 8, what="two are dropped")
    assert not leaving.done()
    for call in late:
        call.release()
    await leaving
    assert desk.fleet.count("terminate_member") == 8


@at_a_desk()
async def test_a_replica_that_takes_a_large_pool_serves_before_it_has_seen_every_machine(desk: Desk):
    desk.add_pool(idle=2)
    first = await desk.operator()
    await desk.until_idle(2)
    await desk.until(lambda: desk.pool().status.capacity_call is None, what="no launch can come late")
    await first.kill()
    complete = desk.fleet.hold_next("describe_pool_instances", Hold.ANSWER)
    before = desk.fleet.count("set_desired_capacity")
    await desk.operator(broad=1)
    await complete.arrived.wait()
    desk.ask("demo")
    await desk.until_bound("demo")
    desk.server.patch("machinepools", "pool", {"spec": {"buffer": {"idle": 5}}})
    await desk.until(lambda: desk.pool().status.target == 5, what="it knows how many machines it should have")
    assert desk.fleet.count("set_desired_capacity") == before  # an unseen machine would count against the ceiling
    complete.release()
    await desk.until_idle(5)
    await desk.until_secured(desk.claimed()["demo"])


@at_a_desk()
async def test_a_daily_quota_has_every_machine_seen_before_anybody_is_served(desk: Desk):
    desk.add_pool(idle=2, quota={"maxMinutesPerOwnerPerDay": 60})
    first = await desk.operator()
    await desk.until_idle(2)
    await first.kill()
    complete = desk.fleet.hold_next("describe_pool_instances", Hold.ANSWER)
    second = await desk.operator(broad=1)
    await complete.arrived.wait()
    assert second.directory._actors["pool"].facts.observation is None
    complete.release()
    desk.ask("demo")
    await desk.until_bound("demo")
