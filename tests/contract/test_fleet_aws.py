"""What AwsFleet promises beyond the port: who re-sends, how calls are counted, whose credentials are used."""

import os
from collections import Counter
from datetime import timedelta

import pytest

from contract.fleet_harness import SimulatedAws
from hotdesk.adapters.aws import fleet as fleet_module
from hotdesk.adapters.aws.clients import Timeouts
from hotdesk.adapters.aws.fleet import AwsFleet
from hotdesk.adapters.aws.fleets import AwsFleets
from hotdesk.ports import Denied, Refused, Throttled, Unanswered

GROUP = "desks"
ROLE = "arn:aws:iam::123456789012:role/desks"
NOWHERE = "http://127.0.0.1:1"  # nothing listens there


@pytest.fixture
def aws(simulated_fleet: SimulatedAws):
    with simulated_fleet.between_tests():
        yield simulated_fleet


def actions(aws: SimulatedAws) -> Counter[str]:
    return Counter(call["action"] for call in aws.calls())


def another(aws: SimulatedAws, *, endpoint: str | None = None, role: str | None = None, read: float = 10) -> AwsFleet:
    fleets = AwsFleets(timeouts=Timeouts(read=timedelta(seconds=read)))
    return fleets.fleet(region="eu-central-1", endpoint_url=endpoint or aws.endpoint, role_arn=role)


def test_throttled_read_is_sent_again(aws: SimulatedAws):
    aws.add_group(GROUP)
    aws.arm(action="DescribeAutoScalingGroups", kind="throttle", count=2)
    assert GROUP in aws.run(aws.fleet.describe_groups([GROUP]))
    assert actions(aws)["DescribeAutoScalingGroups"] == 3


def test_read_that_stays_throttled_gives_up_after_three_attempts(aws: SimulatedAws):
    aws.arm(action="DescribeInstances", kind="throttle")
    with pytest.raises(Throttled, match="RequestLimitExceeded"):
        aws.run(aws.fleet.describe_instances(["i-0123456789abcdef0"]))
    assert actions(aws)["DescribeInstances"] == 3


@pytest.mark.parametrize(
    ("code", "error"),
    [("InternalFailure", Unanswered), ("ServiceUnavailable", Unanswered), ("ResourceContention", Throttled)],
)
def test_write_is_sent_once_even_where_the_sdk_would_try_again(aws: SimulatedAws, code: str, error: type[Exception]):
    aws.add_group(GROUP)
    aws.arm(action="SetDesiredCapacity", kind="error", code=code, count=1)
    with pytest.raises(error, match=code):
        aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=1))
    assert actions(aws)["SetDesiredCapacity"] == 1
    assert aws.run(aws.fleet.describe_groups([GROUP]))[GROUP].desired == 0


def test_write_that_is_answered_too_late_is_unanswered_and_has_its_effect_later(aws: SimulatedAws):
    aws.add_group(GROUP)
    aws.arm(action="SetDesiredCapacity", kind="latency", seconds=0.6, count=1)
    impatient = another(aws, read=0.2)
    with pytest.raises(Unanswered, match="ReadTimeoutError"):
        aws.run(impatient.set_desired_capacity(group=GROUP, desired=1))
    aws.until(lambda: aws.run(aws.fleet.describe_groups([GROUP]))[GROUP].desired == 1, what="the late call has effect")
    assert actions(aws)["SetDesiredCapacity"] == 1
    impatient.close()


def test_missing_permissions_are_named(aws: SimulatedAws):
    aws.add_group(GROUP)
    aws.arm(action="SetDesiredCapacity", kind="error", code="AccessDenied", count=1)
    aws.arm(action="DescribeInstances", kind="error", code="UnauthorizedOperation", count=1)
    with pytest.raises(Denied, match="call autoscaling:SetDesiredCapacity:"):
        aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=1))
    with pytest.raises(Denied, match="call ec2:DescribeInstances:"):
        aws.run(aws.fleet.describe_pool_instances(["blue"]))


def test_refused_question_is_unanswered(aws: SimulatedAws):
    aws.arm(action="DescribeAutoScalingGroups", kind="error", code="ValidationError", count=1)
    with pytest.raises(Unanswered, match="ValidationError"):
        aws.run(aws.fleet.describe_groups([GROUP]))


def test_every_call_is_counted_with_its_outcome(aws: SimulatedAws):
    aws.add_group(GROUP, max_size=1)
    aws.outcomes.clear()
    aws.run(aws.fleet.describe_groups([GROUP]))
    with pytest.raises(Refused):
        aws.run(aws.fleet.set_desired_capacity(group=GROUP, desired=2))
    assert aws.outcomes == [
        ("autoscaling:DescribeAutoScalingGroups", "ok"),
        ("autoscaling:SetDesiredCapacity", "refused"),
    ]


def test_every_page_is_read(aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch):
    aws.add_group(GROUP, desired=7, tags={fleet_module.POOL_TAG: "paged"})
    members = aws.members(GROUP, 7)
    monkeypatch.setattr(fleet_module, "_EC2_PAGE", 5)
    before = actions(aws)["DescribeInstances"]
    assert set(aws.run(aws.fleet.describe_pool_instances(["paged"]))) == set(members)
    assert actions(aws)["DescribeInstances"] == before + 2


def test_instances_beyond_one_filter_are_asked_for_in_further_calls(aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch):
    aws.add_group(GROUP, desired=3)
    members = aws.members(GROUP, 3)
    monkeypatch.setattr(fleet_module, "_FILTER_VALUES", 2)
    before = actions(aws)["DescribeInstances"]
    assert set(aws.run(aws.fleet.describe_instances(members))) == set(members)
    assert actions(aws)["DescribeInstances"] == before + 2


def test_suspending_nothing_calls_nothing(aws: SimulatedAws):
    aws.add_group(GROUP)
    aws.run(aws.fleet.suspend_processes(group=GROUP, processes=[]))
    assert "SuspendProcesses" not in actions(aws)
    assert not aws.run(aws.fleet.describe_groups([GROUP]))[GROUP].suspended


def test_member_that_is_being_terminated_already_is_success_whatever_aws_says(aws: SimulatedAws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.configure(terminate=30)
    aws.run(aws.fleet.terminate_member(id=member))
    aws.arm(action="TerminateInstanceInAutoScalingGroup", kind="error", code="ValidationError", count=1)
    aws.run(aws.fleet.terminate_member(id=member))
    aws.configure(terminate=0.1)


def test_refused_termination_of_a_member_that_stays_is_refused(aws: SimulatedAws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.arm(action="TerminateInstanceInAutoScalingGroup", kind="error", code="ValidationError", count=1)
    with pytest.raises(Refused):
        aws.run(aws.fleet.terminate_member(id=member))


def test_guarded_instance_is_refused_not_taken_for_gone(aws: SimulatedAws):
    aws.add_group(GROUP, desired=1)
    (member,) = aws.members(GROUP, 1)
    aws.arm(action="TerminateInstances", kind="error", code="OperationNotPermitted", count=1)
    with pytest.raises(Refused):
        aws.run(aws.fleet.terminate_instance(id=member))


def test_endpoint_that_nobody_answers_is_unanswered(aws: SimulatedAws):
    lost = another(aws, endpoint=NOWHERE)
    with pytest.raises(Unanswered):
        aws.run(lost.set_desired_capacity(group=GROUP, desired=1))
    lost.close()


def test_endpoint_that_is_no_url_is_refused_for_a_write_and_has_no_answer_for_a_read(aws: SimulatedAws):
    wrong = another(aws, endpoint="nonsense")
    with pytest.raises(Refused, match=r"spec\.aws"):
        aws.run(wrong.set_desired_capacity(group=GROUP, desired=1))
    with pytest.raises(Unanswered, match=r"spec\.aws"):
        aws.run(wrong.describe_groups([GROUP]))
    wrong.close()


def test_operator_without_credentials_is_told_what_to_do(aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    for role in (None, ROLE):
        poor = another(aws, role=role)
        with pytest.raises(Denied, match="service account"):
            aws.run(poor.describe_groups([GROUP]))
        poor.close()


def test_role_is_assumed_once_and_its_credentials_sign_the_calls(aws: SimulatedAws):
    aws.add_group(GROUP)
    fleet = another(aws, role=ROLE)
    assert GROUP in aws.run(fleet.describe_groups([GROUP]))
    aws.run(fleet.set_desired_capacity(group=GROUP, desired=0))
    assert aws.run(fleet.describe_instances(["i-0123456789abcdef0"])) == {}
    fleet.close()
    assert actions(aws)["AssumeRole"] == 1
    for service in ("autoscaling", "ec2"):
        signer = fleet._calls._clients.client(service, retries=True)._request_signer
        assert signer._credentials.access_key != os.environ["AWS_ACCESS_KEY_ID"]


def test_role_that_may_not_be_assumed_is_named(aws: SimulatedAws):
    aws.arm(action="AssumeRole", kind="error", code="AccessDenied")
    fleet = another(aws, role=ROLE)
    with pytest.raises(Denied, match="sts:AssumeRole"):
        aws.run(fleet.describe_groups([GROUP]))
    fleet.close()


def test_pools_of_one_region_endpoint_and_role_share_a_fleet():
    fleets = AwsFleets()
    one = fleets.fleet(region="eu-west-1", endpoint_url=None, role_arn=None)
    assert fleets.fleet(region="eu-west-1", endpoint_url=None, role_arn=None) is one
    assert fleets.fleet(region="eu-west-1", endpoint_url=None, role_arn=ROLE) is not one
    assert fleets.fleet(region="eu-west-2", endpoint_url=None, role_arn=None) is not one
    fleets.close()
