"""Since when processors are busy."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW
from hotdesk.core.processors import PERIOD, Load, busy_since

MINUTE = timedelta(minutes=1)


def loads(*percents, newest=NOW - 2 * PERIOD):
    """Make a row of periods; None is one that was not measured. The last one began at `newest`."""
    row = enumerate(reversed(percents))
    return [Load(began=newest - back * PERIOD, percent=percent) for back, percent in row if percent is not None]


def since(row, *, above=20):
    found = busy_since(row, above=above, now=NOW)
    return None if found is None else (NOW - 2 * PERIOD - found) // PERIOD


@pytest.mark.parametrize(
    ("percents", "periods"),
    [
        ((), None),
        ((1,), None),
        ((20,), None),
        ((20.1,), 0),
        ((1, 90, 90), 1),
        ((90, 90, 90), 2),
        ((90, 90, 1), None),
        ((90, 1, 90), 0),
        ((90, None, 90), 0),
    ],
)
def test_it_is_the_begin_of_the_unbroken_row_of_busy_periods(percents, periods):
    assert since(loads(*percents)) == periods


def test_old_figures_say_nothing_about_now():
    assert busy_since(loads(90, newest=NOW - 4 * PERIOD), above=20, now=NOW) is not None
    assert busy_since(loads(90, newest=NOW - 4 * PERIOD - MINUTE), above=20, now=NOW) is None


def test_figures_of_the_future_are_left_out():
    assert busy_since([Load(began=NOW + PERIOD, percent=90)], above=20, now=NOW) is None


@given(st.lists(st.tuples(st.integers(-40, 5), st.floats(0, 100)), max_size=20), st.randoms())
def test_order_and_repetition_change_nothing_and_the_answer_is_a_begin(figures, random):
    row = [Load(began=NOW + number * PERIOD, percent=percent) for number, percent in dict(figures).items()]
    found = busy_since(row, above=50, now=NOW)
    shuffled = row * 2
    random.shuffle(shuffled)
    assert busy_since(shuffled, above=50, now=NOW) == found
    if found is not None:
        inside = [load for load in row if found <= load.began <= NOW]
        assert all(load.percent > 50 for load in inside)
        assert len(inside) == (max(load.began for load in inside) - found) // PERIOD + 1
