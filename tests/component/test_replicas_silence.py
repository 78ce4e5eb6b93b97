"""A replica that cannot renew its Lease falls silent before the others take it for dead, and joins anew afterwards."""

import asyncio

import pytest

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
from fakes.apiserver.faults import Gate, Trouble
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.ports import Fenced


def hold_renewals(desk: Desk, one: Replica) -> Gate:
    """Let none of a replica's renewals through until the gate opens."""
    return desk.inject(Trouble.HOLD, "patch", "leases", name=f"replica-{one.name}", count=10_000)


def let_renewals_through(desk: Desk, held: Gate) -> None:
    held.open()
    desk.server.forget_faults()


async def until_silent(desk: Desk, one: Replica) -> None:
    await desk.until(lambda: not one.gate.is_open, what=f"{one.name} has fallen silent")


@at_a_desk()
async def test_one_that_cannot_renew_falls_silent_before_it_is_taken_for_dead(desk: Desk):
    first = await with_idle_machines(desk)
    held = hold_renewals(desk, first)
    await until_silent(desk, first)
    sent = len(first.writes)
    desk.ask("demo")
    assert leases(desk)["replica-a"], "nobody has taken it for dead yet"
    second = await replica(desk, "b")
    await desk.until_bound("demo")
    assert len(first.writes) == sent
    assert second.directory.taken == {"pool"}
    let_renewals_through(desk, held)
    await desk.until(lambda: first.gate.is_open, what="the first has joined anew")
    assert not first.directory.taken
    assert taken(first, second) == ["pool"]


@at_a_desk()
async def test_one_that_is_silent_does_not_even_plan(desk: Desk):
    first = await with_idle_machines(desk)
    hold_renewals(desk, first)
    await until_silent(desk, first)
    begun = []
    first.directory._actors["pool"]._effects.start = begun.append
    desk.ask("demo")
    await desk.looked()
    assert not begun


@at_a_desk()
async def test_one_that_was_deposed_joins_anew_only_when_its_work_has_ended(desk: Desk):
    first = await with_idle_machines(desk)
    claiming = desk.inject(Trouble.HOLD_ANSWER, "patch", "machines")
    desk.ask("demo")
    await claiming.arrived()
    held = hold_renewals(desk, first)
    await until_silent(desk, first)
    await replica(desk, "b")
    await desk.until_bound("demo")
    sent = len(first.writes)
    let_renewals_through(desk, held)
    await desk.until(lambda: not first.directory.taken, what="it lets go of everything")
    await desk.looked()
    assert "replica-a" not in leases(desk), "its claim is still under way"
    claiming.open()
    await desk.until(lambda: "replica-a" in leases(desk), what="it has joined anew")
    assert first.writes[sent:] == ["patch machines"], "which was sent before, and answered only now"


@at_a_desk()
async def test_a_renewal_whose_answer_was_lost_counts_for_nothing_and_harms_nothing(desk: Desk):
    first = await with_idle_machines(desk)
    desk.server.inject(Trouble.LOSE_ANSWER, verb="patch", resource="leases", name="replica-a", count=2)
    sent = len(desk.server.writes("leases"))
    await desk.until(lambda: len(desk.server.writes("leases")) > sent + 4, what="it is renewed again")
    desk.ask("demo")
    await desk.until_bound("demo")
    assert first.directory.taken == {"pool"}
    assert not first.acting.done()


@at_a_desk()
async def test_one_that_was_silent_and_was_not_taken_for_dead_goes_on(desk: Desk):
    first = await with_idle_machines(desk)
    held = hold_renewals(desk, first)
    await until_silent(desk, first)
    desk.ask("demo")
    await desk.looked()
    assert desk.workspace("demo").status.machine is None
    let_renewals_through(desk, held)
    await desk.until_bound("demo")
    assert first.directory.taken == {"pool"}


@at_a_desk()
async def test_while_the_api_server_is_away_nobody_is_taken_for_dead(desk: Desk):
    add_pools(desk)
    both = [await replica(desk, "a"), await replica(desk, "b")]
    await until_shared(desk, *both, pools=POOLS)
    before = leases(desk)
    await desk.server.stop()
    for one in both:
        await until_silent(desk, one)
    await asyncio.sleep(1)  # longer than a Lease lasts without its replica
    await desk.server.start()
    for one in both:
        await desk.until(lambda one=one: one.gate.is_open, what=f"{one.name} acts again")
    await until_shared(desk, *both, pools=POOLS)
    assert leases(desk) == before


@at_a_desk()
async def test_work_that_was_under_way_sends_nothing_once_the_gate_is_shut(desk: Desk):
    first = await with_idle_machines(desk)
    claiming = desk.inject(Trouble.HOLD_ANSWER, "patch", "machines")
    desk.ask("demo")
    await claiming.arrived()
    held = hold_renewals(desk, first)
    await until_silent(desk, first)
    sent = len(first.writes)
    claiming.open()  # its next step would be to publish
    await desk.until(lambda: not first.directory.busy, what="the work has ended")
    assert first.writes[sent:] == ["patch machines"], "which was sent before, and answered only now"
    assert desk.workspace("demo").status.machine is None
    let_renewals_through(desk, held)
    await desk.until_bound("demo")


@at_a_desk()
async def test_claims_that_met_a_shut_gate_go_on_at_once_when_it_opens(desk: Desk):
    desk.add_pool(idle=9, maxMachines=9)
    first = await replica(desk, "a")
    await desk.until_idle(9)
    claiming = desk.inject(Trouble.HOLD_ANSWER, "patch", "machines", count=9)
    names = [f"w{number}" for number in range(9)]
    desk.ask(*names)
    await desk.until(lambda: len(desk.claimed()) == 9, what="nine claims are under way")
    held = hold_renewals(desk, first)
    await until_silent(desk, first)
    claiming.open()  # the next step of each would be to publish
    await desk.until(lambda: not first.directory.busy, what="the work has ended")
    assert first.directory._actors["pool"]._effects.may_claim(), "nothing was wrong with them"
    let_renewals_through(desk, held)
    await desk.until_bound(*names)


@pytest.mark.parametrize("late", range(3))
def test_a_takeover_in_the_middle_of_a_burst_serves_everybody(late: int):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        desk.add_pool(idle=4, maxMachines=12)
        first, second = await replica(desk, "a"), await replica(desk, "b")
        await desk.until_idle(4)
        owner = owner_of("pool", first, second)
        held = hold_renewals(desk, owner)
        names = [f"w{number}" for number in range(8)]
        for name in names:
            desk.ask(name)
            await asyncio.sleep(0.1 * late)
        await desk.until_bound(*names)
        let_renewals_through(desk, held)
        await desk.until(lambda: first.gate.is_open and second.gate.is_open, what="both take part")
        desk.leave(*names[:4])
        await desk.until(lambda: desk.claimed().keys() == set(names[4:]), what="four are released")
        await desk.until_idle(4)
        assert taken(first, second) == ["pool"]

    scenario()


@at_a_desk()
async def test_nothing_is_written_to_the_api_server_past_a_gate_that_is_shut(desk: Desk):
    operator = await with_idle_machines(desk)
    store = KubeStore(operator._session, gate=operator.gate.check)
    operator.gate.shut()
    machine = desk.machine(desk.idle()[0])
    before = len(desk.server.writes("machines"))
    with pytest.raises(Fenced):
        await store.patch_machine(machine, claims=())
    with pytest.raises(Fenced):
        await store.delete_machine(machine)
    assert len(desk.server.writes("machines")) == before
