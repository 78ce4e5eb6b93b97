"""What AWS announces: heard, recorded, looked after, and deleted from the queue only then."""

from datetime import timedelta

import pytest

from component.desk import Desk, at_a_desk
from fakes.apiserver.faults import Trouble
from hotdesk.api.conditions import find_condition
from hotdesk.core.announcements import Announced, Announcement
from hotdesk.ports import Denied, Unanswered

QUEUE = "http://127.0.0.1/1/told"
STRANGER = "i-0fffffffffffffff0"


def said(desk: Desk, machine: str, what: Announced = Announced.SPOT_INTERRUPTION, **more) -> Announcement:
    now = desk.clock.now()
    due = now + timedelta(minutes=2) if what is Announced.SPOT_INTERRUPTION else None
    return Announcement(**{"receipt": "", "what": what, "instance": machine, "at": now, "due": due, **more})


def listening(desk: Desk, **spec) -> None:
    desk.add_pool(aws={"interruptionQueue": QUEUE}, **spec)


async def until_empty(desk: Desk) -> None:
    await desk.until(lambda: not desk.queues.left(QUEUE), what="every message was handled")


@at_a_desk()
async def test_an_idle_machine_that_aws_will_take_is_replaced_before_and_handed_to_nobody(desk: Desk):
    listening(desk)
    await desk.operator()
    await desk.until_idle(2)
    doomed = desk.idle()[0]
    desk.queues.say(QUEUE, said(desk, doomed))
    await until_empty(desk)
    assert desk.machine(doomed) is None or desk.machine(doomed).status.interruption is not None
    desk.ask("a", "b", "c")
    await desk.until_bound("a", "b", "c")
    assert doomed not in desk.claimed().values()
    await desk.until_gone(doomed)
    assert desk.fleet.deaths[doomed].cause == "terminate_member"


@at_a_desk()
async def test_of_a_paused_pool_a_doomed_machine_is_neither_reaped_nor_handed_out_when_it_goes_on(desk: Desk):
    listening(desk)
    await desk.operator()
    await desk.until_idle(2)
    doomed = desk.idle()[0]
    desk.server.patch("machinepools", "pool", {"spec": {"paused": True}})
    await desk.until(lambda: not desk.queues.readers[QUEUE], what="the queue is read no more")
    desk.queues.say(QUEUE, said(desk, doomed))
    await desk.looked()
    assert desk.queues.received(QUEUE) == [0]
    desk.server.patch("machinepools", "pool", {"spec": {"paused": False}})
    await until_empty(desk)
    await desk.until_gone(doomed)


@at_a_desk()
async def test_of_a_claimed_machine_the_record_says_when_it_goes_and_its_workspace_keeps_it(desk: Desk):
    listening(desk)
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    seat = desk.claimed()["demo"]
    warning = said(desk, seat)
    desk.queues.say(QUEUE, warning, warning)
    await until_empty(desk)
    told = desk.machine(seat).status.interruption
    assert (told.reason, told.announced_at, told.at) == ("SpotInterruption", warning.at, warning.due)
    await desk.looked()
    assert desk.claimed() == {"demo": seat}


@at_a_desk()
async def test_the_free_slots_of_a_doomed_machine_are_not_handed_out(desk: Desk):
    listening(desk, slotsPerMachine=2, idle=1)
    await desk.operator()
    await desk.until_idle(1)
    desk.ask("a")
    await desk.until_bound("a")
    seat = desk.claimed()["a"]
    await desk.until_secured(seat)
    desk.queues.say(QUEUE, said(desk, seat))
    await until_empty(desk)
    desk.ask("b")
    await desk.until_bound("b")
    assert desk.claimed()["b"] != seat


@at_a_desk()
async def test_messages_repeated_and_out_of_order_come_to_the_same(desk: Desk):
    listening(desk)
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    seat = desk.claimed()["demo"]
    warning = said(desk, seat)
    month = timedelta(days=30)
    retirement = said(desk, seat, Announced.MAINTENANCE, due=warning.at + month)
    desk.queues.say(QUEUE, warning, retirement, warning, retirement, said(desk, seat, Announced.REBALANCE))
    await until_empty(desk)
    assert desk.machine(seat).status.interruption.at == warning.due


@at_a_desk()
async def test_what_could_not_be_recorded_comes_again(desk: Desk):
    listening(desk)
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("demo")
    await desk.until_bound("demo")
    seat = desk.claimed()["demo"]
    await desk.until_secured(seat)
    desk.inject(Trouble.LOSE_REQUEST, "patch", "machines/status", name=seat)
    desk.inject(Trouble.ANSWER, "patch", "machines/status", name=seat, status=409)
    desk.queues.say(QUEUE, said(desk, seat))
    await until_empty(desk)
    assert desk.machine(seat).status.interruption is not None


def test_a_lost_machine_is_seen_as_soon_as_aws_says_so():
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        listening(desk)
        await desk.operator(look=30_000)
        await desk.until_idle(2)
        desk.ask("ada")
        await desk.until_bound("ada")
        lost = desk.claimed()["ada"]
        await desk.until_secured(lost)
        desk.fleet.kill(lost)
        desk.queues.say(QUEUE, said(desk, lost, Announced.STATE_CHANGE, state="shutting-down"))
        await desk.until(lambda: desk.claimed().get("ada") not in {None, lost}, what="ada has another machine")
        await until_empty(desk)

    scenario()


@at_a_desk()
async def test_a_warning_about_a_machine_that_nobody_knows_waits_a_minute_for_its_record(desk: Desk):
    listening(desk)
    await desk.operator()
    await desk.until_idle(2)
    desk.queues.say(QUEUE, said(desk, STRANGER), said(desk, STRANGER, Announced.STATE_CHANGE, state="running"))
    await desk.until(lambda: len(desk.queues.left(QUEUE)) == 1, what="news of a stranger are dropped")
    await desk.until(lambda: desk.queues.received(QUEUE)[0] > 2, what="the warning comes again and again")
    desk.clock.advance(timedelta(minutes=1))
    await until_empty(desk)


@pytest.mark.parametrize("how", ["deleted", "let go", "another queue"])
def test_a_queue_is_read_as_long_as_its_pool_is_acted_for(how: str):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        listening(desk)
        operator = await desk.operator()
        await desk.until(lambda: desk.queues.readers.get(QUEUE) == 1, what="the queue is read")
        match how:
            case "deleted":
                desk.server.delete("machinepools", "pool")
            case "let go":
                await operator.directory.let_go("pool")
            case _:
                other = {"interruptionQueue": "http://127.0.0.1/1/other"}
                desk.server.patch("machinepools", "pool", {"spec": {"aws": other}})
                await desk.until(lambda: desk.queues.readers.get(other["interruptionQueue"]), what="it reads the other")
        await desk.until(lambda: not desk.queues.readers[QUEUE], what="the queue is read no more")

    scenario()


@at_a_desk()
async def test_pools_that_share_a_queue_share_its_reader(desk: Desk):
    listening(desk)
    desk.add_pool("second", group="other", aws={"interruptionQueue": QUEUE})
    operator = await desk.operator()
    await desk.until_idle(4)
    assert desk.queues.readers[QUEUE] == 1
    doomed = [made.metadata.name for made in desk.machines()]
    desk.queues.say(QUEUE, *(said(desk, name) for name in doomed))
    await desk.until_gone(*doomed)
    await operator.directory.let_go("pool")
    assert desk.queues.readers[QUEUE] == 1


@at_a_desk()
async def test_who_reads_for_one_pool_records_what_concerns_the_pool_of_another_replica(desk: Desk):
    listening(desk)
    desk.add_pool("second", group="other", aws={"interruptionQueue": QUEUE})
    operator = await desk.operator()
    await desk.until_idle(4)
    theirs = next(made.metadata.name for made in desk.machines() if made.spec.pool == "second")
    await operator.directory.let_go("second")
    desk.queues.say(QUEUE, said(desk, theirs))
    await until_empty(desk)
    assert desk.machine(theirs).status.interruption is not None
    operator.directory.take("second")
    await desk.until_gone(theirs)


@at_a_desk()
async def test_a_queue_that_cannot_be_read_is_told_and_read_again_later(desk: Desk):
    listening(desk)
    desk.queues.fail(Denied("sqs:ReceiveMessage"))
    await desk.operator()
    await desk.until_idle(2)

    def told():
        return find_condition(desk.pool().status.conditions, "InterruptionsHeard")

    await desk.until(lambda: told() is not None and told().status == "False", what="it is told")
    assert (told().reason, told().message) == ("PermissionDenied", "sqs:ReceiveMessage")

    def serves() -> bool:
        return find_condition(desk.pool().status.conditions, "Ready").status == "True"

    await desk.until(serves, what="the pool serves all the same")
    assert told().status == "False"
    desk.queues.fail(Unanswered("nobody there"))
    await desk.looked()
    desk.queues.fail(None)
    doomed = desk.idle()[0]
    desk.queues.say(QUEUE, said(desk, doomed))
    await desk.until_gone(doomed)
    await desk.until(lambda: told().status == "True", what="it is told that it is over")
    desk.server.patch("machinepools", "pool", {"spec": {"aws": {"interruptionQueue": None}}})
    await desk.until(lambda: told() is None, what="a pool without a queue says nothing of it")
