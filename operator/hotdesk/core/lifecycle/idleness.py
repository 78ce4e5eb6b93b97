"""Whether somebody is at work, and what follows: nothing, a warning, or a stop.

Nobody who is active is stopped: what is not known never counts as idle, a stop needs a warning that was given long
enough ago on two clocks, and a fresh answer from the machine wherever one can be asked for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import MachinePool, StopReason, Workspace
from hotdesk.core.evidence import Evidence
from hotdesk.core.terms import Terms, woken_at

FRESH = timedelta(minutes=3)
"""An answer from a machine that is older says nothing about now."""
ROUGHLY = timedelta(seconds=3)
"""How exactly a machine tells when somebody worked: a second, as it tells an age in seconds, and two for its answer."""
_ASK_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Signs:
    """Everything that is known of one workspace's activity."""

    workspace: Workspace
    evidence: Evidence | None  # the latest answer of its machine
    warned_for: timedelta  # how long this process has known of the warning, on a clock that never steps
    is_probed: bool  # whether its pool names a program to ask
    handed_over_at: datetime
    used_up_at: datetime | None = None  # when its owner's minutes of the day are used up; None: not today

    @property
    def last_activity(self) -> tuple[datetime, str]:
        """Return when somebody was last at work, and what says so; being handed over counts."""
        told = self.workspace.status
        signs = [(self.handed_over_at, "it was handed over")]
        if told.last_activity_time is not None:
            signs.append((told.last_activity_time, told.activity_source or "activity"))
        if self.evidence is not None and self.evidence.last_input is not None:
            signs.append((self._same_or_new(self.evidence.last_input), self.evidence.source or "activity"))
        woken = woken_at(self.workspace)
        if woken is not None:
            signs.append((woken, "it was woken"))
        return max(signs)

    def _same_or_new(self, seen: datetime) -> datetime:
        """Return what the warning was decided from, if the machine tells of the same once more: else it voids itself.

        Whoever came back after the warning is much later than what it was decided from.
        """
        told = self.workspace.status.next
        if told is None or told.since is None or told.warned_at is None:
            return seen
        is_same = abs(seen - told.since) <= min(ROUGHLY, (told.warned_at - told.since) / 2)
        return told.since if is_same else seen


@dataclass(frozen=True, slots=True)
class Active:
    """Leave it; look again at `until`."""

    until: datetime
    stop_at: datetime | None  # when it would be stopped if nothing happened; None: never


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell its user that it is going to be stopped."""

    stop_at: datetime
    reason: str
    since: datetime  # the last activity known


@dataclass(frozen=True, slots=True)
class Due:
    """Stop it."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class Unsure:
    """Leave it, because the machine does not say whether anybody works there; look again at `until`."""

    until: datetime
    because: str | None  # why there is no answer; None: there has not been time for one


Verdict = Active | Unsure | Warn | Due


def judge(signs: Signs, terms: Terms, *, now: datetime) -> Verdict:
    """Return what is to be done about a workspace that runs."""
    workspace = signs.workspace
    if workspace.spec.run_strategy == "Halted":
        return Due("Halted")
    deadline = _deadline(signs, terms, now=now)
    if deadline is None:
        return Active(until=datetime.max.replace(tzinfo=now.tzinfo), stop_at=None)
    stop_at, reason, sentence, since = deadline
    if now < stop_at - terms.warn_before:
        return Active(until=stop_at - terms.warn_before, stop_at=stop_at)
    if reason == "Idle" and not _is_known(signs, now=now):
        return Unsure(until=now + _ASK_AGAIN, because=signs.evidence.failure if signs.evidence is not None else None)
    told = workspace.status.next
    # Activity since a warning has made it void, whatever the clocks of those who saw it and ours say of its time.
    if told is None or told.action != "Stop" or told.warned_at is None or told.since != since:
        return Warn(stop_at=max(stop_at, now + terms.warn_before), reason=sentence, since=since)
    if now < told.at or signs.warned_for < terms.warn_before:
        return Active(until=max(told.at, now + terms.warn_before - signs.warned_for), stop_at=told.at)
    return Due(reason)


def is_probed(pool: MachinePool) -> bool:
    """Tell whether the pool names something that can be asked: a program, or CloudWatch."""
    activity = pool.spec.activity
    return activity is not None and any((activity.code_server, activity.jupyter, activity.http, activity.cpu))


def _deadline(signs: Signs, terms: Terms, *, now: datetime) -> tuple[datetime, StopReason, str, datetime] | None:
    """Return when the machine is to be stopped, why, the sentence for its user, and from when on it is reckoned."""
    found: list[tuple[datetime, StopReason, str, datetime]] = []
    if terms.idle_timeout is not None:
        since, source = signs.last_activity
        active_at = max(since, _busy_until(signs, since=since))
        # A sign from the future is a clock that is ahead: it counts as now, and passes.
        active_at = min(active_at, now)
        sentence = (
            f"nobody has been active since {active_at:%Y-%m-%d %H:%M} UTC ({source}): any activity keeps the machine"
        )
        found.append((active_at + terms.idle_timeout, "Idle", sentence, since))
    started = signs.workspace.status.ready_at
    if terms.max_lifetime is not None and started is not None:
        sentence = f"it has run since {started:%Y-%m-%d %H:%M} UTC, as long as the pool's maxLifetime allows"
        found.append((started + terms.max_lifetime, "MaxLifetime", sentence, started))
    if signs.used_up_at is not None:
        sentence = "the minutes that the pool allows one owner in a day are used up; it may go on at midnight UTC"
        # Reckoned from its hand-over: the time itself moves whenever another one of the owner starts or stops.
        found.append((signs.used_up_at, "Quota", sentence, signs.handed_over_at))
    return min(found, default=None)


def _busy_until(signs: Signs, *, since: datetime) -> datetime:
    """Return until when busy processors count as activity: they prolong it, for so long at most."""
    evidence = signs.evidence
    if evidence is None or evidence.busy_since is None or evidence.busy_for_at_most is None:
        return since
    return min(evidence.at, since + evidence.busy_for_at_most)


def _is_known(signs: Signs, *, now: datetime) -> bool:
    """Tell whether the machine itself has just said that nobody works there, where it can be asked."""
    if not signs.is_probed:
        return True
    evidence = signs.evidence
    return evidence is not None and evidence.failure is None and now - evidence.at <= FRESH
