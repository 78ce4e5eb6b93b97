"""Which machines are asked who is at work there, and which of them soon."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Workspace
from hotdesk.core.evidence import Question
from hotdesk.core.lifecycle.idleness import is_probed
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.standing import Standing
from hotdesk.core.terms import Terms, terms_of

_SOON = timedelta(seconds=15)
_QUIET = 0.5  # of the time until the warning: CloudWatch charges for each machine, so it is asked from then on


def plan_questions(facts: PoolFacts, *, now: datetime) -> Iterator[Question]:
    """Return a question for every machine in use on which somebody may idle too long."""
    for name in facts.by_standing[Standing.CLAIMED]:
        question = _question(facts, name, now=now)
        if question is not None:
            yield question


def changed_questions(facts: PoolFacts, *, now: datetime) -> Mapping[str, Question | None]:
    """Return the questions that may have changed since the last call, by machine; None: it is not asked any more."""
    return {name: _question(facts, name, now=now) for name in facts.questions.take(now=now)}


def _question(facts: PoolFacts, name: str, *, now: datetime) -> Question | None:
    pool, machine = facts.pool, facts.machines.get(name)
    if pool is None or pool.spec.activity is None or not is_probed(pool):
        return None
    if machine is None or facts.standings.get(name) is not Standing.CLAIMED:
        return None
    users = [facts.workspaces[c.workspace.uid] for c in machine.spec.claims if c.workspace.uid in facts.workspaces]
    terms = [terms_of(user, pool) for user in users if user.status.phase == "Running"]
    timeouts = [term.idle_timeout for term in terms if term.idle_timeout is not None]
    if machine.spec.stop is not None or not timeouts or machine.status.private_ip is None:
        return None
    near = [moment for user in users if (moment := _near(user, terms_of(user, pool))) is not None]
    activity = pool.spec.activity
    quiet = [moment for user in users if (moment := _quiet(user, facts, now=now)) is not None] if activity.cpu else []
    if activity.cpu is not None and not any(now >= moment for moment in quiet):
        activity = activity.model_copy(update={"cpu": None})
    ahead = min((moment for moment in (*near, *quiet) if moment > now), default=None)
    if ahead is not None:
        facts.questions.put(name, ahead)
    return Question(
        machine=name,
        ip=machine.status.private_ip,
        activity=activity,
        region=pool.spec.aws.region,
        endpoint_url=pool.spec.aws.endpoint_url,
        role_arn=pool.spec.aws.role_arn,
        idle_timeout=min(timeouts),
        is_urgent=any(now >= moment for moment in near),
    )


def _near(user: Workspace, terms: Terms) -> datetime | None:
    """Return from when on a warning or a stop is about to be decided, as far as the last word told goes."""
    ahead = user.status.next
    return ahead.at - terms.warn_before - _SOON if ahead is not None and ahead.action == "Stop" else None


def _quiet(user: Workspace, facts: PoolFacts, *, now: datetime) -> datetime | None:
    """Return when nobody has been seen for so long that busy processors may soon matter; they do not count here.

    If they did, they would hide the very quiet for which they are asked about.
    """
    if facts.pool is None or user.status.phase != "Running":
        return None
    terms = terms_of(user, facts.pool)
    if terms.idle_timeout is None:
        return None
    answer = facts.life.evidence.get(user.status.machine or "")
    signs = (user.status.ready_at, user.status.last_activity_time, answer.last_input if answer is not None else None)
    seen = max((sign for sign in signs if sign is not None), default=None)
    return now if seen is None else seen + _QUIET * (terms.idle_timeout - terms.warn_before)
