"""What single pieces of news do to what is known of a pool."""

from datetime import timedelta

import pytest

from factories import (
    NOW,
    POOL,
    after,
    bound,
    claim,
    facts,
    group,
    instance,
    machine,
    machine_id,
    member,
    observation,
    workspace,
)
from factories import pool as make_pool
from hotdesk.core.facts import InstanceState
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.standing import Standing


class TestNews:
    def test_older_news_of_an_object_is_ignored(self):
        known = facts(machine(1, version=5, claims=[claim()]))
        known.upsert_machine(machine(1, version=4))
        assert known.machines[machine_id(1)].spec.claims

    def test_a_machine_created_anew_replaces_the_old_record(self):
        known = facts(machine(1, version=5, claims=[claim()]))
        known.upsert_machine(machine(1, uid="new", version=4))
        assert not known.machines[machine_id(1)].spec.claims

    def test_a_machine_of_another_pool_is_none_of_ours(self):
        known = facts(inside=[1])
        known.upsert_machine(machine(1, pool="other"))
        assert machine_id(1) not in known.machines
        assert not known.offers

    def test_a_workspace_that_is_being_deleted_does_not_wait(self):
        known = facts(workspaces=[workspace(deleted_at=NOW)])
        assert not known.waiting

    def test_a_workspace_whose_claim_is_on_a_lost_machine_waits_anew(self):
        known = facts(machine(1, claims=[claim()]), workspaces=[workspace()])
        assert not known.waiting
        known.observe(observation(group(), [instance(1, state=InstanceState.TERMINATED)], at=after(1)))
        assert list(known.waiting) == ["uid-demo"]

    def test_a_change_of_the_rules_reconsiders_everybody(self):
        known = facts(workspaces=[workspace()])
        known.set_pool(make_pool(version=2, paused=True))
        assert not known.waiting
        assert known.held["uid-demo"].reason == "PoolPaused"
        known.set_pool(make_pool(version=3))
        assert list(known.waiting) == ["uid-demo"]

    def test_a_workspace_named_again_after_its_deletion_stands_behind(self):
        known = facts(workspaces=[workspace("a"), workspace("b")])
        known.remove_workspace("uid-a")
        known.upsert_workspace(workspace("a"))
        assert known.waiting["uid-a"].arrival > known.waiting["uid-b"].arrival

    def test_a_machine_that_somebody_is_published_on_is_neither_registered_nor_offered_without_the_claim(self):
        known = facts(inside=[1], workspaces=[bound(machine=machine_id(1))])
        assert not known.unregistered
        known.upsert_machine(machine(1))
        assert not known.offers
        known.remove_workspace("uid-demo")
        assert machine_id(1) in known.offers


class TestLooks:
    def test_a_look_from_before_our_capacity_call_does_not_undo_it(self):
        known = facts(desired=2)
        known.capacity_answered(at=10, desired=5, max_size=9)
        known.observe(observation(group(desired=2, max_size=4), at=after(9)))
        assert known.group is not None
        assert (known.group.desired, known.group.max_size) == (5, 9)

    def test_a_look_from_after_our_capacity_call_is_believed(self):
        known = facts(desired=2)
        known.capacity_answered(at=10, desired=5, max_size=9)
        known.observe(observation(group(desired=3, max_size=4), at=after(11)))
        assert known.group is not None
        assert (known.group.desired, known.group.max_size) == (3, 4)

    def test_what_we_changed_is_stale_until_a_later_look(self):
        known = facts(machine(1))
        known.acted([machine_id(1)], at=10)
        known.observe(observation(group([member(1)]), [instance(1)], at=after(9)))
        assert known.is_stale(machine_id(1))
        known.observe(observation(group([member(1)]), [instance(1)], at=after(11)))
        assert not known.is_stale(machine_id(1))

    def test_an_instance_is_gone_after_three_looks_and_five_minutes_without_it(self):
        known = facts(machine(1, claims=[claim()]))
        for seconds in (0, 1, 2, 299):
            known.observe(observation(group(), at=after(seconds)))
            assert known.standings[machine_id(1)] is Standing.CLAIMED
        known.observe(observation(group(), at=after(300)))
        assert known.standings[machine_id(1)] is Standing.GONE

    def test_two_looks_far_apart_are_not_enough(self):
        known = facts(machine(1, claims=[claim()]))
        known.observe(observation(group(), at=after(0)))
        known.observe(observation(group(), at=after(3600)))
        assert known.standings[machine_id(1)] is Standing.CLAIMED

    def test_an_instance_that_shows_up_again_was_never_gone(self):
        known = facts(machine(1, claims=[claim()]))
        for seconds in (0, 200):
            known.observe(observation(group(), at=after(seconds)))
        known.observe(observation(group(), [instance(1)], at=after(201)))
        for seconds in (301, 400):
            known.observe(observation(group(), at=after(seconds)))
        assert known.standings[machine_id(1)] is Standing.CLAIMED

    def test_a_quick_look_says_nothing_about_those_it_did_not_ask_for(self):
        known = facts(machine(1), machine(2))
        asked = frozenset({machine_id(2)})
        known.observe(observation(group([member(1), member(2)]), complete=False, asked=asked, at=after(1)))
        assert known.standings == {machine_id(1): Standing.IDLE, machine_id(2): Standing.UNSEEN}

    def test_looks_at_a_pool_at_rest_cost_no_memory(self):
        known = facts(machine(1), machine(2))
        for seconds in range(200):
            known.observe(observation(group([member(1), member(2)]), [instance(1), instance(2)], at=after(seconds)))
        assert len(known.offers._heap) < 50

    def test_machines_that_came_and_went_cost_no_memory(self):
        known = facts()
        for number in range(1, 200):
            known.upsert_machine(machine(number))
            known.observe(observation(group([member(number)]), [instance(number)], at=after(number)))
            known.remove_machine(machine_id(number))
        known.observe(observation(group(), at=after(10_000)))
        assert not tuple(known.absences)
        assert not known.shares
        assert not known.standings


class TestClaims:
    def test_a_machine_that_is_being_claimed_is_not_offered(self):
        known = facts(machine(1, slots=2), workspaces=[workspace()])
        known.begin_claim(machine_id(1), ["uid-demo"])
        known.upsert_machine(machine(1, slots=2, version=2, claims=[claim()]))
        known.observe(observation(group([member(1)]), [instance(1)], at=after(1)))
        assert not known.offers
        assert not known.waiting

    def test_after_a_claim_that_failed_both_are_back(self):
        known = facts(machine(1), workspaces=[workspace()])
        known.begin_claim(machine_id(1), ["uid-demo"])
        known.end_claim(machine_id(1), ["uid-demo"])
        assert machine_id(1) in known.offers
        assert list(known.waiting) == ["uid-demo"]

    def test_a_workspace_deleted_during_its_claim_does_not_come_back(self):
        known = facts(machine(1), workspaces=[workspace()])
        known.begin_claim(machine_id(1), ["uid-demo"])
        known.remove_workspace("uid-demo")
        known.end_claim(machine_id(1), ["uid-demo"])
        assert not known.waiting
        assert not known.serving

    def test_a_machine_that_lost_a_workspace_is_looked_at(self):
        known = facts(machine(1, claims=[claim()]), workspaces=[bound(machine=machine_id(1))])
        known.unsettled_machines.clear()
        known.remove_workspace("uid-demo")
        assert known.unsettled_machines == {machine_id(1)}


@pytest.mark.parametrize("age", [timedelta(seconds=1), timedelta(days=1)])
def test_until_a_look_was_complete_nothing_is_surveyed(age: timedelta):
    known = PoolFacts(name=POOL)
    known.observe(observation(group(), complete=False, at=NOW + age))
    assert not known.is_surveyed
    known.observe(observation(group(), at=NOW + age))
    assert known.is_surveyed
