"""Which replica owns which pool: evenly, with few moves, and never nobody for long."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hotdesk.core.sharing import Acquire, Decision, Depose, Discard, Peer, Release, Terms, View, next_change, plan

NOW = 1000.0
LONG_AGO = 0.0
TERMS = Terms()
LEASE, PATIENCE = TERMS.lease.total_seconds(), TERMS.patience.total_seconds()


def peers(*identities: str, **changes: Peer) -> dict[str, Peer]:
    made = {identity: Peer(identity=identity, joined_at=LONG_AGO, changed_at=NOW) for identity in identities}
    return made | changes


def view(me: str, holders: dict[str, str], *identities: str, pools: str | None = None, **more) -> View:
    """One replica's view; the pools are those with a Lease unless named."""
    named = frozenset(holders if pools is None else pools)
    return View(me=me, pools=named, holders=holders, **{"peers": peers(*identities), **more})


def decided(seen: View, *, now: float = NOW) -> set[Decision]:
    return set(plan(seen, TERMS, now=now))


class TestFreePools:
    def test_one_alone_takes_everything_at_once(self):
        assert decided(view("a", {}, "a", pools="xyz")) == {Acquire("x"), Acquire("y"), Acquire("z")}

    def test_what_nobody_holds_and_what_a_vanished_replica_held_is_free(self):
        assert decided(view("a", {"x": "", "y": "gone"}, "a")) == {Acquire("x"), Acquire("y")}

    def test_two_deal_them_evenly_and_take_different_ones(self):
        taken = {me: decided(view(me, {}, "a", "b", pools="wxyz")) for me in "ab"}
        assert len(taken["a"]) == len(taken["b"]) == 2
        assert not taken["a"] & taken["b"]

    def test_who_has_fewer_gets_more(self):
        holders = {"w": "a", "x": "a", "y": "", "z": ""}
        assert decided(view("a", holders, "a", "b")) == set()
        assert decided(view("b", holders, "a", "b")) == {Acquire("y"), Acquire("z")}

    def test_one_that_leaves_takes_nothing_and_is_dealt_nothing(self):
        leaving = replace(peers("a")["a"], is_leaving=True)
        assert decided(view("a", {"x": ""}, "b", peers=peers("b", a=leaving))) == set()
        assert decided(view("b", {"x": "", "y": ""}, "b", peers=peers("b", a=leaving))) == {Acquire("x"), Acquire("y")}

    def test_what_another_leaves_lying_is_taken_after_a_while_and_not_by_all_at_once(self):
        holders = {"x": "", "y": "a"}
        seen = view("a", holders, "a", "b", free_since={"x": NOW - PATIENCE})
        assert decided(seen) == {Acquire("x", is_rescue=True)}
        assert decided(replace(seen, free_since={"x": NOW - 0.9 * PATIENCE})) == set()
        third = view("c", {"x": "", "y": "c"}, "a", "b", "c", free_since={"x": NOW - 1.5 * PATIENCE})
        assert decided(third) == set()

    def test_who_has_no_lease_of_its_own_decides_nothing(self):
        assert decided(view("a", {"x": ""}, "b")) == set()


class TestMoves:
    def test_one_pool_at_a_time_goes_to_one_who_has_come(self):
        assert decided(view("a", dict.fromkeys("wxyz", "a"), "a", "b")) == {Release("w")}

    def test_a_pool_without_work_under_way_goes_first(self):
        seen = view("a", dict.fromkeys("wxyz", "a"), "a", "b", busy=frozenset("wx"))
        assert decided(seen) == {Release("y")}

    def test_nothing_moves_while_the_counts_differ_by_one(self):
        holders = {"x": "a", "y": "a", "z": "b"}
        assert decided(view("a", holders, "a", "b")) == decided(view("b", holders, "a", "b")) == set()

    def test_nothing_moves_before_one_who_came_has_settled(self):
        fresh = Peer(identity="b", joined_at=NOW - 1, changed_at=NOW)
        seen = view("a", dict.fromkeys("wxyz", "a"), peers=peers("a", b=fresh))
        assert decided(seen) == set()
        assert decided(seen, now=NOW + 5) == {Release("w")}

    def test_nothing_moves_while_a_pool_is_free_or_somebody_leaves(self):
        holders = dict.fromkeys("wxy", "a") | {"z": ""}
        assert Release("w") not in decided(view("a", holders, "a", "b"))
        leaving = replace(peers("c")["c"], is_leaving=True)
        assert decided(view("a", dict.fromkeys("wxyz", "a"), peers=peers("a", "b", c=leaving))) == set()

    def test_nothing_moves_back_soon_to_one_who_left_a_pool_lying(self):
        seen = view("a", dict.fromkeys("wxyz", "a"), "a", "b", rescued_at=NOW - 1)
        assert decided(seen) == set()
        assert decided(replace(seen, rescued_at=NOW - 60)) == {Release("w")}


class TestTheDead:
    def test_one_that_shows_no_life_is_deposed_and_its_pools_wait_for_that(self):
        silent = Peer(identity="b", joined_at=LONG_AGO, changed_at=NOW - LEASE)
        assert decided(view("a", {"x": "b"}, peers=peers("a", b=silent))) == {Depose("b")}

    def test_one_that_was_heard_in_time_is_left_alone(self):
        quiet = Peer(identity="b", joined_at=LONG_AGO, changed_at=NOW - 0.99 * LEASE)
        assert decided(view("a", {"x": "b"}, peers=peers("a", b=quiet))) == set()

    def test_nobody_deposes_itself(self):
        silent = Peer(identity="a", joined_at=LONG_AGO, changed_at=LONG_AGO)
        assert decided(view("a", {"x": "a"}, peers={"a": silent})) == set()


class TestVanishedPools:
    def test_the_owner_deletes_the_lease(self):
        assert decided(view("b", {"x": "b"}, "a", "b", pools="")) == {Discard("x")}
        assert decided(view("a", {"x": "b"}, "a", "b", pools="")) == set()

    def test_the_first_replica_deletes_what_nobody_owns(self):
        assert decided(view("a", {"x": "", "y": "gone"}, "a", "b", pools="")) == {Discard("x"), Discard("y")}
        assert decided(view("b", {"x": "", "y": "gone"}, "a", "b", pools="")) == set()


def test_the_next_change_is_the_next_moment_at_which_time_alone_decides():
    quiet = Peer(identity="b", joined_at=LONG_AGO, changed_at=NOW - LEASE + 2)
    seen = view("a", {"x": "b"}, peers=peers("a", b=quiet))
    assert next_change(seen, TERMS, now=NOW) == pytest.approx(2)
    assert next_change(replace(seen, free_since={"x": NOW - PATIENCE + 1}), TERMS, now=NOW) == pytest.approx(1)


class Cluster:
    """Replicas that act on views as old as the test wants, with compare-and-swap on every Lease."""

    def __init__(self, holders: dict[str, str], replicas: list[str], pools: frozenset[str]) -> None:
        self.now = NOW
        self.pools = pools
        self.holders = dict(holders)
        self.versions = Counter(dict.fromkeys(holders, 1))
        self.replicas = list(replicas)
        self.views = {me: (self._picture(), dict(self.versions)) for me in replicas}
        self.moves = 0
        self._free_since: dict[tuple[str, str], float] = {}
        self._rescued: dict[str, float] = {}

    def _picture(self) -> tuple[dict[str, str], list[str]]:
        return dict(self.holders), list(self.replicas)

    def hear(self, me: str) -> None:
        """Let one replica hear all news."""
        self.views[me] = (self._picture(), dict(self.versions))

    def act(self, me: str) -> None:
        """Let one replica decide from what it heard last, and act."""
        (holders, replicas), versions = self.views[me]
        alive = {name: Peer(identity=name, joined_at=LONG_AGO, changed_at=self.now) for name in replicas}
        free = {pool for pool in self.pools if holders.get(pool, "") not in alive}
        since = {pool: self._free_since.setdefault((me, pool), self.now) for pool in free}
        self._free_since = {key: at for key, at in self._free_since.items() if key[0] != me or key[1] in free}
        rescued_at = self._rescued.get(me, LONG_AGO)
        seen = View(me=me, pools=self.pools, holders=holders, peers=alive, free_since=since, rescued_at=rescued_at)
        for decision in plan(seen, TERMS, now=self.now):
            match decision:
                case Acquire(pool=pool, is_rescue=is_rescue):
                    if is_rescue:
                        self._rescued[me] = self.now
                    self._swap(pool, me, versions.get(pool, 0))
                case Release(pool=pool):
                    self.moves += 1
                    self._swap(pool, "", versions.get(pool, 0))

    def _swap(self, pool: str, holder: str, version: int) -> None:
        if self.versions[pool] == version:
            self.versions[pool] += 1
            self.holders[pool] = holder

    def settle(self, rounds: int) -> None:
        for _ in range(rounds):
            self.now += 0.1
            for me in self.replicas:
                self.hear(me)
                self.act(me)

    def counts(self) -> list[int]:
        held = Counter(self.holders.get(pool, "") for pool in self.pools)
        assert not held.keys() - set(self.replicas), f"not owned by anybody alive: {self.holders}"
        return [held[me] for me in self.replicas]


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    replicas = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True))
    pools = frozenset(f"p{number}" for number in range(draw(st.integers(0, 12))))
    owners = st.sampled_from([*replicas, "", "gone"])
    holders = {pool: draw(owners) for pool in sorted(pools) if draw(st.booleans())}
    return Cluster(holders, replicas, pools)


@given(clusters(), st.data())
@settings(max_examples=150, deadline=None)
def test_from_any_state_and_after_any_acting_on_old_news_it_becomes_even_and_stays_so(cluster, data):
    steps = st.lists(st.tuples(st.sampled_from(cluster.replicas), st.booleans()), max_size=40)
    for me, hears in data.draw(steps):
        cluster.now += 0.05
        if hears:
            cluster.hear(me)
        cluster.act(me)
    cluster.settle(rounds=40)
    counts = cluster.counts()
    assert max(counts) - min(counts) <= 1
    before = dict(cluster.holders)
    cluster.settle(rounds=20)
    assert cluster.holders == before, "it moves for ever"


@given(st.integers(1, 4), st.integers(0, 15), st.data())
@settings(max_examples=80, deadline=None)
def test_no_more_moves_than_needed_when_one_comes_or_goes(replicas, pools, data):
    names = [f"r{number}" for number in range(replicas)]
    cluster = Cluster({}, names, frozenset(f"p{number}" for number in range(pools)))
    cluster.settle(rounds=3)
    assert cluster.moves == 0, "what is dealt is not moved"
    if replicas > 1 and data.draw(st.booleans()):
        cluster.replicas.remove(data.draw(st.sampled_from(names)))
        needed = 0
    else:
        cluster.replicas.append("new")
        cluster.views["new"] = cluster.views[names[0]]
        needed = pools // len(cluster.replicas)
    cluster.settle(rounds=40)
    assert cluster.moves == needed
    assert max(cluster.counts()) - min(cluster.counts()) <= 1


@given(clusters())
@settings(max_examples=200, deadline=None)
def test_whoever_acts_first_on_the_same_news_nobody_is_in_anothers_way(cluster):
    """All replicas deal alike: every free pool is wanted by exactly one of them."""
    wanted = Counter()
    for me in cluster.replicas:
        (holders, replicas), _ = cluster.views[me]
        alive = {name: Peer(identity=name, joined_at=LONG_AGO, changed_at=NOW) for name in replicas}
        seen = View(me=me, pools=cluster.pools, holders=holders, peers=alive)
        wanted.update(decision.pool for decision in plan(seen, TERMS, now=NOW) if isinstance(decision, Acquire))
    free = {pool for pool in cluster.pools if cluster.holders.get(pool, "") not in cluster.replicas}
    assert wanted == Counter(free)


@given(clusters())
@settings(max_examples=30, deadline=None)
def test_a_replica_that_lives_and_never_acts_keeps_no_pool_from_being_owned(cluster):
    assume(len(cluster.replicas) > 1)
    _, *others = cluster.replicas
    for _ in range(300):
        cluster.now += 0.1
        for me in others:
            cluster.hear(me)
            cluster.act(me)
    assert sum(cluster.counts()) == len(cluster.pools)
