"""The day's record in the pool's status counts every stretch once, whatever is lost between the writes."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after
from hotdesk.api.v1alpha1 import OwnerSeconds, Today
from hotdesk.core.quota.stretches import DAY, Stretch, midnight_before
from hotdesk.core.quota.today import OWNERS, ended_of, is_counted, today_after

HOUR = 3600


def ended(key: str = "a", *, owner: str = "ada", since: float = -2, until: float = -1) -> Stretch:
    return Stretch(key, owner, after(since * HOUR), after(until * HOUR))


def test_a_stretch_is_counted_once_it_has_ended_and_only_once():
    running = Stretch("b", "ada", NOW)
    first = today_after(None, [ended(), running], now=NOW)
    assert first == Today(date="2026-03-02", owners=(OwnerSeconds(owner="ada", seconds=HOUR),), counted=("a",))
    assert today_after(first, [running, ended()], now=after(60)) == first
    assert (is_counted(first, "a"), is_counted(first, "b"), is_counted(None, "a")) == (True, False, False)


def test_one_that_is_off_its_record_is_forgotten_and_its_time_stays():
    first = today_after(None, [ended()], now=NOW)
    assert today_after(first, [], now=NOW) == first.model_copy(update={"counted": ()})


@given(
    lengths=st.lists(st.tuples(st.sampled_from(["ada", "eve"]), st.integers(0, 3600)), min_size=1, max_size=6),
    steps=st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans())),
)
def test_writes_that_are_lost_in_any_order_count_nothing_twice(lengths, steps):
    stretches = [Stretch(f"s{n}", owner, NOW, after(length)) for n, (owner, length) in enumerate(lengths)]
    on_record = list(stretches)
    stored, shown = None, 0
    for upto, is_stored, is_removed in [*steps, (6, True, True), (6, True, True)]:
        shown = max(shown, upto)
        known = [one for one in stretches[:shown] if one in on_record]
        made = today_after(stored, known, now=after(HOUR))
        if is_stored:
            stored = made
        if is_removed:
            on_record = [one for one in on_record if not is_counted(stored, one.key)]
    assert on_record == []
    for owner in ("ada", "eve"):
        expected = sum(length for name, length in lengths if name == owner)
        assert ended_of(stored)[0].get(owner, timedelta()) == timedelta(seconds=expected)


def test_only_what_lies_in_the_day_counts_and_a_new_day_begins_with_nothing():
    over_midnight = Stretch("a", "ada", after(-13 * HOUR), after(-11 * HOUR))
    first = today_after(None, [over_midnight], now=NOW)
    assert ended_of(first) == ({"ada": timedelta(hours=1)}, midnight_before(NOW))
    second = today_after(first, [over_midnight, ended("b", since=11, until=14)], now=NOW + DAY)
    assert second.date == "2026-03-03"
    assert ended_of(second)[0] == {"ada": timedelta(hours=2)}
    assert second.counted == ("a", "b")


def test_beyond_what_one_object_can_hold_those_with_least_use_are_left_out():
    many = [Stretch(f"{n:05}", f"owner-{n:05}", NOW, after(n + 1)) for n in range(OWNERS + 3)]
    kept = today_after(None, many, now=NOW)
    assert len(kept.owners) == OWNERS
    assert {one.owner for one in kept.owners}.isdisjoint({f"owner-{n:05}" for n in range(3)})


def test_a_record_that_cannot_be_read_says_nothing():
    assert ended_of(Today(date="yesterday")) == ({}, None)
    assert ended_of(None) == ({}, None)
