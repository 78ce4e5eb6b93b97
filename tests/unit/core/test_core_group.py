"""What is wrong with a group, who puts it right, and the sentence that says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import group
from hotdesk.core.actions import RepairGroup
from hotdesk.core.group.setup import SetUp, inspect


def inspected(*, manages: bool = True, policies: tuple[str, ...] = (), **fields) -> SetUp:
    return inspect(group(**fields), pool="pool", manages=manages, scaling_policies=policies)


def test_a_group_as_required_has_no_fault():
    assert inspected() == SetUp(repair=None, faults=())


SETTINGS = [
    {"protects_new": False},
    {"capacity_rebalance": True},
    {"max_instance_lifetime": 86400},
    {"health_check": "ELB"},
    {"health_check": "EC2,ELB"},
    {"min_size": 1},
]


@pytest.mark.parametrize("wrong", SETTINGS)
def test_a_wrong_setting_is_named_and_put_right(wrong):
    found = inspected(**wrong)
    assert found.repair == RepairGroup(configure=True)
    assert len(found.faults) == 1
    assert "set " in found.faults[0]


def test_a_rebalance_that_runs_is_suspended():
    found = inspected(suspended=frozenset())
    assert found.repair == RepairGroup(suspend=frozenset({"AZRebalance"}))


@pytest.mark.parametrize(
    ("tags", "missing"),
    [
        ({}, (("hotdesk.dev/managed-by", "hotdesk"), ("hotdesk.dev/pool", "pool"))),
        (
            {"hotdesk.dev/pool": "other", "hotdesk.dev/managed-by": "hotdesk"},
            (("hotdesk.dev/pool", "pool"),),
        ),
    ],
)
def test_tags_that_are_missing_or_anothers_are_set(tags, missing):
    assert inspected(tags=tags).repair == RepairGroup(tags=missing)


@pytest.mark.parametrize("process", ["Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"])
def test_a_process_that_a_person_suspended_is_theirs_to_resume(process: str):
    found = inspected(suspended=frozenset({"AZRebalance", process}))
    assert found.repair is None
    assert found.faults == (f"process {process} is suspended: resume it, without it the buffer cannot be kept.",)


def test_a_scaling_policy_is_named_and_left_alone():
    found = inspected(policies=("b", "a"))
    assert found.repair is None
    assert "(a, b)" in found.faults[0]
    assert "delete them" in found.faults[0]


def test_a_group_that_is_being_deleted_is_told():
    assert "create it anew" in inspected(deleting=True).faults[0]


@pytest.mark.parametrize("wrong", [*SETTINGS, {"suspended": frozenset()}, {"tags": {}}])
def test_an_unmanaged_group_is_only_reported(wrong):
    found = inspected(manages=False, **wrong)
    assert found.repair is None
    assert found.faults == inspected(**wrong).faults != ()


@given(st.booleans(), st.booleans(), st.sampled_from(["EC2", "ELB"]), st.integers(0, 3), st.booleans())
def test_a_repair_is_planned_exactly_while_something_can_be_put_right(
    protects: bool,  # noqa: FBT001
    rebalances: bool,  # noqa: FBT001
    health: str,
    least: int,
    suspended: bool,  # noqa: FBT001
):
    found = inspected(
        protects_new=protects,
        capacity_rebalance=rebalances,
        health_check=health,
        min_size=least,
        suspended=frozenset({"AZRebalance"} if suspended else ()),
    )
    is_right = protects and not rebalances and health == "EC2" and not least and suspended
    assert (found.repair is None) == (not found.faults) == is_right
