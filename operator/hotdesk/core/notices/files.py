"""What is told of a workspace's files: saved, not saved, not brought back."""

from collections.abc import Iterator
from typing import Final

from hotdesk.api.conditions import Condition, find_condition
from hotdesk.api.v1alpha1 import Workspace, WorkspaceStatus
from hotdesk.core.notices.notice import moment
from hotdesk.core.notices.said import Said, because, class_of, ready_of
from hotdesk.core.notices.texts import hint, sentence

BACKUP_UNDER_WAY: Final = frozenset({"BackingUp", "InProgress", "NotStarted", "Pending", "Running", "Waiting"})
"""Reasons of BackedUp=False that say it is not there yet; every other one says that it failed."""


def backed_up(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell that a backup was verified."""
    kept, before = workspace.status.backup, old.backup
    if kept is not None and (before is None or before.id != kept.id):
        yield Said("BackedUp", hint("BackedUp", workspace), key=kept.id)


def backup_failed(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell that a backup failed, once for each way to fail."""
    failed, before = _unsaved(workspace.status), _unsaved(old)
    if failed is not None and _is_another(failed, before):
        said = f"{sentence(failed.message)} {hint('BackupFailed', workspace)}"
        key = f"{moment(workspace.status.stopped_at)} {class_of(failed)}"
        yield Said("BackupFailed", said, key=key, is_warning=True, is_sent=True)


def restore_failed(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell that files were not brought back, once for each way to fail."""
    new, failed = workspace.status, ready_of(workspace.status)
    if failed is not None and failed.reason == "RestoreFailed" and _is_another(failed, ready_of(old)):
        said = because(new, hint("RestoreFailed", workspace))
        key = f"{moment(new.claimed_at)} {class_of(failed)}"
        yield Said("RestoreFailed", said, key=key, is_warning=True, is_sent=True)


def _is_another(failed: Condition, before: Condition | None) -> bool:
    return before is None or class_of(before) != class_of(failed)


def _unsaved(status: WorkspaceStatus) -> Condition | None:
    saved = find_condition(status.conditions, "BackedUp")
    if saved is None or saved.status != "False" or saved.reason in BACKUP_UNDER_WAY:
        return None
    return saved
