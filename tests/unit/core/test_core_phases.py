"""What a workspace is told next, where its machine runs."""

from datetime import datetime, timedelta

from factories import NOW, bound, claim, facts, machine, machine_id, pool
from hotdesk.api.v1alpha1 import Activity, CodeServerProbe, Lifecycle, Next
from hotdesk.core.actions import ReportWorkspace
from hotdesk.core.evidence import Evidence
from hotdesk.core.lifecycle.phases import plan_lives
from hotdesk.core.pool_facts import PoolFacts

MINUTE = timedelta(minutes=1)
WORKED = NOW + 7 * MINUTE
WARNED = NOW + 57 * MINUTE
STOP = NOW + 67 * MINUTE


def seen_after_warning(last_input: datetime, *, at: datetime) -> PoolFacts:
    """Build a pool whose one user was warned, and whose editor says when somebody last worked there."""
    ahead = Next(action="Stop", at=STOP, reason="idle", warned_at=WARNED, since=WORKED)
    known = facts(
        machine(1, claims=[claim()]),
        workspaces=[bound(machine=machine_id(1), next=ahead)],
        of=pool(lifecycle=Lifecycle(), activity=Activity(code_server=CodeServerProbe(port=8080))),
        detached=[1],
    )
    name = machine_id(1)
    known.life.evidence[name] = Evidence(machine=name, at=at, source="CodeServer", last_input=last_input)
    return known


def test_work_from_before_a_warning_does_not_take_the_warning_back():
    now = WARNED + MINUTE
    assert list(plan_lives(seen_after_warning(WORKED, at=now), now=now)) == []


def test_work_since_a_warning_takes_it_back():
    now = WARNED + 2 * MINUTE
    (action,) = plan_lives(seen_after_warning(WARNED + MINUTE, at=now), now=now)
    assert isinstance(action, ReportWorkspace)
    assert action.status.last_activity_time == WARNED + MINUTE
    assert action.status.next is not None
    assert action.status.next.warned_at is None
