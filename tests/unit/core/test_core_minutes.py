"""An owner's minutes of the day: as many as its machines ran since midnight, whatever came in which order."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after
from hotdesk.core.quota.minutes import OwnerMinutes
from hotdesk.core.quota.stretches import DAY, Stretch, midnight_before

HOUR = 3600
OWNERS = ("ada", "eve")
LIMITS = st.none() | st.integers(1, 30 * 60).map(lambda minutes: timedelta(minutes=minutes))
# Hours from NOW, which is noon; a day before and after it included.
HOURS = st.integers(-30, 0)
STRETCHES = st.builds(
    lambda key, owner, since, length: Stretch(
        key, owner, after(since * HOUR), None if length is None else after((since + length) * HOUR)
    ),
    st.sampled_from("abcdef"),
    st.sampled_from(OWNERS),
    HOURS,
    st.none() | st.integers(0, 20),
)
ENDED = st.dictionaries(st.sampled_from(OWNERS), st.integers(1, 8).map(lambda hours: timedelta(hours=hours)))
NEWS = st.one_of(
    STRETCHES,
    st.sampled_from("abcdef"),
    st.integers(0, 40).map(lambda hours: after(hours * HOUR / 2)),
    LIMITS.map(lambda limit: ("limit", limit)),
    st.tuples(st.just("ended"), ENDED, st.sampled_from([-1, 0, 1])),
)


class Model:
    """The same, counted from scratch each time it is asked."""

    def __init__(self) -> None:
        self.stretches: dict[str, Stretch] = {}
        self.limit: timedelta | None = None
        self.ended: dict[str, timedelta] = {}
        self.ended_on = midnight_before(NOW)
        self.now = NOW

    def used(self, owner: str) -> timedelta:
        midnight = midnight_before(self.now)
        total = self.ended.get(owner, timedelta()) if self.ended_on == midnight else timedelta()
        for stretch in self.stretches.values():
            if stretch.owner == owner:
                end = self.now if stretch.until is None else min(stretch.until, midnight + DAY)
                total += max(timedelta(), end - max(stretch.since, midnight))
        return total

    def is_used_up(self, owner: str) -> bool:
        return self.limit is not None and self.used(owner) >= self.limit


@given(news=st.lists(NEWS, max_size=25))
def test_it_says_at_every_moment_what_counting_from_scratch_says(news):
    model, counted = Model(), OwnerMinutes()
    counted.turn(NOW)
    told: set[str] = set()
    for item in news:
        match item:
            case Stretch():
                model.stretches[item.key] = item
                told ^= counted.put(item)
            case str():
                model.stretches.pop(item, None)
                told ^= counted.drop(item)
            case ("limit", limit):
                model.limit = limit
                counted.allow(limit)
                told = {owner for owner in OWNERS if counted.is_used_up(owner)}  # everybody is asked about anew
            case ("ended", ended, days):
                model.ended, model.ended_on = ended, midnight_before(model.now) + days * DAY
                told ^= counted.take_ended(ended, midnight=model.ended_on)
            case _:
                model.now = item
                told ^= counted.turn(item)
        # Running stretches that began after a clock stepped back are no time yet.
        if all(stretch.since <= model.now for stretch in model.stretches.values()):
            assert {owner: counted.used(owner) for owner in OWNERS} == {owner: model.used(owner) for owner in OWNERS}
            used_up = {owner for owner in OWNERS if model.is_used_up(owner)}
            assert {owner for owner in OWNERS if counted.is_used_up(owner)} == used_up
            assert told == used_up


@given(stretches=st.lists(STRETCHES, max_size=6), limit=st.integers(1, 1440))
def test_it_tells_beforehand_when_the_minutes_are_used_up(stretches, limit):
    counted = OwnerMinutes()
    counted.allow(timedelta(minutes=limit))
    counted.turn(NOW)
    for stretch in stretches:
        counted.put(stretch)
    for owner in OWNERS:
        at = counted.used_up_at(owner)
        is_used_up = counted.is_used_up(owner)
        if at is None:
            counted.turn(midnight_before(NOW) + DAY - timedelta(microseconds=1))
            assert not counted.is_used_up(owner)
        elif at > NOW:
            assert not is_used_up
            assert counted.next_turn() <= at
            counted.turn(at - timedelta(microseconds=1))
            assert not counted.is_used_up(owner)
            counted.turn(at)
            assert counted.is_used_up(owner)
        else:
            assert is_used_up
        counted.turn(NOW)


def test_a_new_day_begins_with_nothing_and_what_runs_over_midnight_counts_from_there():
    counted = OwnerMinutes()
    counted.allow(timedelta(hours=2))
    counted.turn(NOW)
    counted.take_ended({"ada": timedelta(hours=3)}, midnight=midnight_before(NOW))
    counted.put(Stretch("a", "ada", NOW))
    assert counted.is_used_up("ada")
    midnight = midnight_before(NOW) + DAY
    assert counted.turn(midnight) == {"ada"}
    assert counted.used("ada") == timedelta()
    counted.turn(midnight + timedelta(hours=1))
    assert counted.used("ada") == timedelta(hours=1)
    assert counted.next_turn() == midnight + timedelta(hours=2)


def test_without_a_limit_nothing_is_ever_used_up():
    counted = OwnerMinutes()
    counted.turn(NOW)
    counted.put(Stretch("a", "ada", after(-HOUR)))
    assert (counted.is_used_up("ada"), counted.used_up_at("ada"), counted.next_turn()) == (False, None, None)


def test_no_change_has_everything_counted_anew(monkeypatch):
    counted = OwnerMinutes()
    counted.allow(timedelta(hours=1000))
    counted.turn(NOW)
    monkeypatch.setattr(OwnerMinutes, "_reckon", lambda _: pytest.fail("everything is counted anew"))
    counted.put(Stretch("a", "ada", NOW))
    counted.put(Stretch("a", "ada", NOW, after(60)))
    counted.take_ended({"ada": timedelta(hours=1)}, midnight=midnight_before(NOW))
    counted.drop("a")
    counted.turn(after(60))
    assert counted.used("ada") == timedelta(hours=1)
