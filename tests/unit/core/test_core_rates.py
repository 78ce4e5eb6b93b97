"""So many a second, a burst after a silence, and little to remember."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.core.rates import Limits, Rate

TEN = Rate(per_second=10, burst=20)


def test_a_burst_passes_and_the_next_one_is_told_how_long_to_wait():
    limits = Limits(TEN)
    assert [limits.admit("a", at=100.0) for _ in range(20)] == [0.0] * 20
    assert limits.admit("a", at=100.0) == pytest.approx(0.1)
    assert limits.admit("a", at=100.05) == pytest.approx(0.05)
    assert limits.admit("a", at=100.1) == 0


def test_one_who_is_refused_pays_nothing_for_it():
    limits = Limits(Rate(per_second=1, burst=1))
    assert limits.admit("a", at=0.0) == 0
    for _ in range(100):
        assert limits.admit("a", at=0.5) == pytest.approx(0.5)
    assert limits.admit("a", at=1.0) == 0


def test_nobody_pays_for_another():
    limits = Limits(Rate(per_second=1, burst=1))
    assert [limits.admit(key, at=0.0) for key in ("a", "b", "a")] == [0, 0, pytest.approx(1)]


def test_those_who_were_silent_are_forgotten():
    limits = Limits(TEN)
    for number in range(10_000):
        assert limits.admit(str(number), at=float(number)) == 0
    assert len(limits) <= 1025


@given(
    steps=st.lists(st.floats(0, 3, allow_subnormal=False), max_size=200),
    per_second=st.sampled_from([0.5, 1, 10]),
    burst=st.integers(1, 20),
    start=st.floats(0, 1e7),
)
def test_never_more_than_the_rate_and_the_burst(steps, per_second, burst, start):
    limits, at, admitted = Limits(Rate(per_second=per_second, burst=burst)), start, []
    for step in steps:
        at += step
        if limits.admit("a", at=at) == 0:
            admitted.append(at)
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            allowed = burst + (admitted[last] - admitted[first]) * per_second
            assert last - first + 1 <= allowed + 1e-3
