"""Which changes are told, in which words; what is told once is not told again."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after, bound, claim, machine, machine_id, pool, workspace
from hotdesk.api.conditions import Condition
from hotdesk.api.v1alpha1 import (
    BackupRecord,
    Machine,
    MachinePool,
    MachinePoolStatus,
    Stop,
    StopReason,
    Workspace,
    WorkspaceStatus,
)
from hotdesk.api.v1alpha1.lifecycle import Notifications, SecretKey, Webhook
from hotdesk.api.v1alpha1.workspace import Next, QueuePosition
from hotdesk.core import workspace_status
from hotdesk.core.eligibility import Obstacle
from hotdesk.core.lifecycle import told
from hotdesk.core.notices import Notice
from hotdesk.core.notices.pools import notices_of_machine, notices_of_pool
from hotdesk.core.notices.workspaces import notices_of
from hotdesk.core.terms import Terms

HOOK = Webhook(url="https://example.org/hook", secret_ref=SecretKey(name="keys", key="hook"))
TOLD = Notifications(webhook=HOOK)
POOL = pool(notifications=TOLD)
MACHINE = machine_id(1)
BACKUP = BackupRecord(id="snap-1", method="EBSSnapshot", completed_at=NOW)
PHASES = ("Pending", "Starting", "Running", "Stopping", "Stopped", "Restoring", "Archiving", "Archived", "Failed")


def condition(kind: str, status: str, reason: str, message: str = "Because.", *, at: datetime = NOW) -> Condition:
    return Condition.model_validate(
        {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}
    )


def there(phase: str, *conditions: Condition, **told: Any) -> Workspace:
    return bound(machine=MACHINE, phase=phase, conditions=conditions, **told)


def gone(phase: str, *conditions: Condition, **told: Any) -> Workspace:
    return workspace(phase=phase, observed_generation=1, conditions=conditions, **told)


def told_of(before: Workspace | None, now: Workspace) -> tuple[Notice, ...]:
    return notices_of(before, now, pool=POOL, now=after(5))


def only(before: Workspace | None, now: Workspace) -> Notice:
    (notice,) = told_of(before, now)
    return notice


def reasons(before: Workspace | None, now: Workspace) -> list[str]:
    return [notice.reason for notice in told_of(before, now)]


FRESH = workspace()
RUNNING = there("Running", url="http://10.0.0.1:8080/")
QUEUED = workspace(
    status=workspace_status.queued(FRESH, ahead=2, estimated_wait=None, because="all machines are taken.", now=NOW)
)


def test_a_claim_is_told_with_the_machine_and_where_it_is():
    notice = only(FRESH, RUNNING)
    assert (notice.reason, notice.is_warning, notice.send_to) == ("Claimed", False, None)
    assert notice.message == f"Machine {MACHINE} is yours at http://10.0.0.1:8080/."
    assert (notice.kind, notice.namespace, notice.name, notice.uid) == ("Workspace", "team", "demo", "uid-demo")
    assert notice.at == after(5)


def test_a_claim_at_the_next_machine_is_another_notice():
    second = there("Running", claimed_at=after(60))
    assert only(QUEUED, RUNNING).id != only(QUEUED, second).id


def test_the_same_machine_claimed_anew_is_told_again():
    again = there("Running", claimed_at=after(60))
    assert reasons(RUNNING, again) == ["Claimed"]


def test_one_that_nobody_had_looked_at_is_told_as_a_new_one():
    assert only(None, RUNNING) == only(FRESH, RUNNING)
    other = workspace(uid="another", status=RUNNING.status)
    assert reasons(other, RUNNING) == ["Claimed"]


def test_who_waits_is_told_once_and_not_at_each_place():
    notice = only(FRESH, QUEUED)
    assert notice.reason == "Queued"
    assert notice.message == "Number 3 in the queue: all machines are taken."
    nearer = workspace_status.queued(QUEUED, ahead=1, estimated_wait=None, because="all machines are taken.", now=NOW)
    assert told_of(QUEUED, workspace(status=nearer)) == ()


def test_what_holds_a_workspace_back_is_told_whenever_the_reason_is_another():
    quota, gone_pool = Obstacle("QuotaExceeded", "Owner uses 2 of 2."), Obstacle("PoolNotFound", "It is not there.")
    held = workspace(status=workspace_status.held(FRESH, quota, now=NOW))
    more = workspace(status=workspace_status.held(FRESH, Obstacle("QuotaExceeded", "Owner uses 3 of 2."), now=NOW))
    other = workspace(status=workspace_status.held(FRESH, gone_pool, now=NOW))
    assert (only(FRESH, held).reason, only(FRESH, held).message) == ("QuotaExceeded", "Owner uses 2 of 2.")
    assert only(FRESH, held).is_warning
    assert told_of(held, more) == ()
    assert reasons(held, other) == ["PoolNotFound"]


def test_a_paused_pool_is_no_warning_because_it_passes():
    paused = Obstacle("PoolPaused", "It is paused.", stalled=False)
    assert not only(FRESH, workspace(status=workspace_status.held(FRESH, paused, now=NOW))).is_warning


def test_a_lost_machine_is_a_warning_and_its_next_place_in_the_queue_is_told_too():
    lost = workspace(status=workspace_status.lost(RUNNING, now=after(9)))
    notice = only(RUNNING, lost)
    assert (notice.reason, notice.is_warning, notice.send_to) == ("MachineLost", True, TOLD)
    queued = workspace_status.queued(lost, ahead=0, estimated_wait=None, because="all are taken.", now=after(10))
    assert reasons(lost, workspace(status=queued)) == ["Queued"]


WHY = "nobody has been active: any activity keeps it"


def due(action: str = "Stop", *, at: float = 600, warned: float | None = 0) -> Next:
    warned_at = after(warned) if warned is not None else None
    return Next(
        action=action, at=after(at), reason="nobody has been active: any activity keeps it", warned_at=warned_at
    )


def test_a_warning_says_what_happens_when_and_how_to_keep_it_from_happening():
    notice = only(RUNNING, there("Running", next=due(), url="http://10.0.0.1:8080/"))
    assert (notice.reason, notice.is_warning, notice.send_to, notice.pool) == ("StopWarning", True, TOLD, POOL)
    assert notice.key == "2026-03-02T12:10:00Z"
    assert notice.message == (
        "This workspace will be stopped at 2026-03-02 12:10 UTC: nobody has been active: any activity keeps it."
    )


def test_a_deadline_is_warned_of_once_however_often_it_is_written():
    planned, warned = there("Running", next=due(warned=None)), there("Running", next=due())
    assert told_of(RUNNING, planned) == ()
    assert reasons(planned, warned) == ["StopWarning"]
    assert told_of(warned, there("Running", next=due(), last_activity_time=NOW)) == ()
    again = there("Running", next=due(warned=30))
    assert only(warned, again).id == only(planned, warned).id
    later = there("Running", next=due(at=1200, warned=500))
    assert only(warned, later).id != only(planned, warned).id


@pytest.mark.parametrize(
    ("before", "now", "reason", "is_sent"),
    [
        (there("Running"), there("Stopping", stopped_at=NOW), "Stopping", False),
        (there("Stopping"), there("Stopped", stopped_at=NOW), "Stopped", True),
        (there("Stopped", stopped_at=NOW), there("Starting"), "Woken", False),
        (there("Stopping", stopped_at=NOW), there("Starting"), "Woken", False),
        (there("Starting"), there("Running"), "Ready", False),
        (gone("Archived"), there("Restoring"), "Restoring", False),
        (there("Restoring"), there("Running"), "Restored", False),
        (there("Stopped", stopped_at=NOW), there("Archiving", stopped_at=NOW), "Archiving", False),
        (there("Archiving", stopped_at=NOW), gone("Archived", stopped_at=NOW), "Archived", True),
        (there("Running"), there("Failed"), "Failed", True),
    ],
)
def test_each_phase_is_told_when_it_begins(before, now, reason, is_sent):
    notice = only(before, now)
    assert notice.reason == reason
    assert (notice.send_to is not None) == is_sent
    assert notice.is_warning == (reason == "Failed")
    assert notice.message.endswith(".")
    assert told_of(now, now) == ()


def test_nothing_is_sent_where_the_pool_names_nobody():
    (notice,) = notices_of(there("Stopping"), there("Stopped"), pool=pool(), now=NOW)
    assert (notice.send_to, notice.pool) == (None, None)


def test_of_an_archive_that_lies_ahead_nobody_is_warned():
    assert told_of(there("Stopped"), there("Stopped", next=due("Archive"))) == ()


ALIVE = bound(machine=MACHINE, private_ip="10.0.0.1")
RECORD = machine(claims=(claim(ALIVE),))


def resting(reason: StopReason = "Idle", *, run_strategy: str = "OnDemand") -> tuple[Workspace, Workspace, Machine]:
    """Return a workspace that runs, the same being stopped, and the record that says why."""
    spec = ALIVE.spec.model_copy(update={"run_strategy": run_strategy})
    alive = ALIVE.model_copy(update={"spec": spec})
    record = RECORD.model_copy(update={"spec": RECORD.spec.model_copy(update={"stop": Stop(reason=reason, at=NOW)})})
    return alive, workspace_with(alive, told.stopping(alive, machine=record, now=NOW)), record


def workspace_with(of: Workspace, status: WorkspaceStatus) -> Workspace:
    return of.model_copy(update={"status": status})


def test_a_stop_is_told_with_its_cause_and_with_what_may_be_done_meanwhile():
    alive, stopping, _ = resting()
    assert only(alive, stopping).message == (
        f"Machine {MACHINE} is being stopped, because nobody was active. "
        "Whoever returns now has it started again as soon as it has stopped."
    )


def test_who_wants_it_halted_is_told_how_to_go_on():
    alive, stopping, _ = resting("Halted", run_strategy="Halted")
    how = "It starts again when spec.runStrategy is Always, or when it is OnDemand and somebody returns."
    assert only(alive, stopping).message.endswith(how)


def test_nobody_is_told_that_a_return_wakes_what_is_halted():
    _, stopping, record = resting("Halted", run_strategy="Halted")
    terms = Terms(idle_timeout=None, warn_before=timedelta(), retention=timedelta(days=1), max_lifetime=None)
    stopped = workspace_with(stopping, told.stopped(stopping, machine=record, terms=terms, now=after(9)))
    assert only(stopping, stopped).message.endswith("unless spec.runStrategy is changed before.")
    going = workspace_with(stopped, told.archiving(stopped, now=after(10)))
    assert "Whoever returns" not in only(stopped, going).message


@pytest.mark.parametrize("reason", ["Interrupted", "NoCapacity"])
def test_a_machine_that_aws_takes_or_cannot_give_is_a_warning_that_says_what_becomes_of_the_files(reason):
    alive, stopping, _ = resting(reason)
    notice = only(alive, stopping)
    assert (notice.reason, notice.is_warning, notice.send_to) == ("Interrupted", True, TOLD)
    assert notice.message.endswith("go on to another machine.")


def test_what_is_stopped_says_how_to_wake_it_and_until_when():
    _, stopping, record = resting()
    terms = Terms(idle_timeout=None, warn_before=timedelta(), retention=timedelta(days=1), max_lifetime=None)
    stopped = workspace_with(stopping, told.stopped(stopping, machine=record, terms=terms, now=after(9)))
    message = only(stopping, stopped).message
    assert "hotdesk.dev/wake-requested-at" in message
    assert message.endswith("It is archived at 2026-03-03 12:00 UTC unless it is woken before.")
    assert only(stopping, stopped).send_to == TOLD


def test_a_whole_life_is_told_step_by_step_and_no_step_twice():
    _, stopping, record = resting()
    terms = Terms(idle_timeout=None, warn_before=timedelta(), retention=None, max_lifetime=None)
    stopped = workspace_with(stopping, told.stopped(stopping, machine=record, terms=terms, now=after(9)))
    starting = workspace_with(stopped, told.starting(stopped, machine=record, now=after(20)))
    running = workspace_with(starting, told.running(starting, machine=record, pool=POOL, now=after(30)))
    archiving = workspace_with(stopped, told.archiving(stopped, now=after(40)))
    archived = workspace_with(archiving, told.archived(archiving, now=after(50)))
    steps = [ALIVE, stopping, stopped, starting, running]
    assert [only(*pair).reason for pair in pairwise(steps)] == ["Stopping", "Stopped", "Woken", "Ready"]
    assert [only(*pair).reason for pair in pairwise([stopped, archiving, archived])] == ["Archiving", "Archived"]
    assert only(archiving, archived).send_to == TOLD


def test_what_never_had_a_machine_is_sent_to_nobody_when_it_is_halted():
    assert only(FRESH, workspace_with(FRESH, told.resting(FRESH, now=NOW))).send_to is None


def test_what_was_lost_while_it_was_stopped_is_told_once_as_lost():
    _, stopping, _ = resting()
    lost = workspace_with(stopping, told.resting(stopping, now=NOW))
    assert reasons(stopping, lost) == ["MachineLost"]


def test_files_that_do_not_come_back_are_told_once_for_each_way_to_fail():
    restoring = there("Restoring")

    def failed(because: str) -> Workspace:
        return workspace_with(restoring, told.not_restored(restoring, because=because, now=NOW))

    notice = only(restoring, failed("command 1a is late"))
    assert (notice.reason, notice.is_warning, notice.send_to) == ("RestoreFailed", True, TOLD)
    assert notice.message == "The files are not back yet: command 1a is late. It is tried again."
    assert told_of(failed("command 1a is late"), failed("command 2b is late")) == ()
    assert reasons(failed("command 1a is late"), failed("the checksum is wrong")) == ["RestoreFailed"]


def test_the_second_stop_is_another_notice_than_the_first():
    first = only(there("Running"), there("Stopped", stopped_at=NOW))
    second = only(there("Running"), there("Stopped", stopped_at=after(3600)))
    assert first.id != second.id


def test_a_verified_backup_is_told_once():
    before, kept = there("Stopped"), there("Stopped", backup=BACKUP)
    assert (only(before, kept).reason, only(before, kept).message) == ("BackedUp", "The files are saved as snap-1.")
    assert told_of(kept, there("Stopped", backup=BACKUP, last_activity_time=NOW)) == ()


def failing(message: str, reason: str = "BackupFailed") -> Workspace:
    return there("Stopped", condition("BackedUp", "False", reason, message), stopped_at=NOW)


def test_a_backup_that_fails_is_told_once_for_each_way_to_fail():
    notice = only(there("Stopped", stopped_at=NOW), failing("snapshot snap-0a1 failed"))
    assert (notice.reason, notice.is_warning, notice.send_to) == ("BackupFailed", True, TOLD)
    assert notice.message == "Snapshot snap-0a1 failed. It is tried again."
    assert told_of(failing("snapshot snap-0a1 failed"), failing("snapshot snap-9b2 failed")) == ()
    assert reasons(failing("snapshot snap-0a1 failed"), failing("S3 refuses")) == ["BackupFailed"]
    assert reasons(failing("it failed"), failing("it failed", "AgentOffline")) == ["BackupFailed"]


def test_a_backup_under_way_has_not_failed():
    assert told_of(there("Stopped"), there("Stopped", condition("BackedUp", "False", "InProgress"))) == ()


NOTES = st.sampled_from(["", "Because.", "Snapshot snap-1 failed."])
KINDS = st.sampled_from(["Ready", "Stalled", "BackedUp", "Idle"])
CONDITIONS = st.lists(
    st.builds(condition, KINDS, st.sampled_from(["True", "False"]), st.sampled_from(["Idle", "MachineLost"]), NOTES),
    max_size=3,
)


@st.composite
def workspaces(draw: st.DrawFn) -> Workspace:
    moments = st.none() | st.sampled_from([NOW, after(60)])
    return workspace(
        phase=draw(st.sampled_from(PHASES)),
        machine=draw(st.none() | st.sampled_from([MACHINE, machine_id(2)])),
        claimed_at=draw(moments),
        ready_at=draw(moments),
        stopped_at=draw(moments),
        queue=draw(st.none() | st.just(QueuePosition(position=1, ahead=0))),
        next=draw(st.none() | st.builds(due, st.sampled_from(["Stop", "Archive"]))),
        backup=draw(st.none() | st.just(BACKUP)),
        conditions=tuple(draw(CONDITIONS)),
    )


@given(workspaces())
def test_what_did_not_change_is_never_told(seen: Workspace):
    same = Workspace.model_validate(seen.model_dump())
    assert told_of(seen, same) == ()
    moved = seen.model_copy(update={"metadata": seen.metadata.model_copy(update={"resource_version": "99"})})
    assert told_of(seen, moved) == ()


@given(workspaces(), workspaces())
def test_no_change_tells_the_same_thing_twice_and_every_notice_is_a_sentence(before: Workspace, now: Workspace):
    notices = told_of(before, now)
    assert len({notice.id for notice in notices}) == len(notices)
    assert all(notice.message and notice.reason for notice in notices)
    # What another process makes of the same change is the same.
    later = notices_of(before, now, pool=POOL, now=after(999))
    assert [notice.id for notice in later] == [notice.id for notice in notices]


def judged(kind: str, status: str, reason: str, *, at: datetime = NOW) -> MachinePool:
    told = condition(kind, status, reason, "the group is not as it should be: mend it", at=at)
    return pool(status=MachinePoolStatus(conditions=(told,)), notifications=TOLD)


@pytest.mark.parametrize(
    ("kind", "met", "unmet"),
    [
        ("GroupConfigured", "GroupConfigured", "GroupNotConfigured"),
        ("CapacityAvailable", "CapacityAvailable", "CapacityUnavailable"),
    ],
)
def test_a_pool_tells_when_aws_does_not_do_its_part_and_when_it_does_again(kind, met, unmet):
    good, bad = judged(kind, "True", "Fine"), judged(kind, "False", "Denied")
    (warning,) = notices_of_pool(good, bad, now=NOW)
    assert (warning.reason, warning.is_warning, warning.kind, warning.namespace) == (unmet, True, "MachinePool", "")
    assert warning.message == "The group is not as it should be: mend it."
    assert warning.send_to is None
    (relief,) = notices_of_pool(bad, good, now=NOW)
    assert (relief.reason, relief.is_warning) == (met, False)
    (other,) = notices_of_pool(bad, judged(kind, "False", "NotFound"), now=NOW)
    assert other.id != warning.id


def test_a_pool_that_begins_well_tells_nothing_and_one_that_begins_badly_does():
    unknown = judged("GroupConfigured", "Unknown", "NotObserved")
    assert notices_of_pool(pool(), unknown, now=NOW) == ()
    assert notices_of_pool(unknown, judged("GroupConfigured", "True", "Fine"), now=NOW) == ()
    assert notices_of_pool(pool(), judged("GroupConfigured", "True", "Fine"), now=NOW) == ()
    assert len(notices_of_pool(unknown, judged("GroupConfigured", "False", "Denied"), now=NOW)) == 1


def test_what_comes_and_goes_is_one_thing_that_is_told():
    (first,) = notices_of_pool(pool(), judged("GroupConfigured", "False", "Denied"), now=NOW)
    (second,) = notices_of_pool(pool(), judged("GroupConfigured", "False", "Denied", at=after(60)), now=after(60))
    assert first.id == second.id


def quarantined() -> Machine:
    return machine(phase="Quarantined", conditions=(condition("Ready", "False", "DeadlineExceeded", "It was late."),))


def test_a_quarantined_machine_is_told_once():
    (notice,) = notices_of_machine(machine(phase="Booting"), quarantined(), now=NOW)
    assert (notice.kind, notice.reason, notice.is_warning) == ("Machine", "Quarantined", True)
    assert notice.message.startswith("It was late. ")
    assert notices_of_machine(quarantined(), quarantined(), now=NOW) == ()
    assert notices_of_machine(machine(phase="Booting"), machine(phase="Idle"), now=NOW) == ()
