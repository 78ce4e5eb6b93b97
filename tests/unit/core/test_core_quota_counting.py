"""However the news of owners come in: who is within the quota is what counting from scratch would say."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after, rank
from hotdesk.api.v1alpha1 import Quota
from hotdesk.core.quota.owners import OwnerQuota, Rank
from hotdesk.core.quota.stretches import Stretch


class Model:
    """Who is within the quota, counted from scratch."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[str, str | Rank]] = {}
        self.limits = Quota()
        self.minutes: dict[str, tuple[str, datetime]] = {}
        self.now = NOW

    def of(self, owner: str, kind: str) -> set[str]:
        return {uid for uid, place in self.places.items() if place == (owner, kind)}

    def admitted(self, owner: str) -> set[str]:
        """Return who of those that ask may have a machine: one after the other, as long as the limits allow."""
        asking = sorted(place[1] for place in self.places.values() if place[0] == owner and isinstance(place[1], Rank))
        running, limits = len(self.of(owner, "runs")), self.limits
        places = running + len(self.of(owner, "rests")) + sum(not one.is_newcomer for one in asking)
        admitted: set[str] = set()
        for one in asking if not self.is_used_up(owner) else ():
            is_full = one.is_newcomer and places >= (limits.max_workspaces_per_owner or 99)
            if running >= (limits.max_running_per_owner or 99) or is_full:
                break
            running += 1
            places += one.is_newcomer
            admitted.add(one.uid)
        return admitted

    def is_used_up(self, owner: str) -> bool:
        used = sum((self.now - since for who, since in self.minutes.values() if who == owner), timedelta())
        limit = self.limits.max_minutes_per_owner_per_day
        return limit is not None and used >= timedelta(minutes=limit)


UIDS = st.sampled_from([f"uid-{number}" for number in range(7)])
OWNERS = st.sampled_from(["ada", "eve"])
LIMITS = st.none() | st.integers(1, 4)
RANKS = st.builds(
    Rank,
    uid=UIDS,
    is_newcomer=st.booleans(),
    is_new=st.booleans(),
    created_at=st.sampled_from([NOW, after(1)]),
    version=st.integers(1, 3),
)
NEWS = st.one_of(
    st.tuples(st.sampled_from(["runs", "rests"]), UIDS, OWNERS),
    st.tuples(st.just("asks"), RANKS, OWNERS),
    st.tuples(st.just("asks"), RANKS, OWNERS),
    st.tuples(st.just("leaves"), UIDS),
    st.tuples(st.just("used"), st.integers(0, 3), OWNERS),
    st.tuples(st.just("turn"), st.integers(0, 3)),
    st.tuples(st.just("limit"), LIMITS, LIMITS, LIMITS),
)


def tell(counted: OwnerQuota, model: Model, item: tuple) -> tuple[set[str], str | None]:
    """Give a piece of news to both; return whom it concerns, as far as was told, and whom it is about."""
    match item:
        case ("runs", uid, owner):
            model.places[uid] = (owner, "runs")
            return counted.hold(uid, owner=owner), uid
        case ("rests", uid, owner):
            model.places[uid] = (owner, "rests")
            return counted.rest(uid, owner=owner), uid
        case ("asks", rank, owner):
            model.places[rank.uid] = (owner, rank)
            return counted.ask(rank, owner=owner), rank.uid
        case ("leaves", uid):
            model.places.pop(uid, None)
            return counted.leave(uid), uid
        case ("used", number, owner):
            model.minutes[f"s{number}"] = (owner, model.now)
            return counted.put(Stretch(f"s{number}", owner, model.now)), None
        case ("turn", minutes):
            model.now += timedelta(minutes=minutes)
            return counted.turn(model.now), None
        case ("limit", most, running, minutes):
            model.limits = Quota(
                max_workspaces_per_owner=most, max_running_per_owner=running, max_minutes_per_owner_per_day=minutes
            )
            counted.limit(model.limits)
            return set(model.places), None
    raise AssertionError(item)


def obstacles(counted: OwnerQuota, model: Model) -> dict[str, str | None]:
    found = {uid: counted.obstacle(uid) for uid in model.places}
    return {uid: obstacle.message if obstacle is not None else None for uid, obstacle in found.items()}


class TestEveryOrder:
    @given(news=st.lists(NEWS, max_size=25))
    def test_it_admits_whom_counting_from_scratch_admits_and_tells_everybody_whom_that_concerns(self, news):
        model, counted = Model(), OwnerQuota(pool="dev")
        counted.turn(NOW)
        before = obstacles(counted, model)
        for item in news:
            concerned, about = tell(counted, model, item)
            after_ = obstacles(counted, model)
            asking = {uid for uid, place in model.places.items() if isinstance(place[1], Rank)}
            admitted = {uid for uid in asking if after_[uid] is None}
            assert admitted == {uid for owner in ("ada", "eve") for uid in model.admitted(owner)}
            assert all(after_[uid] is None for uid in model.places.keys() - asking)
            changed = {uid for uid in asking - {about} if uid in before and before[uid] != after_[uid]}
            assert changed <= concerned | {about}
            before = after_

    @given(news=st.lists(NEWS.filter(lambda item: item[0] != "turn"), max_size=15), data=st.data())
    def test_two_operators_that_heard_the_same_in_another_order_admit_the_same(self, news, data):
        final = {item[1].uid if item[0] == "asks" else item[1]: item for item in news if item[0] in _ABOUT_ONE}
        limits = next((item for item in reversed(news) if item[0] == "limit"), ("limit", 2, 1, None))
        first, second = OwnerQuota(pool="dev"), OwnerQuota(pool="dev")
        model = Model()
        for counted, items in (
            (first, list(final.values())),
            (second, data.draw(st.permutations(list(final.values())))),
        ):
            counted.turn(NOW)
            for item in (limits, *items):
                tell(counted, model, item)
        assert obstacles(first, model) == obstacles(second, model)


_ABOUT_ONE = frozenset({"runs", "rests", "asks"})


class TestStopped:
    def test_who_is_stopped_leaves_room_to_run_and_keeps_its_place(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=1, max_workspaces_per_owner=2))
        counted.hold("uid-1", owner="ada")
        for number in (2, 3):
            counted.ask(rank(number), owner="ada")
        assert counted.rest("uid-1", owner="ada") == {"uid-2", "uid-3"}
        assert counted.obstacle("uid-2") is None
        beyond = counted.obstacle("uid-3")
        assert beyond is not None
        assert "uses 2 of the 2 workspaces" in beyond.message

    def test_who_was_stopped_comes_before_who_is_new_and_needs_no_place_of_its_own(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=1, max_workspaces_per_owner=1))
        counted.ask(rank(1), owner="ada")
        woken = replace(rank(2), is_newcomer=False)
        assert counted.ask(woken, owner="ada") == {"uid-1"}
        assert counted.obstacle("uid-2") is None
        beyond = counted.obstacle("uid-1")
        assert beyond is not None
        assert "uses 1 of the 1 workspaces" in beyond.message

    def test_who_wants_to_wake_waits_until_another_one_rests(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=1))
        counted.hold("uid-1", owner="ada")
        counted.ask(replace(rank(2), is_newcomer=False), owner="ada")
        told = counted.obstacle("uid-2")
        assert told is not None
        assert "uses 1 of the 1 running workspaces" in told.message
        assert "stop or delete one of them" in told.message
        assert counted.rest("uid-1", owner="ada") == {"uid-2"}
        assert counted.obstacle("uid-2") is None


class TestCost:
    def test_a_change_concerns_those_on_the_border_however_many_are_held(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=2))
        for number in range(500):
            assert counted.ask(rank(number), owner="ada") == set()
        assert counted.hold("uid-0", owner="ada") == set()
        assert counted.leave("uid-0") == {"uid-2"}
        assert counted.leave("uid-400") == set()
        assert counted.ask(rank(0), owner="ada") == {"uid-2"}

    def test_those_that_are_held_are_told_anew_only_when_the_use_changes(self):
        counted = OwnerQuota(pool="dev")
        for number in range(3):
            counted.hold(f"uid-{number}", owner="ada")
        counted.limit(Quota(max_running_per_owner=1))
        for number in range(3, 6):
            counted.ask(rank(number), owner="ada")
        assert counted.leave("uid-0") == {"uid-3", "uid-4", "uid-5"}
        assert counted.leave("uid-1") == {"uid-3", "uid-4", "uid-5"}
        assert counted.leave("uid-2") == {"uid-3"}
