"""Times, durations, patches and error sentences on the wire."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotdesk.api.v1alpha1 import Claim, ClaimedBy, MachinePool, Reap, Workspace, WorkspaceStatus
from hotdesk.api.wire import ObjectMeta, explain, format_duration, parse_duration

WORKSPACE = {
    "apiVersion": "hotdesk.dev/v1alpha1",
    "kind": "Workspace",
    "metadata": {"name": "demo", "namespace": "team-a", "uid": "u-1", "resourceVersion": "7", "generation": 1},
    "spec": {"pool": "dev", "owner": "ada"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45s", timedelta(seconds=45)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("2h3s", timedelta(hours=2, seconds=3)),
        ("0s", timedelta()),
        ("90m", timedelta(minutes=90)),
    ],
)
def test_durations_are_read_as_go_writes_them(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "10", "1.5h", "-5m", "5m1h", "10 m", "1d", "m", "100ms", "\u0661m", 5, None])
def test_other_durations_are_refused_with_advice(text):
    with pytest.raises(ValueError, match="write a duration like 45s, 10m or 1h30m"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=99999 * 3600))
def test_a_duration_survives_being_written_and_read(seconds):
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


def test_times_are_written_in_utc_with_the_precision_of_their_type():
    at = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=timezone(timedelta(hours=2)))
    claim = Claim(slot=0, workspace=ClaimedBy(namespace="a", name="b", uid="c"), claimed_at=at)
    assert claim.wire()["claimedAt"] == "2026-01-02T01:04:05.000600Z"
    assert Reap(reason="Used", at=at).wire()["at"] == "2026-01-02T01:04:05Z"


def test_what_is_written_can_be_read_again():
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    status = WorkspaceStatus.model_validate({"phase": "Running", "privateIP": "10.0.0.1", "claimedAt": at})
    assert WorkspaceStatus.model_validate(status.wire()) == status


def test_a_merge_patch_clears_what_is_absent():
    waiting = WorkspaceStatus.model_validate({"queue": {"position": 1, "ahead": 0}})
    assert waiting.merge_patch()["queue"] == {"position": 1, "ahead": 0, "estimatedWait": None}
    assert waiting.merge_patch()["machine"] is None
    assert waiting.model_copy(update={"queue": None}).merge_patch()["queue"] is None


def test_a_merge_patch_keeps_what_is_there():
    status = WorkspaceStatus.model_validate({"url": "http://10.0.0.1/", "slot": 0})
    assert {"url": "http://10.0.0.1/", "slot": 0}.items() <= status.merge_patch().items()


def test_an_unknown_field_does_not_stop_an_old_operator():
    newer = {**WORKSPACE, "spec": {**WORKSPACE["spec"], "runStrategy": "Always"}, "audit": {}}
    assert Workspace.model_validate(newer).spec.owner == "ada"


def test_a_workspace_nobody_has_looked_at_does_not_look_finished():
    status = Workspace.model_validate(WORKSPACE).status
    assert (status.phase, status.observed_generation) == ("Pending", -1)


def test_an_object_that_cannot_be_read_is_explained_field_by_field():
    spec = {"aws": {"region": "eu-central-1"}, "maxMachines": "many", "buffer": {"scaleDownDelay": "soon"}}
    with pytest.raises(ValidationError) as caught:
        MachinePool.model_validate({"metadata": {"name": "dev"}, "spec": spec})
    sentence = explain(caught.value)
    assert "spec.aws.autoScalingGroupName: Field required" in sentence
    assert "spec.maxMachines: Input should be a valid integer" in sentence
    assert "spec.buffer.scaleDownDelay: Value error, write a duration like 45s, 10m or 1h30m" in sentence
    assert "\n" not in sentence


def test_models_cannot_be_changed():
    workspace = Workspace.model_validate(WORKSPACE)
    with pytest.raises(ValidationError, match="frozen"):
        workspace.spec.owner = "eve"


def test_a_pool_of_the_required_fields_has_the_defaults_of_the_docs():
    spec = {"aws": {"region": "eu-central-1", "autoScalingGroupName": "g"}, "maxMachines": 3, "readiness": {}}
    pool = MachinePool.model_validate({"metadata": {"name": "dev"}, "spec": spec}).spec
    assert (pool.aws.manage_group, pool.slots_per_machine, pool.paused) == (True, 1, False)
    assert (pool.buffer.idle, pool.buffer.percent, pool.buffer.scale_down_delay) == (2, None, timedelta(minutes=5))
    assert pool.allowed_namespaces.from_ == "All"
    assert pool.readiness is not None
    assert pool.readiness.deadline == timedelta(minutes=10)


def test_what_was_given_is_said_once_for_all_objects_and_changed_for_none():
    one, other = (ObjectMeta.model_validate({"name": name, "uid": name}) for name in ("one", "other"))
    assert one.model_fields_set is other.model_fields_set
    changed = one.model_copy(update={"generation": 2})
    assert changed.model_fields_set == {"name", "uid", "generation"}
    assert one.model_fields_set == other.model_fields_set == {"name", "uid"}
