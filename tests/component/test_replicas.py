"""Several operators share the pools by Leases: who acts, who hands over, and who takes over."""

import asyncio

from component.desk import Desk, at_a_desk
from component.replicas import (
    POOLS,
    Replica,
    add_pools,
    leases,
    owner_of,
    replica,
    taken,
    until_shared,
    with_idle_machines,
)
from fakes.apiserver.faults import Trouble
from hotdesk.actors.membership import Usurped
from hotdesk.actors.relisting import Replays
from hotdesk.api.v1alpha1 import CapacityCall


async def begun(desk: Desk, name: str, replays: Replays) -> Replica:
    """Start a replica and return once it knows of the others."""
    made = Replica(desk, name, replays=replays)
    desk._operators.append(made)
    await made.start()
    await desk.until(lambda: bool(made.sharing.book.leases), what=f"{name} knows the others")
    return made


@at_a_desk()
async def test_pools_are_shared_evenly_and_each_is_acted_for_by_one(desk: Desk):
    add_pools(desk)
    both = [await replica(desk, "a"), await replica(desk, "b")]
    await until_shared(desk, *both, pools=POOLS)
    await desk.until_idle(4)
    desk.ask(*(names := [f"in-{pool}" for pool in POOLS]), pool="pool")
    for name in POOLS[1:]:
        desk.ask(f"of-{name}", pool=name)
    await desk.until_bound(*names, *(f"of-{name}" for name in POOLS[1:]))
    assert taken(*both) == sorted(POOLS)


@at_a_desk()
async def test_one_alone_takes_everything_and_gives_half_to_one_who_comes(desk: Desk):
    add_pools(desk)
    first = await replica(desk, "a")
    await until_shared(desk, first, pools=POOLS)
    second = await replica(desk, "b")
    await until_shared(desk, first, second, pools=POOLS)
    third = await replica(desk, "c")
    await until_shared(desk, first, second, third, pools=POOLS)


@at_a_desk()
async def test_one_whose_watches_still_replay_joins_the_others_only_then(desk: Desk):
    await with_idle_machines(desk)
    replays = Replays({"uid-old"})
    deaf = await begun(desk, "b", replays)
    await desk.looked(20)
    assert "replica-b" not in leases(desk)
    replays.told("uid-old")
    await desk.until(lambda: deaf.sharing.trouble is None, what="it has joined")


@at_a_desk()
async def test_one_whose_watches_still_replay_joins_at_once_where_nobody_else_lives(desk: Desk):
    first = await with_idle_machines(desk)
    second = await begun(desk, "b", Replays({"uid-old"}))
    await first.kill()
    await desk.until(lambda: taken(second) == ["pool"], what="it has taken over")


@at_a_desk()
async def test_only_the_owner_looks_at_aws_and_shows_the_gauges_of_a_pool(desk: Desk):
    desk.add_pool()
    both = [await replica(desk, "a"), await replica(desk, "b")]
    await desk.until_idle(2)
    owner = owner_of("pool", *both)
    (other,) = (one for one in both if one is not owner)
    await desk.until(lambda: b'hotdesk_pool_count{pool="pool"' in owner.metrics.render(), what="it is measured")
    assert b'hotdesk_pool_owner{pool="pool"} 1.0' in owner.metrics.render()
    assert b'{pool="pool"' not in other.metrics.render()
    assert other.directory._actors["pool"].facts.observation is None
    assert other.directory._actors["pool"].facts.machines.keys() == set(desk.idle()), "its cache is warm"
    await owner.sharing.work._release("pool")
    await desk.until(lambda: taken(*both) == ["pool"], what="it is taken again")
    await desk.until(
        lambda: sum(b"hotdesk_pool_owner{" in one.metrics.render() for one in both) == 1, what="one shows it"
    )


@at_a_desk()
async def test_one_that_leaves_hands_over_what_it_has_when_its_writes_have_ended(desk: Desk):
    first = await with_idle_machines(desk)
    second = await replica(desk, "b")
    publishing = desk.inject(Trouble.HOLD, "patch", "workspaces/status")
    desk.ask("demo")
    await publishing.arrived()
    leaving = asyncio.create_task(first.leave())
    await desk.until(lambda: leases(desk)["replica-a"] == "", what="the first says that it leaves")
    assert not second.directory.taken
    publishing.open()
    await leaving
    assert desk.workspace("demo").status.machine is not None, "what was begun was finished"
    await until_shared(desk, second, pools=["pool"])
    desk.ask("next")
    await desk.until_bound("demo", "next")
    assert "replica-a" not in leases(desk)


@at_a_desk()
async def test_one_that_was_deposed_before_it_knew_ends_in_good_order_all_the_same(desk: Desk):
    first = await with_idle_machines(desk)
    publishing = desk.inject(Trouble.HOLD_ANSWER, "patch", "workspaces/status")
    desk.ask("demo")
    await publishing.arrived()
    desk.server.delete("leases", "replica-a", namespace="default")
    leaving = asyncio.create_task(first.sharing.leave())
    await desk.until(lambda: not first.directory.taken, what="it plans no more")
    assert not leaving.done(), "what is under way still ends"
    publishing.open()
    await leaving
    assert not first.directory.busy


@at_a_desk()
async def test_nobody_waits_for_a_probe_to_hand_over(desk: Desk):
    hangs = asyncio.Event()

    async def is_ready(**_: object) -> bool:
        hangs.set()
        await asyncio.Event().wait()
        return True

    desk.prober.is_ready = is_ready
    desk.add_pool(readiness={"tcpSocket": {"port": 80}})
    first = await replica(desk, "a")
    await hangs.wait()
    async with asyncio.timeout(5):  # a probe ends only when it is broken off
        await first.leave()
    assert leases(desk)["pool-pool"] == ""


@at_a_desk()
async def test_of_a_pool_that_was_let_go_only_the_objects_are_remembered(desk: Desk):
    first = await with_idle_machines(desk)
    await desk.until(lambda: b'hotdesk_pool_count{pool="pool"' in first.metrics.render(), what="it is measured")
    actor = first.directory._actors["pool"]
    effects = actor._effects
    first.sharing._is_leaving = True  # so that it is not taken again at once
    await first.directory.let_go("pool")
    assert actor.facts.observation is None
    assert not actor.facts.is_surveyed
    assert actor._effects is not effects
    assert actor.facts.machines.keys() == set(desk.idle())
    assert b'{pool="pool"' not in first.metrics.render()
    desk.ask("demo")
    first.directory.take("pool")
    await desk.until_bound("demo")


@at_a_desk()
async def test_a_look_that_was_under_way_when_a_pool_was_let_go_is_not_taken_in(desk: Desk):
    first = await with_idle_machines(desk)
    look, looking, go_on = desk.fleet.describe_groups, asyncio.Event(), asyncio.Event()

    async def slow(names: set[str]) -> object:
        seen = await look(names)
        looking.set()
        await go_on.wait()
        return seen

    desk.fleet.describe_groups = slow
    await looking.wait()
    first.sharing._is_leaving = True  # so that it is not taken again at once
    await first.directory.let_go("pool")
    go_on.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert first.directory._actors["pool"].facts.observation is None


@at_a_desk()
async def test_a_killed_replicas_pools_are_taken_over_and_its_lease_goes(desk: Desk):
    add_pools(desk)
    first, second = await replica(desk, "a"), await replica(desk, "b")
    await until_shared(desk, first, second, pools=POOLS)
    await desk.until_idle(4)
    lost = sorted(first.directory.taken)
    await first.kill()
    desk.ask("demo", pool=lost[0])
    await desk.until_bound("demo")
    await until_shared(desk, second, pools=POOLS)
    assert "replica-a" not in leases(desk)


@at_a_desk()
async def test_one_started_again_under_its_name_goes_on_with_what_it_had(desk: Desk):
    add_pools(desk)
    first = await replica(desk, "a")
    await until_shared(desk, first, pools=POOLS)
    before = leases(desk)
    await first.kill()
    again = await replica(desk, "a")
    await until_shared(desk, again, pools=POOLS)
    after = leases(desk)
    assert before.pop("replica-a") != after.pop("replica-a"), "another process holds the replica's Lease"
    assert before == after, "and nothing else had to be written"


@at_a_desk()
async def test_of_two_processes_with_one_name_the_earlier_ends(desk: Desk):
    first = await with_idle_machines(desk)
    second = await replica(desk, "a")
    await desk.until(first.acting.done, what="the first gives up")
    assert isinstance(first.acting.exception(), Usurped)
    assert not first.gate.is_open
    sent = len(first.writes)
    desk.ask("demo")
    await desk.until_bound("demo")
    assert len(first.writes) == sent
    assert second.directory.taken == {"pool"}


@at_a_desk()
async def test_without_rights_on_leases_it_says_so_and_acts_when_it_has_them(desk: Desk):
    desk.add_pool()
    desk.server.inject(Trouble.ANSWER, verb="create", resource="leases", status=403, count=10_000)
    first = Replica(desk, "a")
    desk._operators.append(first)
    await first.start()
    trouble = await desk.until(lambda: "leases" in (first.sharing.trouble or "") and first.sharing.trouble, what="told")
    assert trouble.startswith("this replica cannot join the others: may not create leases replica-a")
    assert not first.directory.taken
    desk.server.forget_faults()
    await desk.until(lambda: first.sharing.trouble is None, what="it has joined")
    await desk.until_idle(2)


@at_a_desk()
async def test_a_pool_that_a_person_takes_away_is_let_go(desk: Desk):
    first = await with_idle_machines(desk)
    desk.server.patch("leases", "pool-pool", {"spec": {"holderIdentity": "somebody"}}, namespace="default")
    holder = first.membership.identity
    await desk.until(lambda: leases(desk)["pool-pool"] == holder, what="somebody has no Lease: it is taken again")
    await until_shared(desk, first, pools=["pool"])
    desk.ask("demo")
    await desk.until_bound("demo")


@at_a_desk()
async def test_the_lease_of_a_deleted_pool_goes_with_it(desk: Desk):
    desk.add_pool(idle=0)
    both = [await replica(desk, "a"), await replica(desk, "b")]
    await until_shared(desk, *both, pools=["pool"])
    await desk.until(lambda: desk.pool().metadata.finalizers, what="the pool is held")
    desk.server.delete("machinepools", "pool")
    await desk.until(lambda: desk.server.get("machinepools", "pool") is None, what="the pool is gone")
    while "pool-pool" in leases(desk):
        for one in both:
            await one.directory.resync()  # as it does once a minute: an actor that was busy to the end is let go then
        await asyncio.sleep(0.01)
    assert not taken(*both)


@at_a_desk()
async def test_a_broken_watch_of_leases_hides_nothing_for_long(desk: Desk):
    desk.add_pool()
    first, second = await replica(desk, "a"), await replica(desk, "b")
    await desk.until_idle(2)
    owner = owner_of("pool", first, second)
    (other,) = {first, second} - {owner}
    desk.server.compact(expire_watches=True)
    await owner.leave()
    await until_shared(desk, other, pools=["pool"])


@at_a_desk()
async def test_who_takes_over_may_raise_capacity_at_once(desk: Desk):
    """A record of a call that was answered would look like one that may still arrive."""
    desk.add_pool(idle=1)
    first = await replica(desk, "a")
    await desk.until_idle(1)
    second = await replica(desk, "b")
    owner = owner_of("pool", first, second)
    actor = owner.directory._actors["pool"]
    call = CapacityCall(sent_at=desk.clock.now(), desired=1)
    await actor._effects.pool.record_call(call)
    actor._effects.changes.answered.append(call)
    owner.directory._halt(actor)  # before its next pass clears the record
    await owner.leave()
    assert desk.pool().status.capacity_call is None
    desk.server.patch("machinepools", "pool", {"spec": {"buffer": {"idle": 3}}})
    await desk.until_idle(3)
