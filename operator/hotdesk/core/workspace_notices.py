"""Which notices a change of a workspace's status is worth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hotdesk.api.conditions import Condition, find_condition
from hotdesk.api.v1alpha1 import MachinePool, Workspace, WorkspaceStatus
from hotdesk.core.notice_texts import hint, message_class, sentence
from hotdesk.core.notices import Notice, moment

BACKUP_UNDER_WAY: Final = frozenset({"BackingUp", "InProgress", "NotStarted", "Pending", "Running", "Waiting"})
"""Reasons of BackedUp=False that say it is not there yet; every other one says that it failed."""
_IN_THE_QUEUE: Final = frozenset({"WaitingForMachine", "MachineLost"})


@dataclass(frozen=True, slots=True)
class _Said:
    reason: str
    message: str
    key: str = ""
    is_warning: bool = False
    is_sent: bool = False  # to the pool's notifications too: warnings, stops, archives and failures


def notices_of(
    before: Workspace | None, after: Workspace, *, pool: MachinePool | None, now: datetime
) -> tuple[Notice, ...]:
    """Return what there is to tell where the status went from `before` to `after`; nothing where both say the same.

    Without `before`, or with one of another UID, the workspace is one that nobody had looked at. The keys come from
    what is stored, so that another process that sees the same change makes the same notices of it.
    """
    is_same = before is not None and before.metadata.uid == after.metadata.uid
    old = before.status if before is not None and is_same else WorkspaceStatus()
    if old == after.status:
        return ()
    return tuple(_notice(said, after, pool=pool, now=now) for rule in _RULES for said in rule(old, after))


def _lost(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    new = workspace.status
    ready = _ready(new)
    if old.machine is not None and new.machine is None and ready is not None and ready.reason == "MachineLost":
        yield _Said("MachineLost", ready.message, key=moment(old.claimed_at), is_warning=True, is_sent=True)


def _held(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    new = workspace.status
    why = _hold(new)
    if why is None or ((was := _hold(old)) is not None and was.reason == why.reason):
        return
    is_stalled = find_condition(new.conditions, "Stalled") is not None
    yield _Said(why.reason, why.message, key=moment(why.last_transition_time), is_warning=is_stalled)


def _queued(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    new = workspace.status
    if new.queue is None or old.queue is not None:
        return
    ready = _ready(new)
    said = ready.message if ready is not None else f"Number {new.queue.position} in the queue."
    yield _Said("Queued", said, key=moment(ready.last_transition_time) if ready is not None else "")


def _warned(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    told, due = old.next, workspace.status.next
    if due is None or due.warned_at is None:
        return
    if told is None or (told.action, told.warned_at) != (due.action, due.warned_at):
        done = {"Stop": "stopped", "Archive": "archived"}[due.action]
        said = sentence(f"This workspace will be {done} at {due.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {due.reason}")
        yield _Said(f"{due.action}Warning", said, key=moment(due.at), is_warning=True, is_sent=True)


def _claimed(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    new = workspace.status
    if _is_new_claim(old, new) and new.phase in ("Running", "Starting"):
        yield _Said("Claimed", hint("Claimed", workspace), key=moment(new.claimed_at))


def _moved(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    """Tell of a new phase, where it is no mere part of a claim or of waiting for one."""
    new = workspace.status
    if new.phase == old.phase or (_is_new_claim(old, new) and new.phase in ("Running", "Starting")):
        return
    match new.phase:
        case "Starting":
            reason = "Woken" if old.phase in ("Stopping", "Stopped") else "Starting"
            yield _Said(reason, hint(reason, workspace), key=moment(old.stopped_at or new.claimed_at))
        case "Running":
            reason = "Restored" if old.phase == "Restoring" else "Ready"
            yield _Said(reason, hint(reason, workspace), key=moment(new.ready_at or new.claimed_at))
        case "Restoring":
            yield _Said("Restoring", hint("Restoring", workspace), key=moment(new.claimed_at))
        case "Stopping" | "Stopped" | "Archiving" | "Archived":
            key = moment(new.stopped_at or old.stopped_at)
            is_sent = new.phase in ("Stopped", "Archived")
            yield _Said(new.phase, _because(new, hint(new.phase, workspace)), key=key, is_sent=is_sent)
        case "Failed":
            ready = _ready(new)
            key = moment(ready.last_transition_time) if ready is not None else ""
            yield _Said("Failed", _because(new, hint("Failed", workspace)), key=key, is_warning=True, is_sent=True)
        case "Pending":
            return


def _backed_up(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    kept, before = workspace.status.backup, old.backup
    if kept is not None and (before is None or before.id != kept.id):
        yield _Said("BackedUp", hint("BackedUp", workspace), key=kept.id)


def _backup_failed(old: WorkspaceStatus, workspace: Workspace) -> Iterator[_Said]:
    failed, before = _failure(workspace.status), _failure(old)
    if failed is None or (before is not None and _class_of(before) == _class_of(failed)):
        return
    said = f"{sentence(failed.message)} {hint('BackupFailed', workspace)}"
    key = f"{moment(workspace.status.stopped_at)} {_class_of(failed)}"
    yield _Said("BackupFailed", said, key=key, is_warning=True, is_sent=True)


_RULES: Final[tuple[Callable[[WorkspaceStatus, Workspace], Iterator[_Said]], ...]] = (
    _lost,
    _held,
    _queued,
    _claimed,
    _warned,
    _backed_up,
    _backup_failed,
    _moved,
)


def _notice(said: _Said, workspace: Workspace, *, pool: MachinePool | None, now: datetime) -> Notice:
    meta = workspace.metadata
    send_to = pool.spec.notifications if pool is not None and said.is_sent else None
    return Notice(
        kind="Workspace",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        reason=said.reason,
        message=said.message,
        at=now,
        is_warning=said.is_warning,
        key=said.key,
        send_to=send_to,
        pool=pool if send_to is not None else None,
    )


def _is_new_claim(old: WorkspaceStatus, new: WorkspaceStatus) -> bool:
    return new.machine is not None and (old.machine, old.claimed_at) != (new.machine, new.claimed_at)


def _ready(status: WorkspaceStatus) -> Condition | None:
    return find_condition(status.conditions, "Ready")


def _hold(status: WorkspaceStatus) -> Condition | None:
    """Return what says why nobody serves the workspace, if something beyond the queue keeps it waiting."""
    if status.phase != "Pending" or status.machine is not None or status.queue is not None:
        return None
    ready = _ready(status)
    return ready if ready is not None and ready.status == "False" and ready.reason not in _IN_THE_QUEUE else None


def _failure(status: WorkspaceStatus) -> Condition | None:
    saved = find_condition(status.conditions, "BackedUp")
    if saved is None or saved.status != "False" or saved.reason in BACKUP_UNDER_WAY:
        return None
    return saved


def _class_of(failed: Condition) -> str:
    return f"{failed.reason} {message_class(failed.message)}"


def _because(status: WorkspaceStatus, what: str) -> str:
    """Put the status' own sentence, which says why, before what it means for people."""
    ready = _ready(status)
    return f"{sentence(ready.message)} {what}" if ready is not None and ready.message else what
