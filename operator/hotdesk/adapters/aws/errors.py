"""What went wrong with an AWS call, as one of our errors: the class says what to do about it."""

from typing import Final

from botocore import exceptions as sdk

from hotdesk.ports import Conflict, Denied, HotdeskError, InsufficientCapacity, NotFound, Refused, Throttled, Unanswered

# The first row is botocore's own list (botocore.retries.standard) as far as our services send it. The second says
# that another change is under way: nothing happened and the same call works later. ResourceContention is HTTP 500.
_THROTTLED: Final = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        *("RequestLimitExceeded", "EC2ThrottledException", "TooManyRequestsException", "SlowDown"),
        *("ScalingActivityInProgress", "ResourceContention", "ConditionalRequestConflict"),
    }
)
_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess", "AuthorizationError"}
)
_BAD_CREDENTIALS: Final = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "AuthFailure"),
        *("UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
        *("MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidIdentityToken", "OptInRequired"),
    }
)
# EC2 sends these with HTTP 500, and yet nothing happened.
_NO_ROOM: Final = frozenset({"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity"})
_EXISTS_ALREADY: Final = "PreconditionFailed"  # what S3 answers to If-None-Match: *
# S3 answers HEAD without a body, so that the status is all it says.
_BARE: Final = {"403": "AccessDenied", "404": "NoSuchKey"}
_NO_CREDENTIALS: Final = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.MetadataRetrievalError,
    sdk.TokenRetrievalError,
    sdk.NoAuthTokenError,
    sdk.SSOError,
    sdk.LoginError,
    sdk.ProfileNotFound,
)
_STS_OPERATIONS: Final = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})
_NEVER_SENT: Final = (sdk.ParamValidationError, sdk.EndpointProviderError)
_CREDENTIALS_HINT: Final = (
    "Give the operator's pod working AWS credentials: an IAM role for its service account (IRSA), an EKS Pod Identity, "
    "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
# AWS's text ends up in conditions and events; an encoded authorization failure alone runs to thousands of characters.
_TEXT_LIMIT: Final = 300


def translate(error: Exception, *, service: str, operation: str) -> HotdeskError:
    """Return our error for what the SDK raised when `operation` ("SetDesiredCapacity") of `service` was called.

    What is not recognised counts as Unanswered: it is the class that makes nobody act before reading again.
    """
    if isinstance(error, sdk.ClientError):
        return _answered(error, service=service, operation=operation)
    action = f"{service}:{operation}"
    if isinstance(error, _NO_CREDENTIALS):
        return Denied(f"{action} was not sent, no AWS credentials: {_text(str(error))}. {_CREDENTIALS_HINT}.")
    if isinstance(error, _NEVER_SENT):
        return Refused(f"{action} was not sent: {_text(str(error))}. Check the pool's spec.aws.")
    return Unanswered(f"{action} got no usable answer: {type(error).__name__}: {_text(str(error))}")


def unmade(error: Exception, *, service: str) -> HotdeskError:
    """Return our error for what the SDK raised when a client of `service` was made: nothing was sent yet."""
    text = _text(str(error))
    if isinstance(error, _NO_CREDENTIALS):
        return Denied(f"no AWS credentials for {service}: {text}. {_CREDENTIALS_HINT}.")
    return Refused(f"cannot call {service}: {text}. Check the region and endpointURL of the pool's spec.aws.")


def is_missing_group(message: str) -> bool:
    """Whether a ValidationError says that the group does not exist (its words vary after the dash)."""
    return "AutoScalingGroup name not found" in message


def _answered(error: sdk.ClientError, *, service: str, operation: str) -> HotdeskError:
    detail = error.response.get("Error", {})
    code, message = str(detail.get("Code") or ""), str(detail.get("Message") or "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if service == "s3" and operation.startswith("Head"):
        code = _BARE.get(code, code)
    # A call may fail because the role could not be assumed: then that is the permission to name.
    called = error.operation_name if error.operation_name in _STS_OPERATIONS else operation
    action = f"sts:{called}" if called in _STS_OPERATIONS else f"{service}:{operation}"
    said = f"{code}: {_text(message)}"
    if code in _THROTTLED or status == _TOO_MANY:
        return Throttled(f"{action} must wait: {said}")
    if code in _DENIED:
        return Denied(f"not allowed to call {action}: add it to the operator's IAM policy. AWS said {said}")
    if code in _BAD_CREDENTIALS:
        return Denied(f"{action} was refused for its credentials: {said}. {_CREDENTIALS_HINT}.")
    if code in _NO_ROOM:
        return InsufficientCapacity(f"{action} found no room: {said}")
    if status >= _SERVER_ERROR:
        return Unanswered(f"{action} failed inside AWS (HTTP {status}): {said}")
    if not code or code == str(status):  # a proxy's page: whether AWS got the call is not known
        return Unanswered(f"{action} was not answered by AWS (HTTP {status}): {said}")
    if code == "NoSuchKey" or (code == "ValidationError" and is_missing_group(message)):
        return NotFound(f"{action}: {said}")
    if code == _EXISTS_ALREADY:
        return Conflict(f"{action}: {said}")
    return Refused(f"{action} was refused: {said}")


def _text(message: str) -> str:
    return message if len(message) <= _TEXT_LIMIT else f"{message[:_TEXT_LIMIT]}…"
