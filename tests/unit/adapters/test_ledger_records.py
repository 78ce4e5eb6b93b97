"""A record says everything twice over: for programs in its times, for people in seconds and minutes."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import machine_id
from hotdesk.adapters.aws.ledger_records import Place, intervals_in, key_of, line_of, place_of, times_of
from hotdesk.core.usage import Interval

UID = "6d0ff0a5-8c0f-4d5e-9a55-3a2f0f6f0001"
STARTED = datetime(2026, 11, 30, 22, 5, 7, 123456, tzinfo=UTC)
PLACE = Place("finance", "hotdesk/")


def interval(**fields) -> Interval:
    known = {
        "pool": "dev",
        "namespace": "team",
        "workspace": "demo",
        "uid": UID,
        "owner": 'Ada "the" Ł\u2028',
        "machine": machine_id(7),
        "slot": 2,
        "started_at": STARTED,
        "ended_at": STARTED + timedelta(hours=2, seconds=1),
        "instance_type": "t3.large",
        "zone": "eu-west-1a",
        "spot": True,
    }
    return Interval(**{**known, **fields})


def test_a_line_is_one_line_that_finance_can_read():
    line = line_of(interval())
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "pool": "dev",
        "namespace": "team",
        "workspace": "demo",
        "uid": UID,
        "owner": 'Ada "the" Ł\u2028',
        "machine": machine_id(7),
        "slot": 2,
        "instanceType": "t3.large",
        "zone": "eu-west-1a",
        "spot": True,
        "startedAt": "2026-11-30T22:05:07.123456Z",
        "endedAt": "2026-12-01T00:05:08.123456Z",
        "seconds": 7201.0,
        "billedMinutes": 121,
    }


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(owner=st.text(min_size=1, max_size=128), start=MOMENTS, end=MOMENTS, slot=st.integers(0, 99))
def test_what_is_written_is_read(owner, start, end, slot):
    told = interval(owner=owner.encode("utf-8", "ignore").decode() or "x", started_at=start, ended_at=end, slot=slot)
    assert intervals_in(line_of(told)) == (told,)
    assert times_of(key_of(told, place=PLACE), place=PLACE) == (end.date(), start)


def test_a_key_is_in_the_folder_of_the_day_on_which_it_ended():
    assert key_of(interval(), place=PLACE) == (
        f"hotdesk/2026/12/01/{UID}-20261130T220507123456Z-{machine_id(7)}-2.jsonl"
    )


def test_a_key_is_the_same_in_every_time_zone():
    elsewhere = STARTED.astimezone().astimezone(tz=None)
    assert key_of(interval(started_at=elsewhere), place=PLACE) == key_of(interval(), place=PLACE)


@pytest.mark.parametrize(
    "key", ["hotdesk/2026/12/01/notes.txt", "hotdesk/x", "other", "hotdesk/2026/13/01/u-20261130T220507123456Z-i-0"]
)
def test_a_foreign_key_is_recognised(key: str):
    assert times_of(key, place=PLACE) is None


def test_a_key_gives_its_times():
    assert times_of(key_of(interval(), place=PLACE), place=PLACE) == (date(2026, 12, 1), STARTED)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://finance", Place("finance")),
        ("s3://finance/", Place("finance")),
        ("s3://finance/a/b", Place("finance", "a/b/")),
        ("s3://finance//a//b/", Place("finance", "a/b/")),
    ],
)
def test_an_address_names_a_bucket_and_a_prefix(address: str, place: Place):
    assert place_of(address) == place


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"{}",
        line_of(interval()).replace(b"456Z", b"456"),  # a time without a zone
        line_of(interval()).replace(b"2026-12", b"1026-12"),
        line_of(interval()).replace(b'"slot":2', b'"slot":"two"'),
        line_of(interval()) + b"\n[]",
    ],
)
def test_what_cannot_be_read_is_refused(line: bytes):
    with pytest.raises(ValueError, match=r"."):
        intervals_in(line)


def test_fields_that_came_later_do_no_harm():
    (told,) = intervals_in(line_of(interval()).replace(b'"slot"', b'"price":1,"slot"'))
    assert told == interval()
