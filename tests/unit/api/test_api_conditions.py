"""Conditions keep their time while their status stays."""

from datetime import UTC, datetime, timedelta
from functools import partial

from hotdesk.api.conditions import find_condition, set_condition

THEN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = THEN + timedelta(minutes=1)

ready = partial(set_condition, type="Ready", observed_generation=1)


def test_a_new_condition_is_added_last():
    paused = set_condition(
        (), type="Paused", status="False", reason="Running", message="", observed_generation=1, now=THEN
    )
    both = ready(paused, status="True", reason="Bound", message="It runs.", now=LATER)
    assert [condition.type for condition in both] == ["Paused", "Ready"]
    assert both[1].last_transition_time == LATER


def test_the_time_moves_with_the_status():
    before = ready((), status="False", reason="Waiting", message="Third in the queue.", now=THEN)
    (after,) = ready(before, status="True", reason="Bound", message="It runs.", now=LATER)
    assert (after.status, after.last_transition_time) == ("True", LATER)


def test_the_time_stays_when_only_the_words_change():
    before = ready((), status="False", reason="Waiting", message="Third in the queue.", now=THEN)
    (after,) = set_condition(
        before, type="Ready", status="False", reason="Full", message="None left.", observed_generation=2, now=LATER
    )
    assert (after.reason, after.message, after.observed_generation) == ("Full", "None left.", 2)
    assert after.last_transition_time == THEN


def test_the_same_condition_again_changes_nothing():
    before = ready((), status="True", reason="Bound", message="It runs.", now=THEN)
    assert ready(before, status="True", reason="Bound", message="It runs.", now=LATER) == before


def test_other_conditions_and_their_order_stay():
    first = ready((), status="True", reason="Bound", message="", now=THEN)
    both = set_condition(first, type="Paused", status="False", reason="No", message="", observed_generation=1, now=THEN)
    changed = ready(both, status="False", reason="Lost", message="", now=LATER)
    assert [condition.type for condition in changed] == ["Ready", "Paused"]
    assert changed[1] is both[1]


def test_a_condition_that_was_never_set_is_not_found():
    assert find_condition(ready((), status="True", reason="Bound", message="", now=THEN), "Paused") is None
