"""What EventBridge's messages say; and nothing that anybody may put into a queue raises."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.core.announcements import Announced, Announcement, Irrelevant, Unreadable, read

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAME = "i-0123456789abcdef0"
SPOT = "EC2 Spot Instance Interruption Warning"
REBALANCE = "EC2 Instance Rebalance Recommendation"
CHANGE = "EC2 Instance State-change Notification"
HEALTH = "AWS Health Event"


def event(kind: str, detail: Any, **changes: Any) -> dict[str, Any]:
    source = "aws.health" if kind == HEALTH else "aws.ec2"
    made = {
        "version": "0",
        "id": "1",
        "detail-type": kind,
        "source": source,
        "account": "123456789012",
        "time": "2026-03-02T12:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }
    return {key: value for key, value in (made | changes).items() if value is not None}


def told(*args: Any, **changes: Any) -> Any:
    return read(json.dumps(event(*args, **changes)), receipt="r")


def retirement(*names: str, **changes: Any) -> dict[str, Any]:
    detail = {
        "service": "EC2",
        "eventTypeCategory": "scheduledChange",
        "eventTypeCode": "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
        "startTime": "Mon, 16 Mar 2026 06:00:00 GMT",
        "affectedEntities": [{"entityValue": name} for name in names],
    }
    return {key: value for key, value in (detail | changes).items() if value is not None}


def test_a_spot_warning_says_that_the_machine_goes_in_two_minutes():
    (said,) = told(SPOT, {"instance-id": NAME, "instance-action": "terminate"})
    due = AT + timedelta(minutes=2)
    assert said == Announcement("r", Announced.SPOT_INTERRUPTION, NAME, AT, due=due)


def test_rebalances_and_state_changes_are_told_apart():
    (rebalance,) = told(REBALANCE, {"instance-id": NAME})
    (change,) = told(CHANGE, {"instance-id": NAME, "state": "shutting-down"})
    assert (rebalance.what, rebalance.due) == (Announced.REBALANCE, None)
    assert (change.what, change.state) == (Announced.STATE_CHANGE, "shutting-down")


def test_one_health_event_may_be_about_several_machines_and_says_when():
    other = "i-0123456789abcdef1"
    said = told(HEALTH, retirement(NAME, other, NAME, "vol-0123456789abcdef0"))
    assert [(one.instance, one.receipt, one.what) for one in said] == [
        (NAME, "r", Announced.MAINTENANCE),
        (other, "r", Announced.MAINTENANCE),
    ]
    assert said[0].due == datetime(2026, 3, 16, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "due"), [("2026-03-09T00:00:00+01:00", datetime(2026, 3, 8, 23, tzinfo=UTC)), (None, AT)]
)
def test_a_health_event_may_write_its_start_otherwise_or_not_at_all(start, due):
    assert told(HEALTH, retirement(NAME, startTime=start))[0].due == due


@pytest.mark.parametrize(
    "said",
    [
        told("EC2 Instance Launch Successful", {"EC2InstanceId": NAME}, source="aws.autoscaling"),
        told(SPOT, {"instance-id": NAME}, source="somebody.else"),
        told(HEALTH, retirement(NAME, service="RDS")),
        told(HEALTH, retirement(NAME, eventTypeCategory="issue")),
        told(HEALTH, retirement(NAME, statusCode="closed")),
        told(HEALTH, retirement("vol-0123456789abcdef0")),
    ],
)
def test_a_good_message_about_something_else_may_go(said):
    assert isinstance(said, Irrelevant)


@pytest.mark.parametrize(
    "said",
    [
        read("", receipt="r"),
        read("hello", receipt="r"),
        read("[" * 100_000, receipt="r"),
        read("\ud800", receipt="r"),
        read(None, receipt="r"),
        read("[]", receipt="r"),
        told(SPOT, {"instance-id": NAME}, version="1"),
        told(SPOT, {"instance-id": NAME}, time="yesterday"),
        told(SPOT, {"instance-id": NAME}, time="2026-03-02T12:00:00"),
        told(SPOT, {"instance-id": NAME}, time="0001-01-01T00:00:00Z"),
        told(SPOT, {"instance-id": NAME}, time="9999-12-31T23:59:59-14:00"),
        told(SPOT, {"instance-id": NAME + "\n"}),
        told(SPOT, {"instance-id": 7}),
        told(SPOT, None),
        told(CHANGE, {"instance-id": NAME}),
        told(HEALTH, retirement(affectedEntities="all")),
    ],
)
def test_a_message_that_says_too_little_stays_for_the_dead_letter_queue(said):
    assert isinstance(said, Unreadable)


_texts = st.text() | st.sampled_from(
    [NAME, "0", "aws.ec2", "aws.health", "EC2", "scheduledChange", SPOT, CHANGE, HEALTH, "2026-03-02T12:00:00Z"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=8,
)
_details = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("instance-id", "state", "service", "eventTypeCategory", "startTime"), _json)
) | st.builds(lambda entities: retirement(affectedEntities=entities), _json)
_events = st.fixed_dictionaries(
    {"version": st.just("0") | _json, "detail": _details | _json},
    optional={"source": _texts | _json, "detail-type": _texts | _json, "time": _texts | _json},
)


@given(st.text() | st.binary() | (_events | _json).map(json.dumps))
def test_nothing_raises(body):
    said = read(body, receipt="r")
    if isinstance(said, tuple):
        assert said
        assert all(one.receipt == "r" and one.at.tzinfo is UTC for one in said)
