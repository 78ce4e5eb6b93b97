"""Sums say the same from every side: by owner, workspace, pool or day, of a month or of its parts, in any order."""

from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from factories import machine_id
from hotdesk.core.usage import Interval
from hotdesk.core.usage_sums import By, Period, Sum, distinct, midnight, month, summed, total

MARCH = month(2026, 3)
_FROM, _TO = datetime(2026, 2, 25), datetime(2026, 4, 5)  # noqa: DTZ001  # Hypothesis adds the zone
MOMENTS = st.datetimes(_FROM, _TO, timezones=st.just(UTC)) | st.sampled_from(
    [midnight(datetime(2026, 3, day, tzinfo=UTC).date()) for day in (1, 2, 3, 31)] + [MARCH.until]
)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    start, end = draw(MOMENTS), draw(MOMENTS)
    name = draw(st.sampled_from("abc"))
    return Interval(
        pool=draw(st.sampled_from(["dev", "gpu"])),
        namespace=draw(st.sampled_from(["red", "blue"])),
        workspace=name,
        uid=f"uid-{name}-{draw(st.integers(0, 3))}",
        owner=draw(st.sampled_from(["ada", "eve"])),
        machine=machine_id(draw(st.integers(1, 3))),
        slot=0,
        started_at=start,
        ended_at=max(start, end),
    )


MANY = st.lists(intervals(), max_size=8)


def one(start: datetime, end: datetime, owner: str = "ada") -> Interval:
    return Interval("dev", "red", "a", "uid-a", owner, machine_id(1), 0, started_at=start, ended_at=end)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0, *, number: int = 3) -> datetime:
    return datetime(2026, number, day, hour, minute, second, tzinfo=UTC)


@given(used=MANY)
def test_every_grouping_has_the_same_total(used):
    totals = {by: total(summed(used, by=by, period=MARCH)) for by in get_args(By)}
    assert len(set(totals.values())) == 1, totals


@given(used=MANY, cut=MOMENTS)
def test_a_period_cut_in_two_loses_and_doubles_nothing(used, cut):
    whole = Period(_FROM.replace(tzinfo=UTC), _TO.replace(tzinfo=UTC) + timedelta(days=1))
    for by in get_args(By):
        first = summed(used, by=by, period=Period(whole.since, cut))
        second = summed(used, by=by, period=Period(cut, whole.until))
        both = {name: first.get(name, Sum()) + second.get(name, Sum()) for name in {*first, *second}}
        assert both == summed(used, by=by, period=whole)


@given(used=MANY)
def test_a_period_around_all_holds_all(used):
    around = Period(_FROM.replace(tzinfo=UTC), _TO.replace(tzinfo=UTC) + timedelta(days=1))
    running = sum((interval.length for interval in used), timedelta())
    billed = sum(interval.billed_minutes for interval in used)
    assert total(summed(used, by="day", period=around)) == Sum(running, billed, len(used))


@given(used=MANY, data=st.data())
def test_the_order_does_not_matter(used, data):
    shuffled = data.draw(st.permutations(used))
    for by in get_args(By):
        first, second = (summed(some, by=by, period=MARCH) for some in (used, shuffled))
        assert list(first.items()) == list(second.items())


@given(used=MANY, data=st.data())
def test_an_interval_that_is_there_twice_counts_once(used, data):
    again = data.draw(st.lists(st.sampled_from(used), max_size=4)) if used else []
    once = summed(distinct(used), by="owner", period=MARCH)
    assert summed(distinct([*used, *again]), by="owner", period=MARCH) == once


def test_of_two_ends_of_one_interval_the_earlier_counts():
    start = at(2, 8)
    found = distinct([one(start, at(2, 10)), one(start, at(2, 9)), one(start, at(2, 11))])
    assert found == (one(start, at(2, 9)),)


def test_time_is_cut_at_midnight_and_billed_minutes_count_where_it_ended():
    sums = summed([one(at(2, 23, 59, 30), at(3, 0, 0, 45))], by="day", period=MARCH)
    assert sums == {
        "2026-03-02": Sum(timedelta(seconds=30), 0, 0),
        "2026-03-03": Sum(timedelta(seconds=45), 2, 1),
    }


def test_time_is_cut_at_the_end_of_the_month():
    used = [one(at(31, 12), at(1, 6, number=4)), one(at(28, 12, number=2), at(1, 6), owner="eve")]
    assert summed(used, by="owner", period=MARCH) == {
        "ada": Sum(timedelta(hours=12), 0, 0),
        "eve": Sum(timedelta(hours=6), 60 * 24 - 6 * 60, 1),
    }


def test_what_ended_on_the_border_belongs_to_what_follows_without_any_time_in_it():
    used = [one(at(31, 23), at(1, number=4))]
    assert summed(used, by="owner", period=MARCH) == {"ada": Sum(timedelta(hours=1), 0, 0)}
    assert summed(used, by="owner", period=month(2026, 4)) == {"ada": Sum(timedelta(), 60, 1)}


def test_who_used_nothing_in_the_period_is_not_named():
    assert summed([one(at(2), at(3))], by="owner", period=month(2026, 4)) == {}


def test_december_ends_with_the_year():
    assert month(2026, 12) == Period(at(1, number=12), datetime(2027, 1, 1, tzinfo=UTC))
