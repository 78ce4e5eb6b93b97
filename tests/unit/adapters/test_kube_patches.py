"""A status patch carries the difference and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.apiserver.storage import merged
from hotdesk.adapters.kube.patches import difference, guard
from hotdesk.api.v1alpha1 import Machine, MachineStatus, QueuePosition, WorkspaceStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

texts = st.none() | st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
queues = st.none() | st.builds(
    QueuePosition,
    position=st.integers(1, 3),
    ahead=st.integers(0, 2),
    estimated_wait=st.none() | st.sampled_from([timedelta(seconds=30), timedelta(minutes=2)]),
)
statuses = st.builds(
    WorkspaceStatus,
    phase=st.sampled_from(["Pending", "Running"]),
    observed_generation=st.integers(-1, 3),
    machine=texts,
    slot=st.none() | st.integers(0, 2),
    private_ip=texts,
    queue=queues,
    ready_at=st.none() | st.just(NOW),
)


def stored(status: WorkspaceStatus) -> WorkspaceStatus:
    """The status as it comes back from the API server: absent fields are not set."""
    return WorkspaceStatus.model_validate(status.wire())


@given(before=statuses, after=statuses)
def test_difference_makes_one_status_of_the_other(before: WorkspaceStatus, after: WorkspaceStatus):
    patch = difference(stored(before), after)
    assert WorkspaceStatus.model_validate(merged(before.wire(), patch)) == after


@given(before=statuses, after=statuses)
def test_difference_names_only_what_differs(before: WorkspaceStatus, after: WorkspaceStatus):
    old, new = before.wire(), after.wire()
    assert difference(stored(before), after).keys() == {
        field for field in old.keys() | new.keys() if old.get(field) != new.get(field)
    }


@given(status=statuses)
def test_what_is_as_wanted_makes_no_patch(status: WorkspaceStatus):
    assert difference(stored(status), status) == {}


def test_fields_of_a_newer_operator_are_left_alone():
    raw: dict[str, Any] = {"phase": "Pending", "observedGeneration": 1, "mood": "sunny", "queue": {"since": "noon"}}
    before = WorkspaceStatus.model_validate({**raw, "queue": {"position": 2, "ahead": 1, "since": "noon"}})
    after = before.model_copy(update={"queue": QueuePosition(position=1, ahead=0)})
    assert difference(before, after) == {"queue": {"position": 1, "ahead": 0}}


def test_default_that_the_stored_object_lacks_is_written():
    before = MachineStatus.model_validate({})
    assert difference(before, before) == {"phase": "Booting"}


def test_time_kept_in_seconds_does_not_differ_by_microseconds():
    before = MachineStatus.model_validate({"phase": "Idle", "launchedAt": "2026-03-01T12:00:00Z"})
    after = before.model_copy(update={"launched_at": NOW.replace(microsecond=5)})
    assert difference(before, after) == {}


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_guard_names_what_was_read(field: str):
    metadata = {"name": "i-00000000", "uid": "u-1", "resourceVersion": "17"}
    spec = {"pool": "p", "providerID": "aws:///eu-central-1a/i-00000000", "slots": 1}
    assert guard(Machine.model_validate({"metadata": metadata, "spec": spec}))[field] == metadata[field]
