"""Which of our errors an AWS failure becomes: the class decides what an actor does next."""

import pytest
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from hotdesk.adapters.aws.errors import translate, unmade
from hotdesk.ports import Denied, NotFound, Refused, Throttled, Unanswered


def answered(code: str, message: str = "text", *, status: int = 400, operation: str = "SetDesiredCapacity"):
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return translate(sdk.ClientError(response, operation), service="autoscaling", operation="SetDesiredCapacity")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("RequestLimitExceeded", 503),
        ("ScalingActivityInProgress", 400),
        ("ResourceContention", 500),
        ("Whatever", 429),
    ],
)
def test_busy_aws_means_try_again_even_with_a_server_error_status(code: str, status: int):
    assert type(answered(code, status=status)) is Throttled


@pytest.mark.parametrize("code", ["AccessDenied", "UnauthorizedOperation"])
def test_missing_permission_is_named_as_iam_writes_it(code: str):
    error = answered(code, "You are not authorized", status=403)
    assert type(error) is Denied
    assert "autoscaling:SetDesiredCapacity" in str(error)
    assert "IAM policy" in str(error)


def test_role_that_may_not_be_assumed_names_the_permission_to_assume_it():
    error = answered("AccessDenied", status=403, operation="AssumeRole")
    assert type(error) is Denied
    assert "sts:AssumeRole" in str(error)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "AuthFailure", "RequestExpired"])
def test_bad_credentials_say_what_to_do(code: str):
    error = answered(code, status=403)
    assert type(error) is Denied
    assert "service account" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        sdk.NoCredentialsError(),
        sdk.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        sdk.CredentialRetrievalError(provider="web-identity", error_msg="no file"),
    ],
)
def test_absent_credentials_say_what_to_do(error: Exception):
    ours = translate(error, service="ec2", operation="CreateTags")
    assert type(ours) is Denied
    assert "service account" in str(ours)


def test_unknown_group_is_not_found():
    assert type(answered("ValidationError", "AutoScalingGroup name not found - null")) is NotFound


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationError", "New SetDesiredCapacity value 5 is above max value 2 for the AutoScalingGroup."),
        ("ValidationError", "Instance Id not found - No managed instance found for instance ID"),
        ("InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist"),
    ],
)
def test_any_other_refusal_keeps_code_and_message(code: str, message: str):
    error = answered(code, message)
    assert type(error) is Refused
    assert code in str(error)
    assert message in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_leave_it_open_whether_the_call_had_its_effect(status: int):
    assert type(answered("InternalFailure", status=status)) is Unanswered


@pytest.mark.parametrize(
    "error",
    [
        sdk.ReadTimeoutError(endpoint_url="http://aws"),
        sdk.ConnectTimeoutError(endpoint_url="http://aws"),
        sdk.EndpointConnectionError(endpoint_url="http://aws"),
        sdk.ConnectionClosedError(endpoint_url="http://aws"),
        ResponseParserError("an HTML page"),
        ValueError("a date that is none"),
        RuntimeError("something new"),
    ],
)
def test_no_usable_answer_leaves_it_open_whether_the_call_had_its_effect(error: Exception):
    ours = translate(error, service="autoscaling", operation="DetachInstances")
    assert type(ours) is Unanswered
    assert "autoscaling:DetachInstances" in str(ours)


def test_parameters_that_the_sdk_refuses_were_not_sent():
    error = sdk.ParamValidationError(report="Invalid length for parameter")
    assert type(translate(error, service="ec2", operation="CreateTags")) is Refused


def test_client_that_cannot_be_made_points_at_the_pools_section():
    error = unmade(ValueError("Invalid endpoint: nonsense"), service="ec2")
    assert type(error) is Refused
    assert "spec.aws" in str(error)


def test_long_text_of_aws_is_cut():
    assert len(str(answered("UnauthorizedOperation", "x" * 5000, status=403))) < 500
