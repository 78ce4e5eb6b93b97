"""A set with an order."""

from hypothesis import given
from hypothesis import strategies as st

from hotdesk.core.names import Names

names = st.lists(st.sampled_from("abcdef"))


def test_names_are_kept_in_the_order_in_which_they_came():
    kept = Names("ba")
    kept.add("c")
    kept.add("b")
    assert list(kept) == ["b", "a", "c"]


def test_a_name_that_comes_again_comes_last():
    kept = Names("ab")
    kept.discard("a")
    kept.discard("a")
    kept.add("a")
    assert list(kept) == ["b", "a"]


@given(names, names)
def test_it_is_a_set_whose_order_its_own_names_decide(mine: list[str], others: list[str]):
    left, right = Names(mine), set(others)
    assert list(left & right) == [name for name in left if name in right]
    assert list(left - right) == [name for name in left if name not in right]
    assert set(left | right) == set(mine) | right
    assert (left <= right) is (set(mine) <= right)
