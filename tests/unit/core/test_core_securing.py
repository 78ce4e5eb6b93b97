"""Claimed machines leave their group: tagged first, in batches, and never without the fence."""

from hypothesis import given, settings
from hypothesis import strategies as st

from factories import POOL_TAGS, after, claim, facts, group, instance, machine, machine_id, member, observation
from hotdesk.core.actions import DetachMachines, TagMachines
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.group.securing import plan_securing
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.tags import TAGS_PER_CALL, TAGS_PER_MACHINE, claim_tag, missing_tags


def plan(known: PoolFacts, *, is_fenced: bool = True, is_settled: bool = True, seconds: float = 2):
    return plan_securing(known, is_fenced=is_fenced, is_settled=is_settled, now=after(seconds))


def tagged(number: int, *holders: str, **fields) -> Instance:
    made = machine(number, slots=9, claims=[claim(name, slot=slot) for slot, name in enumerate(holders)])
    return instance(number, tags={**POOL_TAGS, **missing_tags(made, instance(number))}, **fields)


def claimed(number: int, *, seconds: float = 0) -> object:
    return machine(number, claims=[claim(f"w{number}", at=after(seconds))])


class TestOrder:
    def test_a_fresh_claim_waits_a_second_for_company(self):
        known = facts(claimed(1))
        assert plan(known, seconds=0.9) is None
        assert plan(known, seconds=1) is not None

    def test_tags_go_before_the_detach(self):
        known = facts(claimed(1))
        tags = plan(known)
        assert isinstance(tags, TagMachines)
        assert tags.ids == (machine_id(1),)
        known.tagged(tags.ids, dict(tags.tags))
        assert plan(known) == DetachMachines(ids=(machine_id(1),))

    def test_the_tag_names_the_holder(self):
        tags = dict(plan(facts(claimed(1))).tags)
        assert tags == {claim_tag(machine_id(1), 0): "team/w1/uid-w1"}

    def test_a_machine_that_was_detached_already_is_still_tagged(self):
        known = facts(claimed(1), detached=[1])
        assert isinstance(plan(known, is_fenced=False), TagMachines)

    def test_an_unclaimed_machine_is_none_of_its_business(self):
        assert plan(facts(machine(1), machine(2, reap="Used"))) is None

    def test_oldest_claims_go_first(self):
        known = facts(
            *(claimed(n, seconds=-n) for n in range(1, 26)), instances={n: tagged(n, f"w{n}") for n in range(1, 26)}
        )
        assert plan(known).ids == tuple(machine_id(n) for n in range(25, 5, -1))

    def test_crowds_that_left_without_tags_keep_nobody_in_the_group(self):
        left = range(1, 151)
        known = facts(
            *(claimed(n, seconds=-999) for n in left), claimed(200), detached=left, instances={200: tagged(200, "w200")}
        )
        assert plan(known) == DetachMachines(ids=(machine_id(200),))

    def test_crowds_whose_launch_is_not_over_keep_nobody_in_the_group(self):
        early = range(1, 151)
        known = facts(
            *(claimed(n, seconds=-999) for n in early),
            claimed(200),
            members={n: member(n, lifecycle="Pending") for n in early},
            instances={200: tagged(200, "w200")},
        )
        assert plan(known) == DetachMachines(ids=(machine_id(200),))

    def test_a_full_batch_does_not_wait_for_tags_of_others(self):
        known = facts(*(claimed(n) for n in range(1, 22)), instances={n: tagged(n, f"w{n}") for n in range(1, 21)})
        assert isinstance(plan(known), DetachMachines)


class TestSafety:
    def test_nothing_is_detached_before_the_fence_stands(self):
        known = facts(claimed(1), instances={1: tagged(1, "w1")})
        assert plan(known, is_fenced=False, seconds=9999) is None

    def test_lowering_capacity_is_waited_for_but_not_for_long(self):
        known = facts(claimed(1), instances={1: tagged(1, "w1")})
        assert plan(known, is_settled=False, seconds=15) is None
        assert isinstance(plan(known, is_settled=False, seconds=16), DetachMachines)

    def test_tags_that_cannot_be_written_do_not_keep_a_machine_in_its_group(self):
        known = facts(claimed(1))
        assert isinstance(plan(known, seconds=15), TagMachines)
        assert plan(known, seconds=15.1) == DetachMachines(ids=(machine_id(1),))

    def test_a_detach_is_asked_for_once_a_look(self):
        known = facts(claimed(1), instances={1: tagged(1, "w1")})
        known.acted([machine_id(1)], at=1)
        assert plan(known) is None

    def test_only_a_member_in_service_can_be_detached(self):
        for entry in (member(1, lifecycle="Detaching"), member(1, lifecycle="Standby")):
            assert plan(facts(claimed(1), members={1: entry}, instances={1: tagged(1, "w1")})) is None

    def test_a_lost_machine_is_not_detached(self):
        dead = tagged(1, "w1", state=InstanceState.TERMINATED)
        assert plan(facts(claimed(1), instances={1: dead})) is None

    def test_once_out_and_tagged_and_told_it_is_done(self):
        out = machine(1, claims=[claim("w1")], in_group=False)
        known = facts(out, detached=[1], instances={1: tagged(1, "w1")})
        assert not known.unsecured
        assert plan(known) is None


class TestLimits:
    @settings(max_examples=40)
    @given(st.lists(st.integers(0, 12), max_size=60), st.booleans(), st.integers(0, 40))
    def test_no_call_is_larger_than_aws_allows(self, ages: list[int], fenced: bool, seconds: int):  # noqa: FBT001
        known = facts(*(claimed(n, seconds=-age) for n, age in enumerate(ages)))
        match plan(known, is_fenced=fenced, seconds=seconds):
            case DetachMachines(ids=ids):
                assert fenced
                assert len(ids) <= 20
            case TagMachines(ids=ids, tags=tags):
                assert len(ids) <= len(tags) <= TAGS_PER_CALL

    def test_however_often_shared_machines_are_claimed_none_carries_more_tags_than_ec2_allows(self):
        """Everyone in a batch carries the whole batch's tags, and a shared machine rides in many batches."""
        known = facts(*(machine(n, slots=5) for n in range(1, 21)))
        for slot in range(5):
            for n in range(1, 21):
                claims = [claim(f"w{n}-{held}", slot=held) for held in range(slot + 1)]
                known.upsert_machine(machine(n, version=slot + 2, slots=5, claims=claims))
            for _ in range(100):
                call = plan(known, is_fenced=False)
                if call is None:
                    break
                known.tagged(call.ids, dict(call.tags))
            assert plan(known, is_fenced=False) is None
        assert max(len(seen.tags) for seen in known.instances.values()) <= TAGS_PER_MACHINE
        for n in range(1, 21):
            assert not missing_tags(known.machines[machine_id(n)], known.instances[machine_id(n)])

    def test_every_claim_is_tagged_and_detached_in_the_end(self):
        numbers = range(1, 46)
        known = facts(*(claimed(n) for n in numbers))
        detached: list[str] = []
        for second in range(2, 20):
            match plan(known, seconds=2):
                case TagMachines(ids=ids, tags=tags):
                    known.tagged(ids, dict(tags))
                case DetachMachines(ids=ids):
                    detached += ids
                    left = [n for n in numbers if machine_id(n) not in detached]
                    known.observe(
                        observation(
                            group([member(n) for n in left]), list(known.instances.values()), at=after(second - 100)
                        )
                    )
        assert sorted(detached) == [machine_id(n) for n in numbers]


class TestTags:
    def test_slots_beyond_the_first_twenty_carry_no_tag(self):
        full = machine(1, slots=30, claims=[claim(f"w{n}", slot=n) for n in range(30)])
        assert len(missing_tags(full, instance(1))) == 20

    def test_a_tag_of_an_earlier_holder_is_replaced(self):
        now_held = machine(1, claims=[claim("new")])
        assert missing_tags(now_held, tagged(1, "old")) == {claim_tag(machine_id(1), 0): "team/new/uid-new"}

    def test_what_ec2_shows_is_not_missing(self):
        assert missing_tags(machine(1, claims=[claim("w1")]), tagged(1, "w1")) == {}

    def test_a_key_is_short_enough(self):
        assert len(claim_tag("i-0123456789abcdef0", 99)) <= 128
