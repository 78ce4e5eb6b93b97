"""Where a machine stands, and what it adds to its pool's sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import claim, instance, machine, member
from hotdesk.api.v1alpha1 import Machine
from hotdesk.core.facts import Instance, InstanceState, Member
from hotdesk.core.standing import NOTHING, Share, Standing, is_safe_member, share_of, standing_of

BOOTING = machine(ready_at=None, phase="Booting")
CLAIMED = machine(claims=[claim()])


def share(made: Machine | None, *, entry: Member | None, seen: Instance | None, slots: int = 1) -> Share:
    standing = standing_of(made, member=entry, instance=seen, gone=False) if made is not None else None
    return share_of(made, standing=standing, member=entry, instance=seen, slots_per_machine=slots)


@pytest.mark.parametrize(
    ("made", "entry", "seen", "expected"),
    [
        (machine(), member(), instance(), Standing.IDLE),
        (machine(), None, None, Standing.UNSEEN),
        (machine(), member(), None, Standing.UNSEEN),
        (BOOTING, member(), instance(), Standing.BOOTING),
        (machine(), member(protected=False), instance(), Standing.BOOTING),
        (machine(), member(lifecycle="Pending"), instance(), Standing.BOOTING),
        (machine(), member(healthy=False), instance(), Standing.BOOTING),
        (machine(), member(), instance(state=InstanceState.PENDING), Standing.BOOTING),
        (machine(), member(), instance(state=InstanceState.STOPPED), Standing.BOOTING),
        (machine(), None, instance(), Standing.STRAY),
        (machine(phase="Quarantined"), member(), instance(), Standing.QUARANTINED),
        (CLAIMED, member(), instance(), Standing.CLAIMED),
        (CLAIMED, member(protected=False), instance(), Standing.CLAIMED),
        (CLAIMED, None, instance(), Standing.CLAIMED),
        (CLAIMED, None, instance(state=InstanceState.STOPPED), Standing.CLAIMED),
        (CLAIMED, None, None, Standing.CLAIMED),
        (CLAIMED, member(lifecycle="Terminating"), instance(), Standing.LEAVING),
        (CLAIMED, member(lifecycle="Terminating:Wait"), instance(), Standing.LEAVING),
        (CLAIMED, None, instance(state=InstanceState.SHUTTING_DOWN), Standing.LEAVING),
        (machine(), member(lifecycle="Terminating"), instance(), Standing.LEAVING),
        (machine(reap="Used"), member(), instance(), Standing.REAPING),
        (machine(reap="Used"), None, instance(state=InstanceState.SHUTTING_DOWN), Standing.REAPING),
        (machine(reap="Used"), None, instance(state=InstanceState.TERMINATED), Standing.GONE),
        (CLAIMED, None, instance(state=InstanceState.TERMINATED), Standing.GONE),
    ],
)
def test_a_machine_stands_where_its_record_and_aws_put_it(
    made: Machine, entry: Member | None, seen: Instance | None, expected: Standing
):
    assert standing_of(made, member=entry, instance=seen, gone=False) is expected


def test_what_ec2_has_long_forgotten_is_gone():
    assert standing_of(CLAIMED, member=None, instance=None, gone=True) is Standing.GONE


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("an idle one", (machine(slots=5), member(), instance(), Share(live=1, supply=1, idle=5))),
        ("a booting one", (machine(slots=5, ready_at=None), member(), instance(), Share(live=1, supply=1, booting=5))),
        ("one without a record", (None, member(lifecycle="Pending"), None, Share(live=1, supply=1, booting=3))),
        ("a stranger's, by our tag", (None, None, instance(), Share(live=1, outside=1))),
        ("a claimed member", (CLAIMED, member(), instance(), Share(live=1, outside=1, claimed=1))),
        ("a detached one", (CLAIMED, None, instance(), Share(live=1, outside=1, claimed=1))),
        (
            "a shared one",
            (machine(slots=3, claims=[claim()]), None, instance(), Share(live=1, outside=1, claimed=1, spare=2)),
        ),
        (
            "a shared one that never passed its probe",
            (
                machine(slots=3, claims=[claim()], ready_at=None),
                None,
                instance(),
                Share(live=1, outside=1, claimed=1),
            ),
        ),
        (
            "a shared one that its group may end",
            (
                machine(slots=3, claims=[claim()]),
                member(protected=False),
                instance(),
                Share(live=1, outside=1, claimed=1),
            ),
        ),
        ("one reaped after a claim", (machine(reap="Used"), member(), instance(), Share(live=1, outside=1))),
        ("one reaped unclaimed", (machine(reap="Surplus"), member(), instance(), Share(live=1))),
        ("a terminated one", (CLAIMED, None, instance(state=InstanceState.TERMINATED), NOTHING)),
        ("one that ends", (machine(reap="Used"), None, instance(state=InstanceState.SHUTTING_DOWN), NOTHING)),
        (
            "a quarantined one",
            (machine(phase="Quarantined"), member(), instance(), Share(live=1, supply=1, quarantined=1)),
        ),
        ("one in standby", (machine(), member(lifecycle="Standby"), instance(), Share(live=1, outside=1, booting=1))),
    ],
)
def test_a_machine_adds_what_it_is(what: str, expected: tuple[Machine | None, Member | None, Instance | None, Share]):
    made, entry, seen, sums = expected
    assert share(made, entry=entry, seen=seen, slots=3) == sums, what


@pytest.mark.parametrize("made", [CLAIMED, machine(reap="Used"), machine()])
def test_a_record_that_one_look_does_not_show_still_counts_against_the_ceiling(made: Machine):
    # DescribeInstances is eventually consistent: an instance is dead when it says so, not when it is left out
    assert share(made, entry=None, seen=None).live == 1
    assert share(made, entry=None, seen=None).outside == 1


machines = st.builds(
    lambda claims, reap, ready, phase: machine(
        slots=3,
        claims=[claim(f"w{slot}", slot=slot) for slot in range(claims)] if reap is None else [],
        reap=reap,
        phase=phase,
        **({} if ready else {"ready_at": None}),
    ),
    st.integers(0, 3),
    st.sampled_from([None, None, "Used", "Surplus", "Lost"]),
    st.booleans(),
    st.sampled_from(["Idle", "Quarantined"]),
)
entries = st.none() | st.builds(
    member,
    lifecycle=st.sampled_from(["Pending", "InService", "Terminating", "Detaching", "Standby"]),
    protected=st.booleans(),
    healthy=st.booleans(),
)
instances = st.none() | st.builds(instance, state=st.sampled_from(InstanceState))


@given(machines, entries, instances)
def test_only_a_running_safe_ready_and_unclaimed_member_is_idle(
    made: Machine, entry: Member | None, seen: Instance | None
):
    if standing_of(made, member=entry, instance=seen, gone=False) is Standing.IDLE:
        assert not made.spec.claims
        assert made.spec.reap is None
        assert made.status.ready_at is not None
        assert entry is not None
        assert is_safe_member(entry)
        assert seen is not None
        assert seen.state is InstanceState.RUNNING


@given(machines, entries, instances)
def test_no_slot_is_counted_twice_and_none_is_made_up(made: Machine, entry: Member | None, seen: Instance | None):
    added = share(made, entry=entry, seen=seen)
    assert added.idle + added.booting + added.claimed + added.spare <= made.spec.slots
    assert all(value >= 0 for value in (added.outside, added.supply, added.spare))


@given(st.none() | machines, entries, instances)
def test_every_live_machine_is_outside_or_counted_by_its_group(
    made: Machine | None, entry: Member | None, seen: Instance | None
):
    added = share(made, entry=entry, seen=seen)
    assert added.outside + added.supply <= added.live
    is_reaped = made is not None and made.spec.reap is not None
    assert is_reaped or added.outside + added.supply == added.live
