"""Holdings of a lock that can be put in an order, and such that cannot."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from chaos.locks import Hold, clash


def test_one_after_the_other_is_an_order():
    assert clash([Hold("a", 0, 1, 2, 3), Hold("b", 0, 4, 5, 6)]) is None


def test_told_to_two_at_once_is_none():
    assert clash([Hold("a", 0, 1, 9, 10), Hold("b", 0, 4, 5, 6)]) is not None


def test_a_hold_that_nobody_ends_shuts_out_all_later():
    assert clash([Hold("a", 0, 1), Hold("b", 2, 3)]) is not None


def test_a_slow_watch_explains_what_seems_to_overlap():
    # b was told before a was seen to be gone, but after a was asked to go.
    assert clash([Hold("a", 0, 1, 2, 9), Hold("b", 0, 3, 4, 5)]) is None


def test_three_that_fit_in_pairs_need_not_fit_together():
    # Every two of them can be parted, and not all three: a and b leave no room for c.
    holds = [Hold("a", 0, 5, 5, 6), Hold("b", 5.5, 6, 7, 8), Hold("c", 0, 7.5, 7.6, 7.7)]
    assert clash(holds[:2]) is None
    assert clash([holds[0], holds[2]]) is None
    assert clash(holds) is None
    assert clash([*holds, Hold("d", 0, 6.5, 6.6, 9)]) is not None


moments = st.lists(st.integers(0, 12), min_size=4, max_size=4).map(sorted)


@given(st.lists(moments, max_size=4))
def test_it_says_what_trying_all_orders_says(stretches):
    holds = [Hold(str(number), *stretch) for number, stretch in enumerate(stretches)]
    assert (clash(holds) is None) == any(_fits(order) for order in permutations(holds))


def _fits(order):
    now = float("-inf")
    for hold in order:
        taken = max(now, hold.asked)
        now = max(taken, hold.letting_go)
        if taken > hold.told or now > hold.gone:
            return False
    return True
