"""Who is asked who is at work, how soon, and when CloudWatch, which charges for it."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import after, bound, claim, facts, ip_of, machine, machine_id, pool, workspace
from hotdesk.api.v1alpha1 import Activity, CodeServerProbe, CpuEvidence, Lifecycle, Next, Stop
from hotdesk.core.evidence import Evidence
from hotdesk.core.lifecycle.asking import changed_questions, plan_questions

CODE_SERVER = CodeServerProbe(port=8080)
BOTH = Activity(code_server=CODE_SERVER, cpu=CpuEvidence())
CPU = Activity(cpu=CpuEvidence())
HOUR = Lifecycle(idle_timeout=timedelta(hours=1), warn_before=timedelta(minutes=10))
QUIET = 25 * 60  # seconds: half of the 50 minutes until the warning


def questions(*users, at, activity=BOTH, lifecycle=HOUR, evidence=None, **kept):
    """Return what is asked about the machine that these share, so many seconds later."""
    users = users or (bound(machine=machine_id(1)),)
    desk = machine(1, slots=len(users), claims=[claim(user, slot=slot) for slot, user in enumerate(users)])
    desk = desk.model_copy(update={"spec": desk.spec.model_copy(update=kept)})
    known = facts(desk, of=pool(activity=activity, lifecycle=lifecycle), workspaces=users, detached=[1])
    if evidence is not None:
        known.life.evidence[machine_id(1)] = evidence
    return list(plan_questions(known, now=after(at)))


def test_a_machine_in_use_is_asked_at_its_address_about_its_most_impatient_user():
    hasty = bound("hasty", machine=machine_id(1), slot=1)
    hasty = hasty.model_copy(update={"spec": hasty.spec.model_copy(update={"idle_timeout": timedelta(minutes=20)})})
    (asked,) = questions(bound(machine=machine_id(1)), hasty, at=0)
    assert (asked.machine, asked.ip, asked.region) == (machine_id(1), ip_of(1), "eu-west-1")
    assert asked.idle_timeout == timedelta(minutes=20)
    assert asked.activity.code_server == CODE_SERVER
    assert not asked.is_urgent


@pytest.mark.parametrize("activity", [None, Activity()])
def test_where_the_pool_names_nothing_to_ask_nobody_is_asked(activity):
    assert questions(at=0, activity=activity) == []


def test_who_is_never_stopped_for_idleness_and_who_is_being_stopped_is_not_asked_about():
    assert questions(at=0, lifecycle=None) == []
    assert questions(at=0, stop=Stop(reason="Idle", at=after(0))) == []
    assert questions(bound(machine=machine_id(1), phase="Stopping"), at=0) == []


def test_a_machine_that_nobody_uses_is_not_asked():
    known = facts(machine(1), of=pool(activity=BOTH, lifecycle=HOUR), workspaces=[workspace()])
    assert list(plan_questions(known, now=after(0))) == []


def test_shortly_before_a_warning_or_a_stop_it_is_urgent():
    told = bound(machine=machine_id(1), next=Next(action="Stop", at=after(3600), reason="idle", since=after(0)))
    assert [questions(told, at=moment)[0].is_urgent for moment in (2984, 2985, 3599)] == [False, True, True]


def test_cloudwatch_is_asked_only_where_nobody_has_been_seen_for_a_while():
    assert [questions(at=moment)[0].activity.cpu is not None for moment in (0, QUIET - 1, QUIET)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("told", "evidence"),
    [
        ({"last_activity_time": after(1000)}, None),
        ({}, Evidence(machine=machine_id(1), at=after(1001), source="CodeServer", last_input=after(1000))),
    ],
)
def test_every_sign_of_life_puts_it_off(told, evidence):
    user = bound(machine=machine_id(1), **told)
    asked = [questions(user, at=1000 + moment, evidence=evidence) for moment in (QUIET - 1, QUIET)]
    assert [found[0].activity.cpu is not None for found in asked] == [False, True]


def test_busy_processors_are_no_sign_of_life_that_would_keep_them_from_being_asked_about():
    busy = Evidence(machine=machine_id(1), at=after(3000), busy_since=after(100), busy_for_at_most=timedelta(hours=12))
    assert questions(at=3001, evidence=busy)[0].activity.cpu is not None


def test_one_quiet_user_of_a_shared_machine_is_enough():
    lively = bound("lively", machine=machine_id(1), slot=1, last_activity_time=after(QUIET))
    assert questions(bound(machine=machine_id(1)), lively, at=QUIET)[0].activity.cpu is not None
    assert questions(lively, at=QUIET)[0].activity.cpu is None
    assert questions(lively, at=QUIET, activity=CPU)[0].activity == Activity()


HAPPENINGS = ["told", "active", "stopping", "running", "gone", "stop", "evidence", "pool", "none"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(HAPPENINGS), st.integers(1, 1500)), max_size=25))
def test_what_changed_adds_up_to_all_that_is_asked(events):
    users = {number: bound(f"w{number}", machine=machine_id(number)) for number in (1, 2, 3)}
    desks = [machine(number, claims=[claim(user)]) for number, user in users.items()]
    known = facts(*desks, of=pool(activity=BOTH, lifecycle=HOUR), workspaces=users.values(), detached=[1, 2, 3])
    asked, now = {}, 0
    for version, (number, event, seconds) in enumerate(events, start=1000):
        now += seconds
        user = known.workspaces.get(users[number].metadata.uid)
        if user is not None:
            happen(known, user, event, number=number, version=str(version), now=after(now))
        asked |= changed_questions(known, now=after(now))
        there = {name: question for name, question in asked.items() if question is not None}
        assert there == {question.machine: question for question in plan_questions(known, now=after(now))}
        assert changed_questions(known, now=after(now)) == {}


def happen(known, user, event, *, number, version, now):
    """Let something happen to a workspace, its machine, or the pool of both."""
    name = machine_id(number)
    told = {
        "told": {"next": Next(action="Stop", at=now + timedelta(minutes=20), reason="idle")},
        "active": {"last_activity_time": now},
        "stopping": {"phase": "Stopping"},
        "running": {"phase": "Running"},
    }
    if event in told:
        known.upsert_workspace(newer(user, version, status=user.status.model_copy(update=told[event])))
    elif event == "gone":
        known.remove_workspace(user.metadata.uid)
    elif event == "stop":
        desk = known.machines[name]
        stop = Stop(reason="Idle", at=now)
        known.upsert_machine(newer(desk, version, spec=desk.spec.model_copy(update={"stop": stop})))
    elif event == "evidence":
        known.life.evidence[name] = Evidence(machine=name, at=now, source="CodeServer", last_input=now)
        known.questions.doubt(name)
    elif event == "pool":
        activity = CPU if known.pool.spec.activity == BOTH else BOTH
        known.set_pool(newer(known.pool, version, spec=known.pool.spec.model_copy(update={"activity": activity})))


def newer(thing, version, **changes):
    metadata = thing.metadata.model_copy(update={"resource_version": version})
    return thing.model_copy(update={"metadata": metadata, **changes})
