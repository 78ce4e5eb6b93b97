"""Which free slots are on offer, and in which order they go."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from factories import after, claim, machine, machine_id
from hotdesk.api.v1alpha1 import Machine
from hotdesk.core.offers import Offers, free_slots


def offered(*machines: Machine) -> Offers:
    offers = Offers()
    for made in machines:
        offers.put(made)
    return offers


def taken(offers: Offers) -> list[str]:
    return list(iter(offers.take, None))


def test_the_fullest_machine_goes_first():
    empty = machine(1, slots=3, ready_at=after(-100))
    full = machine(2, slots=3, claims=[claim("a"), claim("b", slot=1)])
    half = machine(3, slots=3, claims=[claim("c")])
    assert taken(offered(empty, full, half)) == [machine_id(2), machine_id(3), machine_id(1)]


def test_of_equally_full_ones_the_oldest_goes_first():
    offers = offered(machine(1, ready_at=after(2)), machine(2, ready_at=after(1)), machine(3, ready_at=after(3)))
    assert taken(offers) == [machine_id(2), machine_id(1), machine_id(3)]


def test_nothing_is_taken_from_an_empty_list():
    assert Offers().take() is None


def test_a_machine_is_taken_once_however_often_it_was_offered():
    offers = offered(machine(1), machine(1), machine(1))
    assert taken(offers) == [machine_id(1)]


def test_a_dropped_machine_is_not_taken():
    offers = offered(machine(1), machine(2))
    offers.drop(machine_id(1))
    assert machine_id(1) not in offers
    assert taken(offers) == [machine_id(2)]


def test_the_latest_word_about_a_machine_counts():
    offers = offered(
        machine(1, slots=5, claims=[claim("a"), claim("b", slot=1)]), machine(2, slots=5, claims=[claim("c")])
    )
    offers.put(machine(1, slots=5))
    assert taken(offers) == [machine_id(2), machine_id(1)]


def test_machines_that_are_looked_at_again_and_again_cost_no_memory():
    offers = Offers()
    for _ in range(200):
        for number in range(3):
            offers.put(machine(number))
    assert len(offers._heap) < 50


def test_machines_that_change_again_and_again_cost_no_memory():
    offers = Offers()
    for second in range(500):
        offers.put(machine(1, ready_at=after(second)))
    assert len(offers._heap) < 100


@given(st.integers(1, 6), st.sets(st.integers(0, 5)))
def test_free_slots_are_those_nobody_claims(slots: int, claimed: set[int]):
    claims = [claim(f"w{slot}", slot=slot) for slot in claimed if slot < slots]
    made = machine(slots=slots, claims=claims)
    assert set(free_slots(made)) == set(range(slots)) - claimed


def test_a_machine_to_be_reaped_has_no_free_slot():
    assert free_slots(machine(slots=3, reap="Surplus")) == ()


class OffersAreAList(RuleBasedStateMachine):
    """Offers behave as a plain dictionary of machines that is sorted whenever one is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.offers = Offers()
        self.model: dict[str, Machine] = {}

    @rule(number=st.integers(0, 4), used=st.integers(0, 3), second=st.integers(0, 3))
    def put(self, number: int, used: int, second: int) -> None:
        claims = [claim(f"w{number}-{slot}", slot=slot) for slot in range(used)]
        made = machine(number, slots=4, claims=claims, ready_at=after(second))
        self.offers.put(made)
        self.model[made.metadata.name] = made

    @rule(number=st.integers(0, 4))
    def drop(self, number: int) -> None:
        self.offers.drop(machine_id(number))
        self.model.pop(machine_id(number), None)

    @rule()
    def take(self) -> None:
        def place(name: str):
            made = self.model[name]
            return -len(made.spec.claims), made.status.ready_at, name

        best = min(self.model, key=place, default=None)
        assert self.offers.take() == best
        if best is not None:
            del self.model[best]

    @invariant()
    def slots_are_summed(self) -> None:
        assert self.offers.slots == sum(len(free_slots(made)) for made in self.model.values())
        assert len(self.offers) == len(self.model)


TestOffersAreAList = OffersAreAList.TestCase
TestOffersAreAList.settings = settings(max_examples=50)
