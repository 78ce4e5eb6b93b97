"""What a Fleet promises, on the in-memory fake and on boto3 against the simulated AWS."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from contract.fleet_harness import Aws, FakeAws, Fault, SimulatedAws
from hotdesk.core.facts import FailureCause, Group, InstanceState
from hotdesk.ports import Denied, NotFound, Refused, Throttled, Unanswered

GROUP = "desks"
NOBODY = "i-0123456789abcdef0"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["fake", "simulated"])
def aws(request: pytest.FixtureRequest, fleet_runner: asyncio.Runner):
    if request.param == "fake":
        yield FakeAws(fleet_runner)
        return
    simulated: SimulatedAws = request.getfixturevalue("simulated_fleet")
    with simulated.between_tests():
        yield simulated


def test_unknown_group_is_absent(aws: Aws):
    aws.add_group(GROUP)
    assert set(aws.run(aws.fleet.describe_groups([GROUP, "nobody"]))) == {GROUP}


def test_asking_for_no_group_or_instance_finds_none(aws: Aws):
    aws.add_group(GROUP, desired=1)
    assert aws.run(aws.fleet.describe_groups([])) == {}
    assert aws.run(aws.fleet.describe_instances([])) == {}
    assert aws.run(aws.fleet.describe_pool_instances([])) == {}


def test_group_shows_how_it_is_set_up(aws: Aws):
    aws.add_group(GROUP, desired=0, min_size=0, max_size=7, tags={"hotdesk.dev/pool": "blue"})
    group = _group(aws)
    assert (group.desired, group.min_size, group.max_size) == (0, 0, 7)
    assert group.protects_new
    assert group.tags == {"hotdesk.dev/pool": "blue"}
    assert group.health_check == "EC2"
    assert (group.capacity_rebalance, group.max_instance_lifetime, group.deleting) == (False, None, False)


def test_raised_capacity_launches_protected_members_that_carry_the_groups_tags(aws: Aws):
    aws.add_group(GROUP, tags={"hotdesk.dev/pool": "blue"})
    aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=2))
    members = aws.members(GROUP, 2)
    instances = aws.run(aws.fleet.describe_instances(members))
    assert all(members[i].protected and members[i].healthy for i in members)
    assert {i.state for i in instances.values()} == {InstanceState.RUNNING}
    assert all(i.private_ip and i.launched_at and i.zone == members[i.id].zone for i in instances.values())
    assert {i.tags["hotdesk.dev/pool"] for i in instances.values()} == {"blue"}
    assert {i.spot for i in instances.values()} == {False}


@pytest.mark.parametrize("desired", [6, 0])
def test_capacity_outside_the_groups_bounds_is_refused_and_changes_nothing(aws: Aws, desired: int):
    aws.add_group(GROUP, desired=1, min_size=1, max_size=5)
    with pytest.raises(Refused, match="SetDesiredCapacity"):
        aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=desired))
    assert _group(aws).desired == 1


def test_every_write_to_an_unknown_group_is_not_found(aws: Aws):
    fleet = aws.fleet
    for write in (
        lambda: fleet.set_desired_capacity(group="nobody", desired=1),
        lambda: fleet.set_max_size(group="nobody", max_size=1),
        lambda: fleet.configure_group(group="nobody"),
        lambda: fleet.suspend_processes(group="nobody", processes=["AZRebalance"]),
        lambda: fleet.protect(group="nobody", ids=[NOBODY]),
        lambda: fleet.detach(group="nobody", ids=[NOBODY]),
        lambda: fleet.tag_group(group="nobody", tags={"a": "b"}),
    ):
        with pytest.raises(NotFound):
            aws.run(write())


def test_lowered_capacity_kills_no_protected_member(aws: Aws):
    aws.add_group(GROUP, desired=2)
    before = set(aws.members(GROUP, 2))
    aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=0))
    aws.pass_time()
    assert _group(aws).desired == 0
    assert set(aws.members(GROUP, 2)) == before


def test_lowered_max_size_lowers_desired_capacity_with_it(aws: Aws):
    aws.add_group(GROUP, desired=2, max_size=5)
    aws.members(GROUP, 2)
    aws.run(aws.fleet.set_max_size(group=GROUP, max_size=1))
    assert (_group(aws).max_size, _group(aws).desired) == (1, 1)


def test_detached_machine_keeps_running_with_its_tags_and_is_replaced(aws: Aws):
    aws.add_group(GROUP, desired=2, tags={"hotdesk.dev/pool": "blue"})
    mine, other = sorted(aws.members(GROUP, 2))
    aws.run(aws.fleet.detach(group=GROUP, ids=[mine]))
    aws.until(lambda: mine not in _group(aws).members, what="the machine left the group")
    assert _group(aws).desired == 2
    assert other in aws.members(GROUP, 2)
    instance = aws.run(aws.fleet.describe_instances([mine]))[mine]
    assert instance.state is InstanceState.RUNNING
    assert instance.tags["hotdesk.dev/pool"] == "blue"


def test_detaching_a_stranger_refuses_the_whole_batch(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    with pytest.raises(Refused):
        aws.run(aws.fleet.detach(group=GROUP, ids=[member, NOBODY]))
    aws.pass_time()
    assert set(aws.members(GROUP, 1)) == {member}


def test_a_second_detach_is_refused_and_detaches_nobody(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.run(aws.fleet.detach(group=GROUP, ids=[member]))
    with pytest.raises(Refused):
        aws.run(aws.fleet.detach(group=GROUP, ids=[member]))
    aws.until(lambda: member not in _group(aws).members, what="the machine left the group")
    with pytest.raises(Refused):
        aws.run(aws.fleet.detach(group=GROUP, ids=[member]))
    assert member not in aws.members(GROUP, 1)


def test_terminated_member_is_replaced_and_terminating_it_again_is_success(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.run(aws.fleet.terminate_member(id=member))
    aws.run(aws.fleet.terminate_member(id=member))
    aws.until(lambda: _state(aws, member) is InstanceState.TERMINATED, what="the machine ended")
    aws.until(lambda: member not in _group(aws).members, what="the member is gone")
    assert member not in aws.members(GROUP, 1)
    assert _group(aws).desired == 1
    aws.run(aws.fleet.terminate_member(id=member))


def test_terminating_surplus_after_lowering_capacity_launches_no_replacement(aws: Aws):
    aws.add_group(GROUP, desired=2)
    first, second = sorted(aws.members(GROUP, 2))
    aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=1))
    aws.run(aws.fleet.terminate_member(id=first))
    aws.until(lambda: set(_group(aws).members) == {second}, what="one member is left")
    aws.pass_time()
    assert set(_group(aws).members) == {second}


def test_terminating_a_member_spares_a_machine_that_left_the_group(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.run(aws.fleet.detach(group=GROUP, ids=[member]))
    aws.until(lambda: member not in _group(aws).members, what="the machine left the group")
    aws.run(aws.fleet.terminate_member(id=member))
    aws.pass_time()
    assert _state(aws, member) is InstanceState.RUNNING


def test_detached_machine_ends_by_terminate_instance_and_again_is_success(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.run(aws.fleet.detach(group=GROUP, ids=[member]))
    aws.until(lambda: member not in _group(aws).members, what="the machine left the group")
    aws.run(aws.fleet.terminate_instance(id=member))
    aws.until(lambda: _state(aws, member) is InstanceState.TERMINATED, what="the machine ended")
    aws.run(aws.fleet.terminate_instance(id=member))


def test_terminating_what_does_not_exist_is_success(aws: Aws):
    aws.run(aws.fleet.terminate_member(id=NOBODY))
    aws.run(aws.fleet.terminate_instance(id=NOBODY))


def test_unknown_instance_is_absent_and_hides_no_other(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    assert set(aws.run(aws.fleet.describe_instances([NOBODY, member]))) == {member}


def test_tags_are_written_to_all_named_instances(aws: Aws):
    aws.add_group(GROUP, desired=2)
    members = aws.members(GROUP, 2)
    aws.run(aws.fleet.tag_instances(ids=members, tags={"hotdesk.dev/owner": "a b/ü", "hotdesk.dev/namespace": "n"}))
    tags = [i.tags for i in aws.run(aws.fleet.describe_instances(members)).values()]
    assert [(t["hotdesk.dev/owner"], t["hotdesk.dev/namespace"]) for t in tags] == [("a b/ü", "n")] * 2


def test_tagging_an_unknown_instance_is_refused(aws: Aws):
    with pytest.raises(Refused):
        aws.run(aws.fleet.tag_instances(ids=[NOBODY], tags={"a": "b"}))


def test_member_that_lost_its_protection_gets_it_back(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.unprotect(GROUP, member)
    assert not aws.members(GROUP, 1)[member].protected
    aws.run(aws.fleet.protect(group=GROUP, ids=[member]))
    assert aws.members(GROUP, 1)[member].protected


def test_unprotected_member_dies_when_capacity_is_lowered(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.unprotect(GROUP, member)
    aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=0))
    aws.until(lambda: _state(aws, member) is InstanceState.TERMINATED, what="the machine ended")


def test_protecting_a_stranger_is_refused(aws: Aws):
    aws.add_group(GROUP)
    with pytest.raises(Refused):
        aws.run(aws.fleet.protect(group=GROUP, ids=[NOBODY]))


def test_pool_instances_are_found_by_tag_whether_or_not_they_are_members(aws: Aws):
    aws.add_group(GROUP, desired=2, tags={"hotdesk.dev/pool": "blue"})
    aws.add_group("others", desired=1, tags={"hotdesk.dev/pool": "red"})
    blue = sorted(aws.members(GROUP, 2))
    red = set(aws.members("others", 1))
    aws.run(aws.fleet.detach(group=GROUP, ids=blue[:1]))
    found = aws.run(aws.fleet.describe_pool_instances(["blue"]))
    assert set(blue) <= set(found)
    assert red.isdisjoint(found)
    assert red <= set(aws.run(aws.fleet.describe_pool_instances(["blue", "red"])))


def test_pool_instances_are_found_by_state(aws: Aws):
    aws.add_group(GROUP, desired=2, tags={"hotdesk.dev/pool": "blue"})
    blue = sorted(aws.members(GROUP, 2))
    aws.run(aws.fleet.detach(group=GROUP, ids=blue))
    aws.run(aws.fleet.terminate_instance(id=blue[0]))
    ended = {InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED}
    found = aws.run(aws.fleet.describe_pool_instances(["blue"], states=ended))
    assert blue[0] in found
    assert blue[1] not in found
    assert all(instance.state in ended for instance in found.values())


def test_member_that_somebody_ends_is_replaced(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.kill(member)
    aws.until(lambda: member not in _group(aws).members, what="the dead member is gone")
    assert member not in aws.members(GROUP, 1)


def test_member_that_stops_is_terminated_and_replaced(aws: Aws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.stop(member)
    aws.until(lambda: _state(aws, member) is InstanceState.TERMINATED, what="the stopped member ended")
    assert member not in aws.members(GROUP, 1)


def test_group_that_was_set_up_wrong_is_put_right_without_touching_capacity(aws: Aws):
    aws.add_group(GROUP, desired=1, min_size=1, max_size=5, protects_new=False)
    aws.members(GROUP, 1)
    aws.run(aws.fleet.configure_group(group=GROUP))
    group = _group(aws)
    assert (group.protects_new, group.min_size, group.health_check) == (True, 0, "EC2")
    assert (group.desired, group.max_size) == (1, 5)


def test_suspended_processes_are_shown(aws: Aws):
    aws.add_group(GROUP)
    aws.run(aws.fleet.suspend_processes(group=GROUP, processes=["AZRebalance"]))
    assert "AZRebalance" in _group(aws).suspended


def test_group_tags_reach_the_machines_launched_later(aws: Aws):
    aws.add_group(GROUP)
    aws.run(aws.fleet.tag_group(group=GROUP, tags={"hotdesk.dev/pool": "green"}))
    aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=1))
    members = aws.members(GROUP, 1)
    assert _group(aws).tags["hotdesk.dev/pool"] == "green"
    assert set(aws.run(aws.fleet.describe_pool_instances(["green"]))) == set(members)


def test_group_without_policies_has_none_and_so_has_an_unknown_one(aws: Aws):
    aws.add_group(GROUP)
    assert list(aws.run(aws.fleet.describe_scaling_policies(group=GROUP))) == []
    assert list(aws.run(aws.fleet.describe_scaling_policies(group="nobody"))) == []


def test_launches_beyond_aws_capacity_are_reported_newest_first(aws: Aws):
    aws.add_group(GROUP, desired=1)
    aws.members(GROUP, 1)
    aws.limit_machines(1)
    aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=2))

    def failures():
        return aws.run(aws.fleet.describe_launch_failures(group=GROUP, since=LONG_AGO))

    aws.until(failures, what="a failed launch is listed")
    assert {f.cause for f in failures()} == {FailureCause.CAPACITY}
    found = [failure.at for failure in failures()]  # AWS tries again meanwhile
    assert found == sorted(found, reverse=True)
    later = failures()[0].at + timedelta(days=1)
    assert list(aws.run(aws.fleet.describe_launch_failures(group=GROUP, since=later))) == []
    assert list(aws.run(aws.fleet.describe_launch_failures(group="nobody", since=LONG_AGO))) == []


def test_capacity_that_comes_back_is_used(aws: Aws):
    aws.add_group(GROUP, desired=1)
    aws.members(GROUP, 1)
    aws.limit_machines(1)
    aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=2))
    aws.until(lambda: aws.run(aws.fleet.describe_launch_failures(group=GROUP, since=LONG_AGO)), what="a launch failed")
    aws.limit_machines(None)
    aws.members(GROUP, 2)


@pytest.mark.parametrize(
    ("fault", "error", "has_effect"),
    [
        (Fault.THROTTLED, Throttled, False),
        (Fault.DENIED, Denied, False),
        (Fault.LOST_CALL, Unanswered, False),
        (Fault.LOST_ANSWER, Unanswered, True),
    ],
)
def test_failed_write_is_sent_once_and_its_class_says_what_is_known(
    aws: Aws, fault: Fault, error: type[Exception], *, has_effect: bool
):
    aws.add_group(GROUP)
    aws.fail_next("set_desired_capacity", "SetDesiredCapacity", fault)
    with pytest.raises(error):
        aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=1))
    assert aws.count("set_desired_capacity", "SetDesiredCapacity") == 1
    assert _group(aws).desired == (1 if has_effect else 0)


def test_more_groups_than_fit_one_call_are_all_found(aws: Aws):
    names = {f"desks-{n:02}" for n in range(53)}
    for name in names:
        aws.add_group(name)
    assert set(aws.run(aws.fleet.describe_groups(names))) == names


def _group(aws: Aws) -> Group:
    return aws.run(aws.fleet.describe_groups([GROUP]))[GROUP]


def _state(aws: Aws, machine: str) -> InstanceState:
    return aws.run(aws.fleet.describe_instances([machine]))[machine].state
