"""Work that failed waits longer each time it fails anew, not for each of those that failed together."""

from datetime import timedelta

from fakes.awsworld import ManualClock
from hotdesk.actors.backoff import LONGEST, Backoff

KEY = ("ClaimSlots",)


def test_each_failure_of_work_that_was_begun_after_the_last_one_doubles_the_wait():
    clock = ManualClock()
    backoff = Backoff(clock)
    waits = []
    for _ in range(10):
        waits.append(backoff.failed(KEY, began=clock.monotonic()))
        assert backoff.holds(KEY)
        clock.advance(timedelta(seconds=waits[-1] + 0.001))
        assert not backoff.holds(KEY)
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, LONGEST, LONGEST]


def test_what_was_under_way_together_waits_as_if_one_had_failed():
    clock = ManualClock()
    backoff = Backoff(clock)
    began = clock.monotonic()
    clock.advance(timedelta(seconds=1))
    assert backoff.failed(KEY, began=began) == 0.2
    for _ in range(20):
        clock.advance(timedelta(seconds=0.01))
        assert backoff.failed(KEY, began=began) == 0.2
    clock.advance(timedelta(seconds=0.2))
    assert backoff.failed(KEY, began=clock.monotonic()) == 0.4


def test_a_wait_can_be_bounded_from_both_sides():
    backoff = Backoff(ManualClock())
    assert backoff.failed(KEY, at_least=1) == 1
    assert [backoff.failed(KEY, at_most=0.5) for _ in range(3)] == [0.4, 0.5, 0.5]


def test_a_success_lets_the_work_go_on_at_once_and_forgets():
    backoff = Backoff(ManualClock())
    for _ in range(5):
        backoff.failed(KEY)
    backoff.succeeded(KEY)
    assert not backoff.holds(KEY)
    assert backoff.failed(KEY) == 0.2
