"""What the fake adds for tests: late answers, lost calls, and what it remembers."""

import asyncio
from datetime import timedelta

import pytest

from fakes.awsworld import Delays, ManualClock
from fakes.fleet import FakeFleet, Hold
from hotdesk.core.facts import FailureCause, InstanceState
from hotdesk.ports import Refused, Throttled, Unanswered

MINUTE = timedelta(minutes=1)


def made(**world) -> FakeFleet:
    fleet = FakeFleet(clock=ManualClock(), **world)
    fleet.add_group("g", max_size=5)
    return fleet


def desired(fleet: FakeFleet) -> int:
    return fleet.group("g").desired


def test_call_held_before_aws_has_its_effect_when_released():
    async def scenario() -> None:
        fleet = made()
        held = fleet.hold_next("set_desired_capacity", Hold.CALL)
        call = asyncio.create_task(fleet.set_desired_capacity(group="g", desired=3))
        await held.arrived.wait()
        assert (desired(fleet), call.done()) == (0, False)
        held.release()
        await call
        assert desired(fleet) == 3

    asyncio.run(scenario())


def test_held_answer_shows_the_state_of_the_moment_it_was_asked_in():
    async def scenario() -> None:
        fleet = made()
        held = fleet.hold_next("describe_groups", Hold.ANSWER)
        read = asyncio.create_task(fleet.describe_groups(["g"]))
        await held.arrived.wait()
        await fleet.set_desired_capacity(group="g", desired=3)
        held.release()
        assert (await read)["g"].desired == 0

    asyncio.run(scenario())


def test_orphan_is_unanswered_at_once_and_comes_later():
    async def scenario() -> None:
        fleet = made()
        held = fleet.hold_next("set_desired_capacity", Hold.ORPHAN)
        with pytest.raises(Unanswered):
            await fleet.set_desired_capacity(group="g", desired=3)
        await fleet.set_desired_capacity(group="g", desired=1)
        held.release()
        assert desired(fleet) == 3

    asyncio.run(scenario())


def test_orphan_that_aws_refuses_says_so_to_the_test():
    async def scenario() -> None:
        fleet = made()
        held = fleet.hold_next("set_desired_capacity", Hold.ORPHAN)
        with pytest.raises(Unanswered):
            await fleet.set_desired_capacity(group="g", desired=99)
        held.release()
        assert isinstance(held.refused, Refused)

    asyncio.run(scenario())


def test_giving_up_on_a_held_call_does_not_unsend_it():
    async def scenario() -> None:
        fleet = made()
        held = fleet.hold_next("set_desired_capacity", Hold.CALL)
        call = asyncio.create_task(fleet.set_desired_capacity(group="g", desired=3))
        await held.arrived.wait()
        call.cancel()
        await asyncio.wait({call})
        assert desired(fleet) == 0
        held.release()
        assert desired(fleet) == 3

    asyncio.run(scenario())


def test_faults_come_once_in_order_and_lasting_ones_until_healed():
    async def scenario() -> list[str]:
        fleet = made()
        fleet.fail_next("protect", Throttled("first"))
        fleet.fail_next("protect", Throttled("second"))
        said = []
        for _ in range(3):
            try:
                await fleet.protect(group="g", ids=[])
            except Throttled as error:
                said.append(str(error))
        fleet.fail_always("protect", Throttled("always"))
        for _ in range(2):
            with pytest.raises(Throttled, match="always"):
                await fleet.protect(group="g", ids=[])
        fleet.heal("protect")
        await fleet.protect(group="g", ids=[])
        assert fleet.count("protect") == 6
        return said

    assert asyncio.run(scenario()) == ["first", "second"]


def test_fault_of_an_action_that_the_port_lacks_is_a_mistake_of_the_test():
    with pytest.raises(ValueError, match="no set_capacity"):
        made().fail_next("set_capacity", Throttled("x"))


def test_new_instance_is_hidden_until_ec2_knows_it():
    fleet = made(delays=Delays(visibility=MINUTE))
    asyncio.run(fleet.set_desired_capacity(group="g", desired=1))
    (machine,) = fleet.live()
    assert asyncio.run(fleet.describe_instances([machine])) == {}
    fleet.clock.advance(MINUTE)
    assert set(asyncio.run(fleet.describe_instances([machine]))) == {machine}


def test_terminated_instance_is_shown_for_an_hour():
    fleet = made()
    fleet.change_group("g", desired=1)
    (machine,) = fleet.live()
    fleet.kill(machine)
    fleet.clock.advance(59 * MINUTE)
    assert fleet.instance(machine).state is InstanceState.TERMINATED
    fleet.clock.advance(MINUTE)
    assert fleet.instance(machine) is None


def test_deaths_are_remembered_with_their_cause():
    fleet = made()
    fleet.change_group("g", desired=4)
    stopped, killed, reaped, _ = fleet.live()
    fleet.stop(stopped)
    fleet.kill(killed)
    asyncio.run(fleet.terminate_member(id=reaped))
    causes = {machine: death.cause for machine, death in fleet.deaths.items()}
    assert causes == {stopped: "health check", killed: "kill", reaped: "terminate_member"}


def test_peak_counts_machines_that_have_left_the_group():
    fleet = made()
    fleet.change_group("g", desired=2)
    asyncio.run(fleet.detach(group="g", ids=fleet.live()))
    assert len(fleet.live("g")) == 4
    for machine in fleet.live("g"):
        fleet.kill(machine)
    assert fleet.peak_live["g"] >= 4


def test_launch_failure_is_tried_again_until_its_cause_is_gone():
    fleet = made()
    fleet.launch_failure = (FailureCause.QUOTA, "VcpuLimitExceeded")
    fleet.change_group("g", desired=1)
    fleet.clock.advance(MINUTE)
    assert fleet.live() == []
    assert len(fleet.groups["g"].failures) == 3
    fleet.launch_failure = None
    fleet.clock.advance(MINUTE)
    assert len(fleet.live()) == 1


def test_deleted_group_takes_its_members_with_it_and_spares_detached_machines():
    fleet = made()
    fleet.change_group("g", desired=2)
    mine, _ = fleet.live()
    asyncio.run(fleet.detach(group="g", ids=[mine]))
    fleet.delete_group("g")
    assert fleet.live() == [mine]
    assert fleet.group("g") is None
