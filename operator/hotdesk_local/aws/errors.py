"""The errors AWS answers with: code, sentence and HTTP status."""

from collections.abc import Iterable, Mapping

STATUSES: Mapping[str, int] = {
    "AccessDenied": 403,
    "AuthFailure": 401,
    "InsufficientInstanceCapacity": 500,
    "InternalError": 500,
    "InternalFailure": 500,
    "RequestLimitExceeded": 503,
    "ResourceContention": 500,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
    "UnauthorizedOperation": 403,
}
"""Every other code travels with 400, as EC2 and Auto Scaling do it."""


class AwsError(Exception):
    """A refusal in AWS's words; the client sees exactly `code` and `message`."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = STATUSES.get(code, 400) if status is None else status


def validation(message: str) -> AwsError:
    """Return Auto Scaling's usual refusal."""
    return AwsError("ValidationError", message)


def too_many(*, name: str, values: Iterable[str], limit: int) -> AwsError:
    """Return the refusal of a list that is longer than the API takes."""
    shown = ", ".join(values)
    return validation(
        f"1 validation error detected: Value '[{shown}]' at '{name}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}",
    )


def no_such_group(name: str) -> AwsError:
    """Return the answer to a call about a group that does not exist."""
    return validation(f"AutoScalingGroup name not found - AutoScalingGroup: {name} not found")


def no_such_instances(ids: Iterable[str]) -> AwsError:
    """Return EC2's answer when one or several ids are unknown; one bad id fails the whole call."""
    known = list(ids)
    if len(known) == 1:
        return AwsError("InvalidInstanceID.NotFound", f"The instance ID '{known[0]}' does not exist")
    return AwsError("InvalidInstanceID.NotFound", f"The instance IDs '{', '.join(known)}' do not exist")


def invalid_action(action: str) -> AwsError:
    """Return the answer to an action nobody here implements."""
    return AwsError("InvalidAction", f"The action {action} is not valid for this web service.")
