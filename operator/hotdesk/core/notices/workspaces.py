"""Which notices a change of a workspace's status is worth."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from hotdesk.api.v1alpha1 import MachinePool, Workspace, WorkspaceStatus
from hotdesk.core.notices import claims, files, lives
from hotdesk.core.notices.notice import Notice
from hotdesk.core.notices.said import Said

_Rule = Callable[[WorkspaceStatus, Workspace], Iterator[Said]]
_RULES: Final[tuple[_Rule, ...]] = (
    claims.lost,
    claims.held,
    claims.queued,
    claims.claimed,
    lives.warned,
    files.backed_up,
    files.backup_failed,
    files.restore_failed,
    lives.moved,
)


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


def _notice(said: Said, workspace: Workspace, *, pool: MachinePool | None, now: datetime) -> Notice:
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
