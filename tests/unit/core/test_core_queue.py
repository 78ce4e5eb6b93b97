"""Who is served next, and that nobody starves."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW
from hotdesk.core.queue import AGEING_STEP, Ticket, in_order

MINUTE = timedelta(minutes=1)


def ticket(name: str, *, priority: int = 0, waited: timedelta = timedelta(), arrival: int = 0) -> Ticket:
    return Ticket(uid=name, priority=priority, created_at=NOW - waited, arrival=arrival)


def names(*tickets: Ticket, first: int | None = None) -> list[str]:
    return [found.uid for found in in_order(tickets, now=NOW, first=first)]


queues = st.lists(
    st.builds(
        lambda priority, minutes, arrival: ticket(
            str(arrival), priority=priority, waited=minutes * MINUTE, arrival=arrival
        ),
        st.integers(-3, 3),
        st.integers(-5, 100),  # below zero: the API server's clock is ahead of ours
        st.integers(0, 10**6),
    ),
    max_size=20,
    unique_by=lambda made: made.arrival,
)


def test_higher_priority_goes_first():
    low, high = ticket("low", waited=MINUTE), ticket("high", priority=1000)
    assert names(low, high) == ["high", "low"]


def test_first_come_first_served_within_a_class():
    assert names(ticket("late"), ticket("early", waited=MINUTE)) == ["early", "late"]


def test_those_created_in_the_same_second_are_served_in_the_order_they_were_seen():
    assert names(ticket("b", arrival=2), ticket("a", arrival=1)) == ["a", "b"]


def test_waiting_raises_by_one_class_a_step():
    patient = ticket("patient", waited=AGEING_STEP)
    middle, top = ticket("middle", priority=5), ticket("top", priority=10)
    assert names(patient, middle, top) == ["top", "patient", "middle"]


def test_just_below_a_step_nothing_has_changed():
    nearly = ticket("nearly", waited=AGEING_STEP - timedelta(seconds=1))
    assert names(nearly, ticket("high", priority=1)) == ["high", "nearly"]


def test_a_class_is_a_place_among_those_who_wait_and_not_a_distance():
    # 2,000,000,000 is what system classes carry: a user must not wait for that many steps
    patient = ticket("patient", waited=AGEING_STEP)
    assert names(patient, ticket("system", priority=2_000_000_000)) == ["patient", "system"]


@given(queues, st.integers(0, 25))
def test_the_first_few_are_the_beginning_of_the_whole_order(tickets: list[Ticket], first: int):
    assert in_order(tickets, now=NOW, first=first) == in_order(tickets, now=NOW)[:first]


@given(queues, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_the_queue_is_kept(tickets: list[Ticket], chance):
    shuffled = list(tickets)
    chance.shuffle(shuffled)
    assert in_order(shuffled, now=NOW) == in_order(tickets, now=NOW)


@given(queues)
def test_within_a_class_nobody_is_ever_overtaken(tickets: list[Ticket]):
    ordered = in_order(tickets, now=NOW)
    for priority in {made.priority for made in tickets}:
        of_class = [(made.created_at, made.arrival) for made in ordered if made.priority == priority]
        assert of_class == sorted(of_class)


@given(queues)
def test_who_has_waited_a_step_for_each_class_is_behind_older_ones_only(tickets: list[Ticket]):
    """The proof that nobody starves: the older ones are finitely many, and none is ever added."""
    classes = len({made.priority for made in tickets})
    ordered = in_order(tickets, now=NOW)
    for place, patient in enumerate(ordered):
        if NOW - patient.created_at >= AGEING_STEP * (classes - 1):
            ahead = ordered[:place]
            assert all((a.created_at, a.arrival) < (patient.created_at, patient.arrival) for a in ahead)


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=10),
    st.lists(st.integers(1, 5), min_size=60, max_size=200),
    st.data(),
)
def test_the_lowest_is_served_against_a_stream_of_higher_ones(before: list[int], stream: list[int], data):
    """One is served a minute and one of a higher class arrives: the queue never gets shorter."""
    waiting = [Ticket(str(n), priority, NOW, arrival=n) for n, priority in enumerate(before)]
    lowest = Ticket("lowest", -1, NOW, arrival=len(before))
    waiting.insert(data.draw(st.integers(0, len(waiting))), lowest)
    for minute, priority in enumerate(stream):
        now = NOW + minute * MINUTE
        served = in_order(waiting, now=now, first=1)[0]
        waiting.remove(served)
        if served is lowest:
            return
        waiting.append(Ticket(f"s{minute}", priority, now, arrival=1000 + minute))
    classes = 7  # -1 to 5
    assert len(stream) < 10 * (classes - 1) + len(before) + 1
