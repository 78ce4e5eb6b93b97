"""Times that a stranger's clock told, on ours."""

from datetime import UTC, datetime, timedelta
from typing import Final

from hotdesk.adapters.signals.answers import NoAnswer

_SLACK: Final = timedelta(minutes=1)  # Date has whole seconds, and a clock may be put right while it is read
_LONGEST_TEXT: Final = 64  # characters
_LATEST: Final = 1e14  # milliseconds, in the year 5138


def moment_of(text: object) -> datetime:
    """Read a time with its zone, like 2026-01-02T03:04:05Z. Raises NoAnswer for everything else."""
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise NoAnswer("a time that is no text")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NoAnswer("a time that cannot be read") from None
    if moment.tzinfo is None:
        raise NoAnswer("a time without its zone")
    return moment


def moment_of_milliseconds(number: object) -> datetime:
    """Read milliseconds since 1970. Raises NoAnswer for everything else."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= _LATEST:
        raise NoAnswer("a time that is no number of milliseconds since 1970")
    return datetime.fromtimestamp(number / 1000, tz=UTC)


def on_our_clock(theirs: datetime, *, their_now: datetime | None, our_now: datetime) -> datetime:
    """Return when that was by our clock: its age is what two readings of one clock tell, however wrong that clock is.

    Without a reading of their clock it is taken to go right. What is to come within a minute is now.

    Raises:
        NoAnswer: it lies further in the future, so that clock and time do not belong together.

    """
    try:
        age = (their_now or our_now) - theirs
        if age < -_SLACK:
            raise NoAnswer("a time in its own future")
        return our_now - max(age, timedelta())
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
