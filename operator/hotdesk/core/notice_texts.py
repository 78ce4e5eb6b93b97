"""The sentences of notices: what happens next, and what to do about it."""

import re
from datetime import UTC
from typing import Final

from hotdesk.api.v1alpha1 import Workspace
from hotdesk.api.v1alpha1.workspace import WAKE_ANNOTATION

_VARYING: Final = re.compile(r"\S*\d\S*")

_TEXTS: Final = {
    "Claimed": "Machine {machine} is yours at {address}.",
    "Starting": "Machine {machine} is being started: the workspace is ready, at {address}, once it has booted.",
    "Woken": "Machine {machine} is being started again: the workspace is ready once it has booted. Its public address "
    "may be another one than before: read status.url again.",
    "Ready": "Machine {machine} is ready at {address}.",
    "Restoring": "The files are being brought back to machine {machine}: the workspace is ready once they are there.",
    "Restored": "The files are back: machine {machine} is yours at {address}.",
    "Stopping": "The machine is being stopped and its disk is kept. {wake} It is started as soon as it has stopped.",
    "Stopped": "The machine is stopped and its disk is kept{until}. {wake}",
    "Archiving": "The machine is given back once a backup of its files is verified. {wake} The files are then brought "
    "back to another machine.",
    "Archived": "The machine was given back{backup}. {wake}",
    "BackedUp": "The files are saved as {backup_id}.",
    "BackupFailed": "The machine is kept until a backup succeeds; it is tried again.",
    "Failed": "It is not tried again by itself: correct what the message names, or ask who runs the pool.",
}


def hint(reason: str, workspace: Workspace) -> str:
    """Return what a reason means for the user, as whole sentences."""
    status = workspace.status
    kept = status.backup
    archive = status.next if status.next is not None and status.next.action == "Archive" else None
    return _TEXTS[reason].format(
        machine=status.machine or "of this workspace",
        address=status.url or status.private_ip or "an address that is not known yet",
        until=f", until it is archived at {archive.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if archive else "",
        backup=f" and its files are kept as {kept.id}" if kept is not None else "",
        backup_id=kept.id if kept is not None else "",
        wake=_wake(workspace),
    )


def sentence(text: str) -> str:
    """Return a text with a capital at its begin and a full stop at its end."""
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return ended[:1].upper() + ended[1:]


def message_class(message: str) -> str:
    """Return a message without what varies from try to try: every word with a digit in it."""
    return _VARYING.sub("#", message)


def _wake(workspace: Workspace) -> str:
    if workspace.spec.run_strategy == "Halted":
        return "To go on working, set spec.runStrategy to OnDemand."
    return f"To go on working, open it again, or set the annotation {WAKE_ANNOTATION} to the current time."
