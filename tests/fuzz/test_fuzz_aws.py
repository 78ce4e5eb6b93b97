"""Whatever AWS, or a proxy in its place, answers: facts that err on the safe side, or an error of ports."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers.expat import ExpatError

import boto3
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from fuzz import aws_recorded as recorded
from fuzz.aws_scripted import ScriptedFleet
from fuzz.profile import fuzzed
from fuzz.xml_mutations import LOSSES, SINGLE, anything, bent, each_field_odd
from hotdesk.adapters.aws import answers, convert, lean_xml
from hotdesk.adapters.aws.fleet import AwsFleet
from hotdesk.adapters.aws.lean_xml import Fields
from hotdesk.core.facts import Group, Instance, InstanceState
from hotdesk.core.group.setup import inspect
from hotdesk.core.standing import is_safe_member
from hotdesk.ports import Denied, HotdeskError, NotFound, Refused, Throttled, Unanswered

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
NO_ANSWER = (Throttled, Denied, Unanswered)
STATUSES = st.sampled_from([200] * 12 + [201, 204, 301, 302, 400, 401, 403, 404, 407, 408, 429, 499, 500, 502, 503])


async def ask_instances(fleet: AwsFleet) -> dict[str, Instance]:
    return dict(await fleet.describe_pool_instances(["blue"]))


async def ask_groups(fleet: AwsFleet) -> dict[str, Group]:
    return dict(await fleet.describe_groups(["desks"]))


async def ask_failures(fleet: AwsFleet) -> list[Any]:
    return list(await fleet.describe_launch_failures(group="desks", since=SINCE))


async def ask_policies(fleet: AwsFleet) -> list[str]:
    return list(await fleet.describe_scaling_policies(group="desks"))


QUESTIONS: dict[str, tuple[str, Any]] = {
    "instances": (recorded.INSTANCES, ask_instances),
    "groups": (recorded.GROUPS, ask_groups),
    "failures": (recorded.ACTIVITIES, ask_failures),
    "policies": (recorded.POLICIES, ask_policies),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[ScriptedFleet]:
    fleet = ScriptedFleet()
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def botocore_alone() -> Iterator[ScriptedFleet]:
    fleet = ScriptedFleet(lean=False)
    yield fleet
    fleet.close()


@pytest.mark.parametrize("what", QUESTIONS)
@fuzzed(100)
@given(data=st.data(), status=STATUSES)
def test_whatever_is_answered_is_read_or_is_an_error_of_ports(
    aws: ScriptedFleet, what: str, data: st.DataObject, status: int
):
    text, ask = QUESTIONS[what]
    body = data.draw(anything(text))
    try:
        aws.answering(body, ask, status=status)
    except (*NO_ANSWER, NotFound):
        return


@fuzzed(120)
@given(
    body=st.one_of(anything(recorded.EC2_ERROR), anything(recorded.AUTO_SCALING_ERROR)),
    status=st.sampled_from([400, 400, 400, 403, 404, 407, 408, 413, 429, 500, 502, 503, 504, 302, 600]),
    service=st.sampled_from(["ec2", "autoscaling"]),
)
def test_a_change_fails_with_an_error_of_ports_and_is_refused_only_by_aws(
    aws: ScriptedFleet, body: bytes, status: int, service: str
):
    def change(fleet: AwsFleet) -> Any:
        if service == "ec2":
            return fleet.tag_instances(ids=["i-1"], tags={"a": "b"})
        return fleet.set_desired_capacity(group="desks", desired=1)

    try:
        aws.answering(body, change, status=status)
    except (Refused, NotFound):
        # "Nothing happened" is AWS's to say: a page of a proxy in between names no code.
        assert _error_codes(body)
    except HotdeskError:
        pass
    assert aws.sent == 1


@fuzzed(100)
@given(body=bent(recorded.INSTANCES, changes=SINGLE))
def test_instances_are_read_as_botocore_reads_them(aws: ScriptedFleet, botocore_alone: ScriptedFleet, body: bytes):
    assert_agreement(aws, botocore_alone, body, ask_instances)


@fuzzed(100)
@given(body=bent(recorded.GROUPS, changes=SINGLE))
def test_groups_are_read_as_botocore_reads_them(aws: ScriptedFleet, botocore_alone: ScriptedFleet, body: bytes):
    assert_agreement(aws, botocore_alone, body, ask_groups)


def assert_agreement(aws: ScriptedFleet, botocore_alone: ScriptedFleet, body: bytes, ask: Any) -> None:
    if _has_twins(_root(body)):
        return  # botocore makes lists of elements of what is there twice, and reads nothing from them
    theirs = answer_of(botocore_alone, body, ask)
    ours = answer_of(aws, body, ask)
    if ours is None and not recorded.local(_root(body).tag).startswith("Describe"):
        return  # botocore takes any document for an answer; we do not
    if theirs is not None:
        assert ours == theirs
    # What botocore cannot read may be a field that is not ours: then our answer stands.


PLANS: dict[str, tuple[str, str, str, Fields, Callable[[Any], Any]]] = {
    "instances": (recorded.INSTANCES, "ec2", "DescribeInstances", answers.INSTANCES, convert.instances_of),
    "groups": (recorded.GROUPS, "autoscaling", "DescribeAutoScalingGroups", answers.GROUPS, convert.groups_of),
}


@pytest.mark.parametrize("what", PLANS)
def test_every_field_with_every_odd_text_is_read_as_botocore_reads_it(what: str):
    text, service, operation, plan, converted = PLANS[what]
    model = boto3.client(service, region_name="eu-west-1").meta.service_model  # type: ignore[call-overload]  # of two
    parser = create_parser(model.resolved_protocol)
    shape = model.operation_model(operation).output_shape

    def theirs(body: bytes) -> Any:
        return converted(parser.parse({"status_code": 200, "headers": {}, "body": body}, shape))

    def ours(body: bytes) -> Any:
        try:
            answer = lean_xml.parse(body, plan)
        except (ExpatError, ValueError):
            return theirs(body)  # as the client does
        return converted(answer)

    for body in each_field_odd(text):
        if (expected := facts(theirs, body)) is not None:
            assert facts(ours, body) == expected, body.decode()
        for instance in (facts(ours, body) or {}).values() if what == "instances" else ():
            assert instance.launched_at is None or instance.launched_at.utcoffset() is not None


def facts(read: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return read(body)
    except Exception:  # noqa: BLE001  # botocore raises what it likes; `calls` makes an error of ports of all of it
        return None


def answer_of(aws: ScriptedFleet, body: bytes, ask: Any) -> Any:
    try:
        return aws.answering(body, ask)
    except HotdeskError:
        return None


@fuzzed(120)
@given(body=bent(recorded.INSTANCES, changes=LOSSES, most=2))
def test_no_instance_counts_as_gone_or_ready_because_something_is_missing(aws: ScriptedFleet, body: bytes):
    found = answer_of(aws, body, ask_instances)
    if found is None:
        return
    whole = len(_named(recorded.INSTANCES.encode(), "instanceId"))
    lost = whole - len(_items(body))
    assert len(found) >= whole - lost
    for name, instance in found.items():
        assert instance.state.is_live
        if name != recorded.RUNNING:
            assert instance.state is not InstanceState.RUNNING
        assert instance.launched_at is None or instance.launched_at.tzinfo is not None


@fuzzed(100)
@given(body=bent(recorded.GROUPS, changes=LOSSES, most=2))
def test_no_member_counts_as_safe_and_no_group_as_fenced_because_something_is_missing(aws: ScriptedFleet, body: bytes):
    found = answer_of(aws, body, ask_groups)
    if found is None:
        return
    if not _children(body, "AutoScalingGroups"):
        return  # AWS says that there is no such group, in so many words
    group = found["desks"]
    assert (group.desired, group.max_size) == (3, 12)
    assert {name for name, member in group.members.items() if is_safe_member(member)} <= {recorded.RUNNING}
    if len(_children(body, "Instances")) == 3:
        assert len(group.members) == 3
    if "AZRebalance" not in group.suspended or not group.protects_new:
        assert inspect(group, pool="blue", manages=True, scaling_policies=()).repair is not None


def test_a_token_that_is_given_again_ends_the_question(aws: ScriptedFleet):
    token = "</reservationSet><nextToken>more</nextToken>"
    body = recorded.INSTANCES.replace("</reservationSet>", token).encode()
    with pytest.raises(Unanswered, match="DescribeInstances"):
        aws.answering(body, ask_instances)
    assert aws.sent == 2


@pytest.mark.parametrize("page", [b"<html/>", b"<DescribeInstancesResponse/>", b"<html><reservationSet/></html>"])
def test_a_page_that_is_no_answer_does_not_say_that_there_is_nothing(aws: ScriptedFleet, page: bytes):
    with pytest.raises(Unanswered):
        aws.answering(page, ask_instances)


@pytest.mark.parametrize("page", [b"<html/>", b"<DescribeAutoScalingGroupsResponse/>"])
def test_a_page_that_is_no_answer_does_not_say_that_there_is_no_group(aws: ScriptedFleet, page: bytes):
    with pytest.raises(Unanswered):
        aws.answering(page, ask_groups)


def _root(body: bytes) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314  # bent by ourselves


def _has_twins(element: ET.Element) -> bool:
    names = [recorded.local(child.tag) for child in element]
    twins = {name for name in names if names.count(name) > 1} - {"item", "member"}
    return bool(twins) or any(_has_twins(child) for child in element)


def _named(body: bytes, name: str) -> list[ET.Element]:
    return [element for element in _root(body).iter() if recorded.local(element.tag) == name]


def _children(body: bytes, name: str) -> list[ET.Element]:
    return [child for element in _named(body, name) for child in element]


def _items(body: bytes) -> list[ET.Element]:
    return _children(body, "instancesSet")


def _error_codes(body: bytes) -> list[str]:
    return [element.text for element in _named(body, "Code") if element.text]
