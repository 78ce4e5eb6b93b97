"""The judge keeps quiet about a good history, and finds what is planted in it."""

from dataclasses import replace

import pytest

from chaos.checker import check
from chaos.fences import late_writes
from chaos.history import (
    AwsCall,
    Deed,
    History,
    InstanceChange,
    LeaseSeen,
    Live,
    MachineSeen,
    Order,
    WorkspaceSeen,
    Write,
)
from chaos.takeovers import takeovers

A = WorkspaceSeen(at=11.0, version=110, uid="uid-a", name="a", pool="dev")
B = replace(A, at=12.0, version=120, uid="uid-b", name="b")
M1 = MachineSeen(at=5.0, version=50, name="i-1", pool="dev")
M2 = replace(M1, version=51, name="i-2")
ONE = LeaseSeen(at=1.0, version=10, name="replica-operator", uid="one", holder="operator_x")
TWO = LeaseSeen(at=1.0, version=11, name="replica-operator-2", uid="two", holder="operator-2_y")
JOINED = (
    Write("operator#1", 0.9, 1.0, "create", "leases", "replica-operator", 201, version=10),
    Write("operator-2#2", 0.9, 1.0, "create", "leases", "replica-operator-2", 201, version=11),
)
CLAIM = Write("operator#1", 11.1, 11.1, "patch", "machines", "i-1", 200, guard=50, version=111, pool="dev")
TOLD = Write("operator#1", 11.2, 11.2, "patch", "workspaces/status", "a", 200, guard=110, version=112, pool="dev")

GOOD = History(
    ceilings={"group": 2},
    pools={"dev": "group"},
    probed=frozenset({"dev"}),
    ended=40.0,
    workspaces=(
        A,
        replace(A, at=11.2, version=112, phase="Running", machine="i-1"),
        B,
        replace(B, at=12.2, version=122, phase="Running", machine="i-2"),
        replace(A, at=20.1, version=200, phase="Running", machine="i-1", is_gone=True),
    ),
    machines=(
        M1,
        M2,
        replace(M1, at=11.1, version=111, claims=((0, "uid-a"),)),
        replace(M2, at=12.1, version=121, claims=((0, "uid-b"),)),
        replace(M1, at=20.2, version=201, reap="Used"),
    ),
    leases=(ONE, TWO, LeaseSeen(at=2.0, version=20, name="pool-dev", uid="p", holder="operator_one")),
    writes=(*JOINED, CLAIM, TOLD),
    calls=(AwsCall(1, 15.0, "operator#1", "DetachInstances", 200, "group"),),
    changes=(
        InstanceChange(4.0, "i-1", "running", "group"),
        InstanceChange(21.0, "i-1", "shutting-down", "call 9 TerminateInstances"),
    ),
    live=(Live(4.0, "group", 1, "group"), Live(4.5, "group", 2, "group")),
    orders=(
        Order(10.9, 11.0, "create", "a", "dev", "uid-a"),
        Order(11.9, 12.0, "create", "b", "dev", "uid-b"),
        Order(13.0, 13.0, "read", "a", "dev"),
        Order(20.0, None, "delete", "a", "dev"),
    ),
    deeds=(Deed(0.5, "start", "operator", "operator#1"), Deed(0.6, "start", "operator-2", "operator-2#2")),
)
TAKEN_OVER = replace(
    GOOD,
    leases=(
        *GOOD.leases,
        replace(ONE, at=25.0, version=250, is_gone=True),
        LeaseSeen(at=25.1, version=251, name="pool-dev", uid="p", holder="operator-2_two"),
    ),
    deeds=(*GOOD.deeds, Deed(18.9, "pause", "operator", "operator#1"), Deed(26.0, "resume", "operator", "operator#1")),
)
LATE = replace(CLAIM, began=26.1, ended=26.1, name="i-2", guard=121, version=260)


def laws(history):
    return {breach.law for breach in check(history)}


def test_a_good_history_is_accepted():
    assert check(GOOD) == ()
    assert check(TAKEN_OVER) == ()


def test_a_slot_told_to_two_is_found():
    twice = replace(B, at=12.2, version=122, phase="Running", machine="i-1")
    seen = (*GOOD.workspaces[:3], twice, *GOOD.workspaces[4:])
    assert "a slot has one holder" in laws(replace(GOOD, workspaces=seen))


def test_a_slot_that_two_users_saw_at_once_is_found_although_the_versions_agree():
    # By the versions a had left before b came; but b was told it before a was asked to go.
    early = replace(B, at=19.0, version=210, phase="Running", machine="i-1")
    machines = (
        *GOOD.machines[:4],
        replace(M1, at=18.9, version=205, claims=((0, "uid-b"),)),
    )
    seen = (*GOOD.workspaces[:3], GOOD.workspaces[4], early)
    stories = [b.story for b in check(replace(GOOD, workspaces=seen, machines=machines)) if "one holder" in b.law]
    assert any("as they saw it" in story for story in stories)


def test_a_seat_without_a_claim_is_found():
    machines = tuple(replace(m, claims=()) for m in GOOD.machines)
    assert "a seat is told under its claim" in laws(replace(GOOD, machines=machines))


def test_a_claim_that_goes_under_its_user_is_found():
    machines = (*GOOD.machines, replace(M2, at=14.0, version=140))
    assert "a seat is told under its claim" in laws(replace(GOOD, machines=machines))


def test_a_machine_that_is_reaped_under_its_user_is_found():
    machines = (*GOOD.machines, replace(M2, at=14.0, version=140, claims=((0, "uid-b"),), reap="Surplus"))
    assert "a machine is not reaped under its user" in laws(replace(GOOD, machines=machines))


def test_a_workspace_that_vanishes_is_found():
    gone = replace(B, at=30.0, version=300, phase="Running", machine="i-2", is_gone=True)
    assert "no workspace is lost" in laws(replace(GOOD, workspaces=(*GOOD.workspaces, gone)))


def test_a_workspace_that_nobody_ever_saw_is_found():
    orders = (*GOOD.orders, Order(14.0, 14.1, "create", "c", "dev", "uid-c"))
    assert "no workspace is lost" in laws(replace(GOOD, orders=orders))


def test_a_workspace_that_waits_beside_room_is_found():
    waits = replace(A, at=14.0, version=140, uid="uid-c", name="c", phase="Pending")
    orders = (*GOOD.orders, Order(14.0, 14.1, "create", "c", "dev", "uid-c"))
    history = replace(GOOD, workspaces=(*GOOD.workspaces, waits), orders=orders)
    assert "no workspace is lost" not in laws(history)  # the group is full
    roomy = replace(history, live=(*GOOD.live, Live(21.0, "group", 1, "call 9")))
    assert "no workspace is lost" in laws(roomy)


def test_a_lost_file_is_found():
    orders = (*GOOD.orders, Order(14.0, 14.0, "read", "b", "dev", detail="there is none"))
    assert "no workspace is lost" in laws(replace(GOOD, orders=orders))


@pytest.mark.parametrize("state", ["stopping", "shutting-down", "terminated"])
def test_a_machine_that_ends_without_a_decision_is_found(state):
    changes = (*GOOD.changes, InstanceChange(30.0, "i-2", state, "scale-in"))
    assert "no used machine ends" in laws(replace(GOOD, changes=changes))


def test_a_machine_that_ends_while_its_user_has_it_is_found():
    changes = (GOOD.changes[0], InstanceChange(19.0, "i-1", "shutting-down", "call 9 TerminateInstances"))
    assert "no used machine ends" in laws(replace(GOOD, changes=changes))


def test_a_used_machine_that_is_idle_again_is_found():
    machines = (*GOOD.machines[:-1], replace(M1, at=20.2, version=201))
    assert laws(replace(GOOD, machines=machines)) == {"no used machine is idle again", "no used machine ends"}


def test_a_machine_above_the_ceiling_is_found():
    live = (*GOOD.live, Live(30.0, "group", 3, "group"))
    assert "machines stay below the ceiling" in laws(replace(GOOD, live=live))


def test_an_unguarded_write_is_found():
    writes = (*GOOD.writes[:-1], replace(TOLD, guard=None))
    assert laws(replace(GOOD, writes=writes)) == {"every write is guarded"}


def test_a_late_write_that_lost_its_compare_and_swap_is_counted_and_no_breach():
    refused = replace(LATE, code=409, version=None)
    history = replace(TAKEN_OVER, writes=(*GOOD.writes, refused))
    assert check(history) == ()
    assert late_writes(history) == {"409": 1}


def test_a_late_write_that_succeeded_is_found():
    history = replace(TAKEN_OVER, writes=(*GOOD.writes, LATE))
    assert laws(history) == {"who is fenced writes nothing"}


def test_a_write_between_the_end_of_the_replica_and_the_pools_next_owner_is_found():
    between = replace(TAKEN_OVER, leases=TAKEN_OVER.leases[:-1], writes=(*GOOD.writes, LATE))
    assert laws(between) == {"who is fenced writes nothing"}


def test_a_write_that_a_cut_held_up_is_left_to_the_compare_and_swap():
    cut = (*TAKEN_OVER.deeds, Deed(18.0, "cut", "operator-apiserver", "operator#1"))
    guarded = replace(TAKEN_OVER, writes=(*GOOD.writes, LATE), deeds=cut)
    assert check(guarded) == ()
    unguarded = replace(guarded, writes=(*GOOD.writes, replace(LATE, guard=None)))
    assert "who is fenced writes nothing" in laws(unguarded)


def test_a_write_for_the_pool_of_another_is_found():
    stranger = replace(CLAIM, process="operator-2#2")
    history = replace(GOOD, writes=(*JOINED, stranger, TOLD))
    assert laws(history) == {"who is fenced writes nothing"}


def test_a_process_that_took_the_name_of_another_acts_and_the_other_no_more():
    again = replace(ONE, at=25.0, version=250, holder="operator_z")
    taken = Write("operator#3", 24.9, 25.0, "patch", "leases", "replica-operator", 200, guard=10, version=250)
    deeds = (*GOOD.deeds, Deed(24.0, "start", "operator", "operator#3"))
    history = replace(GOOD, leases=(*GOOD.leases, again), deeds=deeds)
    new = replace(LATE, process="operator#3")
    assert check(replace(history, writes=(*GOOD.writes, taken, new))) == ()
    assert laws(replace(history, writes=(*GOOD.writes, taken, LATE))) == {"who is fenced writes nothing"}


def test_a_call_to_aws_without_a_lease_is_found():
    late = AwsCall(2, 26.1, "operator#1", "DetachInstances", 200, "group")
    assert laws(replace(TAKEN_OVER, calls=(late,))) == {"who is fenced calls nothing"}
    assert check(replace(TAKEN_OVER, calls=(replace(late, action="DescribeInstances"),))) == ()


def test_unrest_is_told():
    assert laws(replace(GOOD, left=("dev has no idle machine",))) == {"everything comes to rest"}


def test_a_takeover_is_timed_from_the_deed_to_the_next_claim():
    asked = Order(19.0, 19.1, "create", "c", "dev", "uid-c")
    told = replace(A, at=26.4, version=262, uid="uid-c", name="c", phase="Running", machine="i-3")
    history = replace(TAKEN_OVER, orders=(*GOOD.orders, asked), workspaces=(*GOOD.workspaces, told))
    (found,) = takeovers(history)
    assert found.waited == {"dev": pytest.approx(7.5)}
    assert not found.is_planned
