"""What a pool is told: its counts, and the first thing that is wrong with the fix beside it."""

from dataclasses import replace

import pytest

from factories import NOW, after, buffer_of, claim, facts, machine, workspace
from factories import pool as make_pool
from hotdesk.api.conditions import find_condition
from hotdesk.api.v1alpha1 import MachinePoolStatus
from hotdesk.core.eligibility import Surroundings
from hotdesk.core.facts import FailureCause, LaunchFailure
from hotdesk.core.group.capacity import Rise, size
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.pool_status import PoolReport, Trouble, status_of, worth_writing


def told(known: PoolFacts, *, at: float = 0, **learned) -> MachinePoolStatus:
    sizing, _ = size(known, waiting=len(known.waiting), rise=Rise(machines=0, at=NOW), now=NOW)
    report = PoolReport(
        sizing=sizing, set_up_faults=(), troubles=(), failures=(), stats=None, capacity_call=None, quarantine=None
    )
    assert known.pool is not None
    return status_of(known.pool, known, replace(report, **learned), now=after(at))


def condition(status: MachinePoolStatus, kind: str) -> tuple[str, str, str]:
    found = find_condition(status.conditions, kind)
    assert found is not None
    return found.status, found.reason, found.message


FULL = [machine(1), machine(2)]


def test_counts_are_those_of_the_facts():
    known = facts(
        machine(1, slots=3, claims=[claim("a")], in_group=False),
        machine(2, slots=3),
        machine(3, slots=3, ready_at=None, phase="Booting"),
        machine(4, phase="Quarantined"),
        detached=[1],
        workspaces=[workspace("w")],
        desired=7,
    )
    status = told(known)
    counts = status.model_dump(exclude={"conditions", "claims", "capacity_call", "selector", "today"})
    assert counts == {
        "observed_generation": 1,
        "idle": 5,
        "target": 2,
        "booting": 3,
        "claimed": 1,
        "waiting": 1,
        "quarantined": 1,
        "stopped": 0,
        "desired": 7,
        "machines": 4,
    }


def test_a_full_buffer_is_ready():
    assert condition(told(facts(*FULL)), "Ready")[:2] == ("True", "BufferFull")


@pytest.mark.parametrize(
    ("reason", "known", "learned", "says"),
    [
        ("Filling", facts(machine(1)), {}, "1 more idle slots"),
        ("AtMaxMachines", facts(machine(1), of=make_pool(max_machines=1)), {}, "raise spec.maxMachines"),
        ("Deleting", facts(*FULL, of=make_pool(deleted_at=NOW)), {}, "Waiting for 2 machines"),
        ("Paused", facts(*FULL, of=make_pool(paused=True)), {}, "set spec.paused to false"),
        ("MachinesNotReady", facts(*FULL), {"quarantine": "3 in a row."}, "3 in a row."),
        ("SettingsWrong", facts(*FULL), {"set_up_faults": ("process X runs: suspend it.",)}, "Process X runs"),
        ("PermissionDenied", facts(*FULL), {"troubles": (Trouble("PermissionDenied", "Allow it."),)}, "Allow it."),
        ("Throttled", facts(*FULL), {"troubles": (Trouble("Throttled", "Slow."),)}, "Slow."),
    ],
)
def test_what_is_wrong_is_named(reason: str, known: PoolFacts, learned, says: str):
    status, found, message = condition(told(known, **learned), "Ready")
    assert (status, found) == ("False", reason)
    assert says in message


def test_while_people_wait_without_a_buffer_it_is_not_ready():
    known = facts(
        machine(1, claims=[claim()]),
        of=make_pool(max_machines=1, buffer=buffer_of(0)),
        workspaces=[workspace("w")],
    )
    assert condition(told(known), "Ready")[:2] == ("False", "AtMaxMachines")


def test_a_group_that_does_not_exist_is_named_with_its_region():
    known = facts()
    known.observe(replace(known.observation, group=None))
    status, reason, message = condition(told(known), "GroupConfigured")
    assert (status, reason) == ("False", "GroupNotFound")
    assert "desk does not exist in eu-west-1" in message


def test_a_group_nobody_has_looked_at_is_unknown():
    known = PoolFacts(name="pool")
    known.set_pool(make_pool())
    assert condition(told(known), "GroupConfigured")[:2] == ("Unknown", "NotObserved")


def test_a_group_of_an_older_pool_is_named_before_all():
    known = facts(*FULL)
    known.set_surroundings(Surroundings(rival="elder"))
    status, reason, message = condition(told(known, set_up_faults=("x",)), "GroupConfigured")
    assert (status, reason) == ("False", "GroupInUse")
    assert "Pool elder manages" in message


@pytest.mark.parametrize("cause", list(FailureCause))
def test_a_failed_launch_is_named_with_what_mends_it(cause: FailureCause):
    failure = LaunchFailure(at=NOW, cause=cause, message="AWS said no.")
    status, reason, message = condition(told(facts(machine(1)), failures=(failure,)), "CapacityAvailable")
    assert (status, reason) == ("False", cause.value)
    assert message.startswith("AWS said no. To mend it: ")


def test_schedules_that_cannot_be_obeyed_are_told():
    known = facts(*FULL)
    known.set_surroundings(Surroundings(schedule_fault="Schedules a and b overlap."))
    assert condition(told(known), "Ready") == ("False", "InvalidSchedule", "Schedules a and b overlap.")


def test_a_deletion_names_who_holds_machines():
    held = [machine(n, claims=[claim(f"w{n}")]) for n in range(7)]
    message = condition(told(facts(*held, of=make_pool(deleted_at=NOW))), "Ready")[2]
    assert "team/w0, team/w1, team/w2, team/w3, team/w4 and 2 more. Delete them." in message


def test_nothing_new_is_not_worth_a_write():
    known = facts(*FULL)
    first = told(known)
    known.set_pool(make_pool(version=2, status=first))
    assert not worth_writing(first, told(known, at=60))
    assert worth_writing(MachinePoolStatus(), first)


def test_the_time_of_a_condition_moves_with_its_status_only():
    known = facts(*FULL)
    first = told(known)
    known.set_pool(make_pool(version=2, status=first))
    later = told(known, at=60, quarantine="Broken.")
    times = {c.type: c.last_transition_time for c in later.conditions}
    steady = ("GroupConfigured", "CapacityAvailable", "NoLeaks", "Paused")
    assert times == {**dict.fromkeys(steady, NOW), "Ready": after(60)}
