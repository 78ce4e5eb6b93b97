"""Which beat is written when, without a server: facts in, writes out."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, after
from hotdesk.core.heartbeats.recording import Beat, Heartbeats, Known

INTERVAL = timedelta(seconds=360)
LONGEST = 360 * 1.1


def known(uid="u", *, version=1, waits=False, claimed_at=NOW, last_activity=None, **more):
    return Known(
        namespace="team",
        name=f"name-{uid}",
        uid=uid,
        version=version,
        waits=waits,
        claimed_at=claimed_at,
        last_activity=last_activity,
        **more,
    )


def book_of(*workspaces, at=0.0):
    book = Heartbeats(interval=INTERVAL)
    for workspace in workspaces:
        book.observe(workspace, now=after(at), at=at)
    return book


def beat(book, at, uid="u", source="s"):
    book.beat(uid, Beat(at=after(at), source=source))


def take(book, at, limit=100):
    return [write.beat.at for write in book.take(at=at, limit=limit)]


def record(book, at):
    """Take what is due and answer each as the API server would; return the recorded times."""
    writes = book.take(at=at, limit=100)
    for write in writes:
        stored = replace(write.workspace, version=write.workspace.version + 1, last_activity=write.beat.at)
        book.written(write, stored, now=after(at), at=at)
    return [write.beat.at for write in writes]


def test_the_first_beat_after_the_claim_is_due_at_once():
    book = book_of(known(last_activity=after(-100)))
    beat(book, 5)
    assert record(book, 5) == [after(5)]


def test_the_next_ones_wait_for_the_interval_and_the_newest_wins():
    book = book_of(known())
    beat(book, 5)
    record(book, 5)
    for moment in (10, 200, 364):
        beat(book, moment)
        assert record(book, moment) == []
    assert record(book, 5 + LONGEST) == [after(364)]
    assert book.waiting == 0


def test_an_old_beat_that_is_written_late_holds_the_next_one_for_the_whole_interval():
    book = book_of(known())
    beat(book, 5)
    record(book, 5)
    beat(book, 100)
    assert record(book, 500) == [after(100)]
    beat(book, 501)
    assert record(book, 500 + 359) == []
    assert record(book, 500 + LONGEST) == [after(501)]


def test_what_another_has_written_counts_and_is_never_overtaken_backwards():
    book = book_of(known())
    beat(book, 5)
    record(book, 5)
    beat(book, 300)
    book.observe(known(version=7, last_activity=after(350)), now=after(351), at=351)
    assert record(book, 355) == []
    beat(book, 370)
    assert record(book, 350 + 359) == []
    assert record(book, 350 + LONGEST) == [after(370)]


def test_a_gateway_that_starts_anew_goes_by_what_is_recorded():
    book = book_of(known(last_activity=after(-300), claimed_at=after(-9000)))
    beat(book, 1)
    assert record(book, 1) == []
    assert record(book, 60 + 36) == [after(1)]
    long_ago = book_of(known(last_activity=after(-3000), claimed_at=after(-9000)))
    beat(long_ago, 1)
    assert record(long_ago, 1) == [after(1)]


def used(*, version=2, last_activity=NOW, **more):
    """Return a workspace whose activity was recorded lately: its next beat waits."""
    return known(version=version, claimed_at=after(-9000), last_activity=last_activity, **more)


@pytest.mark.parametrize("claimed_at", [after(-9000), None])
def test_a_beat_wakes_a_workspace_that_rests_at_once_and_those_after_it_wait(claimed_at):
    book = book_of(replace(used(rests=True, decided_at=after(10)), claimed_at=claimed_at))
    beat(book, 20)
    assert record(book, 20) == [after(20)]
    for moment in (21, 100, 379):
        beat(book, moment)
        assert record(book, moment) == []
    assert record(book, 20 + LONGEST) == [after(379)]


def test_one_that_rests_is_woken_once_though_nobody_says_since_when_it_rests():
    book = book_of(used(rests=True))
    beat(book, 20)
    assert record(book, 20) == [after(20)]
    beat(book, 21)
    assert record(book, 21) == []
    book.observe(used(version=7, last_activity=after(20)), now=after(22), at=22)
    book.observe(used(version=8, last_activity=after(20), rests=True, decided_at=after(23)), now=after(24), at=24)
    beat(book, 25)
    assert record(book, 25) == [after(25)]


def test_what_another_gateway_wrote_has_woken_it_already():
    book = book_of(used(rests=True, decided_at=after(-20), last_activity=after(-10)))
    beat(book, 5)
    assert record(book, 5) == []


def test_a_beat_after_a_warning_is_written_at_once_and_those_after_it_wait():
    book = book_of(used(decided_at=after(10)))
    beat(book, 20)
    assert record(book, 20) == [after(20)]
    beat(book, 21)
    assert record(book, 21) == []


def test_a_beat_that_waits_is_written_when_the_warning_or_the_stop_comes():
    book = book_of(used())
    beat(book, 20)
    assert record(book, 20) == []
    book.observe(used(version=3, rests=True, decided_at=after(30)), now=after(30), at=30)
    assert record(book, 30) == [after(20)]  # whoever decided may not have known
    beat(book, 31)
    assert record(book, 31) == [after(31)]  # and this one wakes it


def test_a_gateway_whose_clock_is_behind_writes_once_and_no_flood():
    book = book_of(used(rests=True, decided_at=after(5000)))
    assert [count for moment in range(1, 300) for count in [beat(book, moment), record(book, moment)] if count] == [
        [after(1)]
    ]


def test_one_that_rests_and_waits_for_another_machine_is_left_alone():
    book = book_of(used(rests=True, decided_at=after(10), waits=True))
    beat(book, 20)
    assert take(book, 10_000) == []


def test_while_writes_fail_the_pause_holds_also_for_who_rests():
    book = book_of(used(rests=True, decided_at=after(10)))
    beat(book, 20)
    (write,) = book.take(at=20, limit=1)
    book.failed(write, at=20, pause=timedelta(seconds=8))
    beat(book, 21)
    assert take(book, 27.9) == []
    assert take(book, 28) == [after(21)]


def test_a_workspace_that_waits_for_a_machine_is_left_alone():
    book = book_of(known(waits=True, claimed_at=None))
    beat(book, 5)
    assert take(book, 10_000) == []
    assert book.waiting == 0


def test_a_beat_from_before_the_claim_says_nothing_about_the_machine():
    book = book_of(known(claimed_at=after(-9000), last_activity=after(-10)))
    beat(book, 5)
    book.observe(known(version=2, claimed_at=after(6)), now=after(6), at=6)
    assert record(book, 10_000) == []
    beat(book, 10_001)
    assert record(book, 10_001) == [after(10_001)]


def test_old_news_is_ignored():
    book = book_of(known(version=5, last_activity=after(100)), at=100)
    book.observe(known(version=4), now=after(101), at=101)
    assert book.find("u").last_activity == after(100)


def test_one_write_is_under_way_for_a_workspace():
    book = book_of(known())
    beat(book, 5)
    (write,) = book.take(at=5, limit=100)
    beat(book, 6)
    assert take(book, 10_000) == []
    book.failed(write, at=7, pause=timedelta(seconds=1))
    assert take(book, 7.9) == []
    assert take(book, 8) == [after(6)]


def test_pauses_after_failures_grow_and_a_beat_does_not_cut_them_short():
    book = book_of(known())
    beat(book, 0)
    at, pauses = 0.0, []
    for _ in range(12):
        (write,) = book.take(at=at, limit=1)
        book.failed(write, at=at, pause=timedelta(seconds=1))
        beat(book, at + 0.5)
        pauses.append(book.next_due - at)
        at = book.next_due
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == 360


def test_who_is_gone_is_forgotten_also_in_the_middle_of_a_write():
    book = book_of(known())
    beat(book, 5)
    (write,) = book.take(at=5, limit=100)
    book.forget("u")
    book.failed(write, at=6, pause=timedelta(seconds=1))
    book.written(write, known(version=9), now=after(6), at=6)
    beat(book, 7)
    assert "u" not in book
    assert take(book, 10_000) == []


def test_the_limit_is_kept_and_what_is_left_comes_next_longest_due_first():
    book = book_of(*(known(str(number)) for number in range(5)))
    for number in range(5):
        beat(book, number, uid=str(number))
    taken = [take(book, 10, limit=2) for _ in range(4)]
    assert [len(found) for found in taken] == [2, 2, 1, 0]


def test_ten_thousand_that_began_together_are_spread():
    book = book_of(*(known(f"uid-{number}") for number in range(10_000)))
    for number in range(10_000):
        beat(book, 0, uid=f"uid-{number}")
    while record(book, 0):
        pass
    for number in range(10_000):
        beat(book, 300, uid=f"uid-{number}")
    counts = []
    for second in range(360, 397):
        found = 0
        while written := record(book, second):
            found += len(written)
        counts.append(found)
    assert sum(counts) == 10_000
    assert max(counts[1:]) < 2 * 10_000 / 36


class Api:
    """The object as the API server has it, two gateways that write it, and what each wrote when."""

    def __init__(self):
        self.stored = known()
        self.books = [book_of(self.stored) for _ in range(2)]
        self.flying = [[], []]
        self.history = []
        self.written = [[], []]
        self.newest = None
        self.at = 0.0
        self.changes = 0  # of what was decided

    def beat(self, which):
        beat(self.books[which], self.at)
        self.newest = after(self.at)

    def send(self, which):
        self.flying[which] += self.books[which].take(at=self.at, limit=10)

    def land(self, which):
        """Answer a write, if one is under way, as the API server does: the version guards."""
        for write in self._answered(which):
            book = self.books[which]
            if self._stored(which, write):
                book.written(write, self.stored, now=after(self.at), at=self.at)
            else:
                self.see(which)
                book.failed(write, at=self.at, pause=timedelta(seconds=1))

    def lose(self, which):
        """Lose a write on its way."""
        for write in self._answered(which):
            self.books[which].failed(write, at=self.at, pause=timedelta(seconds=1))

    def lose_answer(self, which):
        """Lose the answer alone."""
        for write in self._answered(which):
            self._stored(which, write)
            self.books[which].failed(write, at=self.at, pause=timedelta(seconds=1))

    def see(self, which):
        self.books[which].observe(self.stored, now=after(self.at), at=self.at)

    def claim(self, _):
        self.stored = known(version=self.stored.version + 1, claimed_at=after(self.at))
        self.changes += 1
        self.history.append(None)
        self.newest = None

    def warn(self, _):
        self._decide(rests=False, decided_at=after(self.at))

    def rest(self, _):
        self._decide(rests=True, decided_at=after(self.at))

    def rest_without_a_word(self, _):
        self._decide(rests=True, decided_at=None)

    def wake(self, _):
        self._decide(rests=False, decided_at=None)

    def _decide(self, **decision):
        self.stored = replace(self.stored, version=self.stored.version + 1, **decision)
        self.changes += 1

    def touch(self, _):
        """Change something else."""
        self.stored = replace(self.stored, version=self.stored.version + 1)

    def settle(self):
        """Let everything under way end, and time pass."""
        for _ in range(40):
            self.at += 400
            for which in range(2):
                self.see(which)
                self.send(which)
                while self.flying[which]:
                    self.land(which)
        assert not any(book.waiting for book in self.books)

    def _answered(self, which):
        return [self.flying[which].pop()] if self.flying[which] else []

    def _stored(self, which, write):
        before = self.stored
        if write.workspace.version != before.version:
            return False
        is_first = before.last_activity is None or before.last_activity < before.claimed_at
        self.stored = replace(before, version=before.version + 1, last_activity=write.beat.at)
        self.history.append(write.beat.at)
        self.written[which].append((self.at, is_first, self.changes))
        return True


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("beat", "beat", "beat", "send", "send", "send", "land", "land", "land", "lose", "lose_answer"),
                *("see", "see", "claim", "touch", "warn", "rest", "rest_without_a_word", "wake"),
            ]
        ),
        st.integers(0, 1),
        st.sampled_from([0, 1, 30, 100, 350, 400]),
    ),
    max_size=120,
)


AT_ONCE = 2  # writes while one decision stands: one from before it, and one from after it


@settings(max_examples=300)
@given(steps=STEPS)
def test_two_gateways_never_go_back_never_write_too_often_and_lose_nothing(steps):
    api = Api()
    for step, which, seconds in steps:
        api.at += seconds
        getattr(api, step)(which)
    api.settle()
    for earlier, later in pairwise(api.history):
        assert earlier is None or later is None or later > earlier
    for moments in api.written:
        for (earlier, _, _), (later, is_first, changes) in pairwise(moments):
            at_once = [moment for moment, _, then in moments if then == changes]
            assert is_first or later - earlier >= 360 - 1e-6 or at_once.index(later) < AT_ONCE
    if api.newest is not None:
        assert api.stored.last_activity >= api.newest


DECISIONS = st.sampled_from(["warn", "rest", "rest_without_a_word"])


@settings(max_examples=300)
@given(steps=STEPS, decision=DECISIONS, which=st.integers(0, 1))
def test_whatever_came_before_the_first_beat_after_a_decision_is_written_at_once(steps, decision, which):
    api = Api()
    for step, gateway, seconds in steps:
        api.at += seconds
        getattr(api, step)(gateway)
    api.settle()
    api.at += 1
    getattr(api, decision)(which)
    api.see(which)
    api.at += 1
    api.beat(which)
    api.send(which)
    api.land(which)
    assert api.stored.last_activity == after(api.at)


TIMEOUTS = st.sampled_from([60, 120, 600, 3600, 36000]).map(lambda seconds: timedelta(seconds=seconds))


@settings(max_examples=60, deadline=None)
@given(
    pool=TIMEOUTS,
    own=st.none() | TIMEOUTS,
    changed=st.none() | TIMEOUTS,
    gap=st.floats(0.5, 6),
    lag=st.floats(0, 2),
)
def test_who_beats_is_never_idle_for_half_of_the_timeout_and_never_written_more_often_than_each_tenth(
    pool, own, changed, gap, lag
):
    book = book_of()
    book.observe_pool("p", idle_timeout=pool, at=0)
    workspace = known(pool="p", idle_timeout=own)
    book.observe(workspace, now=NOW, at=0)
    timeout, recorded, written, now, beaten = own or pool, 0.0, [], 0.0, 0.0
    span = min(1500.0, 4 * timeout.total_seconds())
    while now < span:
        now += max(gap, span / 1500)
        beat(book, beaten := now)
        if changed is not None and own is None and now > span / 2:
            book.observe_pool("p", idle_timeout=changed, at=now)
            # What was on record before the change may be as old as it was allowed to be.
            timeout, changed = changed, None
            if timeout < pool:
                written.clear()
        for moment in record(book, now + lag):
            recorded = (moment - NOW).total_seconds()
            written.append(now + lag)
        assert beaten - recorded <= max(timeout, pool if not written else timedelta()).total_seconds() / 2
    tenth = min(own or pool, timeout).total_seconds() / 10
    # The first beat after a claim is written at once.
    assert all(later - earlier >= tenth - lag - 1e-6 for earlier, later in pairwise(written[1:]))


def test_a_pool_whose_timeout_becomes_shorter_has_what_waits_written_sooner():
    book = book_of(known(pool="p"))
    beat(book, 5)
    record(book, 5)
    beat(book, 70)
    assert record(book, 70) == []
    book.observe_pool("p", idle_timeout=timedelta(minutes=10), at=71)
    assert record(book, 71 + 66) == [after(70)]


def test_a_workspaces_own_timeout_comes_before_its_pools():
    book = book_of()
    book.observe_pool("p", idle_timeout=timedelta(hours=10), at=0)
    book.observe(known(pool="p", idle_timeout=timedelta(minutes=5)), now=NOW, at=0)
    beat(book, 5)
    record(book, 5)
    beat(book, 6)
    assert record(book, 5 + 33) == [after(6)]
