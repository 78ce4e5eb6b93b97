"""What a rule finds worth telling of a workspace, before it is a notice; and what the rules share."""

from dataclasses import dataclass

from hotdesk.api.conditions import Condition, find_condition
from hotdesk.api.v1alpha1 import WorkspaceStatus
from hotdesk.core.notices.texts import message_class, sentence


@dataclass(frozen=True, slots=True)
class Said:
    """One thing to tell."""

    reason: str
    message: str
    key: str = ""
    is_warning: bool = False
    is_sent: bool = False  # to the pool's notifications too: warnings, stops, archives and failures


def ready_of(status: WorkspaceStatus) -> Condition | None:
    """Return the condition Ready, which says why a workspace is as it is."""
    return find_condition(status.conditions, "Ready")


def is_lost(status: WorkspaceStatus) -> bool:
    """Tell whether the workspace has lost its machine."""
    ready = ready_of(status)
    return ready is not None and ready.reason == "MachineLost"


def is_new_claim(old: WorkspaceStatus, new: WorkspaceStatus) -> bool:
    """Tell whether a machine was claimed between the two."""
    return new.machine is not None and (old.machine, old.claimed_at) != (new.machine, new.claimed_at)


def because(status: WorkspaceStatus, what: str) -> str:
    """Put the status' own sentence, which says why, before what it means for people."""
    ready = ready_of(status)
    why = sentence(ready.message) if ready is not None and ready.message else f"Its phase is {status.phase}."
    return f"{why} {what}".rstrip()


def class_of(failed: Condition) -> str:
    """Return what is the same of a failure from try to try."""
    return f"{failed.reason} {message_class(failed.message)}"
