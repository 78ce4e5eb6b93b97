"""The errors the world answers with; the class says what to do about it."""


class HotdeskError(Exception):
    """Anything an adapter reports; the class says what to do about it."""


class Unanswered(HotdeskError):  # noqa: N818  # names the fact, as Conflict and NotFound do
    """No usable answer came: the call may have had its effect, or have it later. Read before acting again."""


class Conflict(HotdeskError):  # noqa: N818
    """The object has changed since it was read (or exists already). Read it again and plan anew."""


class NotFound(HotdeskError):  # noqa: N818
    """The object or group is not there."""


class Denied(HotdeskError):  # noqa: N818
    """We lack a permission; the message names it. Tell the user and try again later."""


class Throttled(HotdeskError):  # noqa: N818
    """Too many calls. Nothing happened; try again later."""


class Refused(HotdeskError):  # noqa: N818
    """The call was understood and refused, nothing happened. Look at the state, not at the text."""


class Fenced(HotdeskError):  # noqa: N818
    """This process may not act: nothing was sent."""


class InsufficientCapacity(Refused):
    """AWS has no room for the machine now. Nothing happened; another machine or another zone may have room."""
