"""The sentences of notices: what happens next, and what to do about it."""

import re
from datetime import UTC
from typing import Final

from hotdesk.api.v1alpha1 import Workspace

_VARYING: Final = re.compile(r"\S*\d\S*")
_ON_THEIR_WAY: Final = "The workspace is ready once it has booted. Its public address may be another one than before: "

_HINTS: Final = {
    "Claimed": "Machine {machine} is yours at {address}.",
    "Starting": f"{_ON_THEIR_WAY}read status.url again.",
    "Woken": f"{_ON_THEIR_WAY}read status.url again.",
    "Ready": "Machine {machine} is ready at {address}.",
    "Restoring": "Machine {machine} is yours; the workspace is ready once the files are back on it.",
    "Restored": "The files are back: machine {machine} is yours at {address}.",
    "RestoreFailed": "It is tried again.",
    "Stopping": "{wake}",
    "Interrupted": "",
    "Stopped": "{archive}",
    "Archiving": "{elsewhere}",
    "Archived": "",
    "BackedUp": "The files are saved as {backup}.",
    "BackupFailed": "It is tried again.",
    "Failed": "It is not tried again by itself: correct what the message names, or ask who runs the pool.",
}
"""What each reason adds to the sentence that the status has for it; some say it all themselves."""


def hint(reason: str, workspace: Workspace) -> str:
    """Return what a reason means for the user, as whole sentences; empty where the status says it all."""
    status = workspace.status
    return _HINTS[reason].format(
        machine=status.machine or "of this workspace",
        address=status.url or status.private_ip or "an address that is not known yet",
        archive=_archive(workspace),
        backup=status.backup.id if status.backup is not None else "",
        wake=_wake(workspace),
        elsewhere=_elsewhere(workspace),
    )


def sentence(text: str) -> str:
    """Return a text with a capital at its begin and a full stop at its end."""
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return ended[:1].upper() + ended[1:]


def message_class(message: str) -> str:
    """Return a message without what varies from try to try: every word with a digit in it."""
    return _VARYING.sub("#", message)


def _archive(workspace: Workspace) -> str:
    ahead = workspace.status.next
    if ahead is None or ahead.action != "Archive":
        return ""
    unless = "spec.runStrategy is changed before" if workspace.spec.run_strategy == "Halted" else "it is woken before"
    return f"It is archived at {ahead.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC unless {unless}."


def _wake(workspace: Workspace) -> str:
    if workspace.spec.run_strategy == "Halted":
        return "It starts again when spec.runStrategy is Always, or when it is OnDemand and somebody returns."
    return "Whoever returns now has it started again as soon as it has stopped."


def _elsewhere(workspace: Workspace) -> str:
    if workspace.spec.run_strategy == "Halted":
        return f"{_wake(workspace)} Then the files are brought to another machine."
    return "Whoever returns now gets the files back on another machine, as soon as this one is gone."
