"""Nobody who is at work is stopped, whatever signals, clocks and restarts do; and who has left is, in the end."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, workspace
from hotdesk.api.v1alpha1 import Next, Workspace
from hotdesk.core.evidence import Evidence
from hotdesk.core.lifecycle.idleness import FRESH, ROUGHLY, Active, Due, Signs, Unsure, Verdict, Warn, judge
from hotdesk.core.terms import Terms

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
TERMS = Terms(idle_timeout=HOUR, warn_before=10 * MINUTE, retention=None, max_lifetime=None)
LONG = timedelta(days=9)


def running(**told: Any) -> Workspace:
    return workspace(machine="i-1", phase="Running", claimed_at=NOW, ready_at=NOW, **told)


def signs(of: Workspace, *, warned_for: timedelta = LONG, is_probed: bool = False, **seen: Any) -> Signs:
    evidence = Evidence(machine="i-1", **seen) if seen else None
    return Signs(workspace=of, evidence=evidence, warned_for=warned_for, is_probed=is_probed, handed_over_at=NOW)


def warned(*, at: datetime, stop_at: datetime, since: datetime = NOW, **told: Any) -> Workspace:
    return running(next=Next(action="Stop", at=stop_at, reason="idle", warned_at=at, since=since), **told)


def test_who_has_just_got_a_machine_is_left_alone_until_the_warning_is_due():
    assert judge(signs(running()), TERMS, now=NOW + MINUTE) == Active(until=NOW + 50 * MINUTE, stop_at=NOW + HOUR)


def test_a_warning_comes_before_every_stop():
    verdict = judge(signs(running()), TERMS, now=NOW + 5 * HOUR)
    assert isinstance(verdict, Warn)
    assert verdict.stop_at == NOW + 5 * HOUR + 10 * MINUTE


def test_a_warning_that_was_given_long_enough_ago_leads_to_the_stop():
    asked = warned(at=NOW + 50 * MINUTE, stop_at=NOW + HOUR)
    assert judge(signs(asked), TERMS, now=NOW + HOUR) == Due("Idle")


def test_nobody_is_stopped_before_the_time_that_was_announced():
    asked = warned(at=NOW + 50 * MINUTE, stop_at=NOW + HOUR)
    assert judge(signs(asked), TERMS, now=NOW + HOUR - MINUTE) == Active(until=NOW + HOUR, stop_at=NOW + HOUR)


def test_a_clock_that_steps_forward_after_the_warning_stops_nobody():
    asked = warned(at=NOW + 50 * MINUTE, stop_at=NOW + HOUR)
    verdict = judge(signs(asked, warned_for=MINUTE), TERMS, now=NOW + 9 * HOUR)
    assert isinstance(verdict, Active)


def test_activity_after_the_warning_averts_the_stop():
    asked = warned(at=NOW + 50 * MINUTE, stop_at=NOW + HOUR, last_activity_time=NOW + 55 * MINUTE)
    assert isinstance(judge(signs(asked), TERMS, now=NOW + HOUR), Active)


@given(off_by=st.timedeltas(min_value=-ROUGHLY, max_value=ROUGHLY))
def test_a_machine_that_tells_of_the_same_work_a_second_later_is_stopped_all_the_same(off_by: timedelta):
    asked = warned(at=NOW + 55 * MINUTE, stop_at=NOW + 65 * MINUTE, since=NOW + 5 * MINUTE)
    now = NOW + 65 * MINUTE
    seen = {"at": now, "last_input": NOW + 5 * MINUTE + off_by}
    assert judge(signs(asked, is_probed=True, **seen), TERMS, now=now) == Due("Idle")


def test_work_that_a_machine_saw_soon_after_the_warning_averts_the_stop_also_with_the_shortest_times():
    quick = Terms(idle_timeout=4 * SECOND, warn_before=2 * SECOND, retention=None, max_lifetime=None)
    asked = warned(at=NOW + 2 * SECOND, stop_at=NOW + 4 * SECOND)
    seen = {"at": NOW + 4 * SECOND, "last_input": NOW + 2.1 * SECOND}
    verdict = judge(signs(asked, is_probed=True, **seen), quick, now=NOW + 4 * SECOND)
    assert not isinstance(verdict, Due)


def test_a_machine_that_does_not_answer_is_neither_warned_nor_stopped():
    asked = warned(at=NOW + 50 * MINUTE, stop_at=NOW + HOUR)
    silent = signs(asked, is_probed=True, at=NOW + HOUR, failure="it refuses connections")
    verdict = judge(silent, TERMS, now=NOW + HOUR)
    assert isinstance(verdict, Unsure)
    assert verdict.because == "it refuses connections"
    unasked = signs(running(), is_probed=True)
    assert isinstance(judge(unasked, TERMS, now=NOW + 2 * HOUR), Unsure)


def test_an_answer_from_long_ago_says_nothing_about_now():
    asked = warned(at=NOW + 50 * MINUTE, stop_at=NOW + HOUR)
    stale = signs(asked, is_probed=True, at=NOW + HOUR - FRESH - MINUTE)
    assert isinstance(judge(stale, TERMS, now=NOW + HOUR), Unsure)
    fresh = signs(asked, is_probed=True, at=NOW + HOUR - MINUTE)
    assert judge(fresh, TERMS, now=NOW + HOUR) == Due("Idle")


def test_busy_processors_prolong_but_not_for_ever():
    seen = {"busy_since": NOW, "busy_for_at_most": 3 * HOUR}
    busy = signs(running(), at=NOW + 2 * HOUR, **seen)
    assert isinstance(judge(busy, TERMS, now=NOW + 2 * HOUR), Active)
    at_length = signs(running(), at=NOW + 5 * HOUR, **seen)
    assert isinstance(judge(at_length, TERMS, now=NOW + 5 * HOUR), Warn)


def test_the_longest_life_ends_even_a_machine_in_use_after_a_warning():
    terms = Terms(idle_timeout=None, warn_before=10 * MINUTE, retention=None, max_lifetime=12 * HOUR)
    at_work = running(last_activity_time=NOW + 12 * HOUR)
    assert isinstance(judge(signs(at_work), terms, now=NOW + 12 * HOUR - MINUTE), Warn)
    asked = warned(at=NOW + 11 * HOUR, stop_at=NOW + 12 * HOUR, last_activity_time=NOW + 12 * HOUR)
    assert judge(signs(asked), terms, now=NOW + 12 * HOUR) == Due("MaxLifetime")


def test_who_is_to_be_halted_needs_no_warning():
    asked = running()
    halted = asked.model_copy(update={"spec": asked.spec.model_copy(update={"run_strategy": "Halted"})})
    assert judge(signs(halted), TERMS, now=NOW) == Due("Halted")


steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 90)),  # minutes
        st.tuples(st.just("work"), st.integers(0, 3)),  # a beat, recorded so many minutes late
        st.tuples(st.just("answer"), st.booleans()),  # the machine is asked, and answers or not
        st.tuples(st.just("step"), st.integers(-600, 600)),  # the operator's wall clock, minutes
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=40,
)


class Room:
    """One workspace on true time, and an operator whose clock and memory are not to be trusted."""

    def __init__(self, *, is_probed: bool) -> None:
        self.true = timedelta()
        self.skew = timedelta()
        self.is_probed = is_probed
        self.workspace = running()
        self.evidence: Evidence | None = None
        self.warned_since: timedelta | None = None
        self.worked = timedelta()
        self.recorded = timedelta()  # when activity was last recorded
        self.warned_at = timedelta()
        self.pending: list[tuple[timedelta, datetime]] = []  # beats that are not recorded yet

    @property
    def now(self) -> datetime:
        return NOW + self.true + self.skew

    def wait(self, minutes: int) -> None:
        for _ in range(minutes):
            self.true += MINUTE
            self.decide()

    def work(self, late: int) -> None:
        self.worked = self.true
        self.pending.append((self.true + late * MINUTE, NOW + self.true))

    def answer(self, *, does: bool) -> None:
        last = NOW + self.worked if self.worked else None
        said: dict[str, Any] = {"last_input": last, "source": "CodeServer"} if does else {"failure": "no answer"}
        self.evidence = Evidence(machine="i-1", at=self.now, **said)

    def step(self, minutes: int) -> None:
        self.skew += minutes * MINUTE

    def restart(self) -> None:
        self.evidence = None
        self.warned_since = self.true if self.warned_since is not None else None

    def decide(self) -> None:
        for due, at in [beat for beat in self.pending if beat[0] <= self.true]:
            self.pending.remove((due, at))
            known = self.workspace.status.last_activity_time
            if at > (known or NOW):
                self.tell(last_activity_time=at)
                self.recorded = self.true
        verdict = self.judged()
        match verdict:
            case Warn(stop_at=stop_at, since=since):
                self.tell(next=Next(action="Stop", at=stop_at, reason="idle", warned_at=self.now, since=since))
                self.warned_since = self.warned_at = self.true
            case Due():
                # Who comes back in the very last moments, before it is recorded, is woken at once.
                assert self.warned_at - self.recorded >= timedelta(), "stopped though active since the warning"
                assert self.true - self.warned_at >= TERMS.warn_before, "stopped too soon after the warning"
                self.tell(next=None)
                self.warned_since = None
            case Unsure():
                pass
            case Active(stop_at=stop_at):
                ahead = self.workspace.status.next
                if ahead is not None and stop_at is not None and stop_at > ahead.at:
                    self.tell(next=None)
                    self.warned_since = None

    def judged(self) -> Verdict:
        warned_for = timedelta() if self.warned_since is None else self.true - self.warned_since
        return judge(
            Signs(
                workspace=self.workspace,
                evidence=self.evidence,
                warned_for=warned_for,
                is_probed=self.is_probed,
                handed_over_at=NOW,
            ),
            TERMS,
            now=self.now,
        )

    def tell(self, **changes: Any) -> None:
        status = self.workspace.status.model_copy(update=changes)
        self.workspace = self.workspace.model_copy(update={"status": status})


@given(told=steps, is_probed=st.booleans())
def test_nobody_at_work_since_the_warning_is_stopped(told: list[tuple[str, Any]], is_probed: bool):  # noqa: FBT001
    room = Room(is_probed=is_probed)
    for what, value in told:
        match what:
            case "wait":
                room.wait(value)
            case "work":
                room.work(value)
            case "answer":
                room.answer(does=value)
            case "step":
                room.step(value)
            case _:
                room.restart()
