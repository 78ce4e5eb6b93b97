"""What AWS refuses at the moment, kept until it accepts the same kind of call again."""

from dataclasses import dataclass, field

from hotdesk.core.pool_status import Trouble
from hotdesk.ports import Denied, HotdeskError, NotFound, Refused, Throttled, Unanswered

_WORTH_TELLING = 3  # times in a row; one throttled or lost call is nothing to tell people


@dataclass(slots=True)
class Troubles:
    """Failing kinds of calls, with what people are told about them."""

    _times: dict[str, int] = field(default_factory=dict)
    _told: dict[str, Trouble] = field(default_factory=dict)

    def note(self, kind: str, error: HotdeskError) -> None:
        """Count a failure of a kind of call."""
        self._times[kind] = self._times.get(kind, 0) + 1
        trouble = _trouble(error)
        if trouble is not None and (isinstance(error, Denied) or self._times[kind] >= _WORTH_TELLING):
            self._told[kind] = trouble

    def clear(self, kind: str) -> None:
        """Forget a kind of call that succeeded."""
        self._times.pop(kind, None)
        self._told.pop(kind, None)

    def told(self) -> tuple[Trouble, ...]:
        """Return what people should know, denied permissions first."""
        return tuple(sorted(self._told.values(), key=lambda trouble: trouble.what != "PermissionDenied"))


def _trouble(error: HotdeskError) -> Trouble | None:
    match error:
        case Denied():
            return Trouble("PermissionDenied", str(error))
        case Throttled():
            return Trouble("Throttled", f"AWS throttles our calls; they are tried again. {error}")
        case Unanswered():
            return Trouble("AwsUnreachable", f"AWS does not answer; calls are tried again. {error}")
        case Refused():
            return Trouble("CallRefused", f"AWS refuses a call; it is tried again. {error}")
        case NotFound():
            return None  # the next look tells what is missing
        case _:
            return None
