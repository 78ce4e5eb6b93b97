"""What is told to workspaces outside the queue: why they are not served, and what a changed spec means."""

from collections.abc import Iterator
from datetime import datetime

from hotdesk.core import workspace_status
from hotdesk.core.actions import ReportWorkspace
from hotdesk.core.lifecycle import told
from hotdesk.core.pool_facts import PoolFacts


def plan_held(facts: PoolFacts, *, now: datetime) -> Iterator[ReportWorkspace]:
    """Tell those who cannot be served why."""
    for uid in tuple(facts.unreported & facts.held.keys()):
        workspace = facts.workspaces[uid]
        status = workspace_status.held(workspace, facts.held[uid], now=now)
        if status == workspace.status:
            facts.unreported.discard(uid)
        else:
            yield ReportWorkspace(workspace=workspace, status=status)


def plan_refreshed(facts: PoolFacts) -> Iterator[ReportWorkspace]:
    """Tell those who have a machine that a change of their spec was seen: owner and project are part of the URL."""
    for uid in tuple(facts.unreported - facts.held.keys() - facts.waiting.keys()):
        workspace = facts.workspaces.get(uid)
        machine = facts.machines.get(workspace.status.machine or "") if workspace is not None else None
        is_behind = workspace is not None and workspace.status.observed_generation != workspace.metadata.generation
        if workspace is None or machine is None or facts.pool is None or not is_behind:
            facts.unreported.discard(uid)
            continue
        status = told.respecified(workspace, machine=machine, pool=facts.pool)
        yield ReportWorkspace(workspace=workspace, status=status)
