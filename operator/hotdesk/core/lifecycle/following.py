"""Watching a workspace that runs: activity is recorded, its end is warned of, and at last its machine is stopped."""

from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Machine, Workspace
from hotdesk.core.actions import ReportWorkspace, StopMachine
from hotdesk.core.doomed import doom_of
from hotdesk.core.facts import Instance
from hotdesk.core.lifecycle import told
from hotdesk.core.lifecycle.idleness import ROUGHLY, Active, Due, Signs, Unsure, Verdict, Warn, is_probed, judge
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.proofs import backup_of
from hotdesk.core.terms import Terms, terms_of

_SOON = timedelta(seconds=5)
_LATER = timedelta(minutes=5)
_RECORDED = 10  # activity is recorded when it moved by a tenth of the idle timeout


def follow(
    facts: PoolFacts, workspace: Workspace, machine: Machine, instance: Instance, *, now: datetime
) -> ReportWorkspace | StopMachine | None:
    """Watch a workspace that runs: record activity, warn, and at last have its machine stopped."""
    if facts.pool is None:
        return None
    if not _can_rest(facts, instance):
        return _run_on(facts, workspace, now=now)
    doom = doom_of(machine, instance)
    if doom is not None and doom.reason == "SpotInterruption" and machine.metadata.name not in facts.members:
        return StopMachine(machine=machine, reason="Interrupted", final=False)
    terms = terms_of(workspace, facts.pool)
    verdict = verdict_on(facts, workspace, now=now)
    match verdict:
        case Active(until=until):
            facts.life.put(workspace.metadata.uid, until)
            return _recorded(facts, workspace, verdict, terms, now=now)
        case Unsure(until=until, because=because):
            facts.life.put(workspace.metadata.uid, until)
            status = told.unsure(workspace, because=because, now=now) if because is not None else workspace.status
            return ReportWorkspace(workspace=workspace, status=status) if status != workspace.status else None
        case Warn(stop_at=stop_at, reason=reason, since=since):
            facts.life.put(workspace.metadata.uid, stop_at)
            status = told.warned(workspace, stop_at=stop_at, reason=reason, since=since, now=now)
            return ReportWorkspace(workspace=workspace, status=status)
        case Due(reason=why):
            name = machine.metadata.name
            if name in facts.members or name in facts.busy or not _all_due(facts, machine, now=now):
                facts.life.put(workspace.metadata.uid, now + _SOON)
                return None
            backup = backup_of(facts.pool)
            is_final = not instance.spot and (backup is None or backup.method != "S3Archive")
            return StopMachine(machine=machine, reason=why, final=is_final)


def verdict_on(facts: PoolFacts, workspace: Workspace, *, now: datetime) -> Verdict:
    """Return what is to be done about a workspace that runs; its pool must be known."""
    if facts.pool is None:
        raise ValueError(f"the pool of {workspace.metadata.name} is not known")
    name, status = workspace.status.machine or "", workspace.status
    minutes = facts.quota.minutes
    used_up_at = minutes.used_up_at(workspace.spec.owner) if facts.pool.spec.lifecycle is not None else None
    signs = Signs(
        workspace=workspace,
        evidence=facts.life.evidence.get(name),
        warned_for=facts.life.warned_for(workspace.metadata.uid),
        is_probed=is_probed(facts.pool),
        handed_over_at=status.ready_at or status.claimed_at or now,
        used_up_at=used_up_at,
    )
    return judge(signs, terms_of(workspace, facts.pool), now=now)


def _run_on(facts: PoolFacts, workspace: Workspace, *, now: datetime) -> ReportWorkspace | None:
    """Tell, of a machine that should rest and cannot, what to do about it."""
    if facts.pool is None:
        return None
    terms, verdict = terms_of(workspace, facts.pool), verdict_on(facts, workspace, now=now)
    if isinstance(verdict, Active):
        facts.life.put(workspace.metadata.uid, verdict.until)
        if told.is_unstoppable(workspace):
            status = told.active(workspace, seen=None, stop_at=verdict.stop_at, terms=terms, now=now)
            return ReportWorkspace(workspace=workspace, status=status)
        return _recorded(facts, workspace, verdict, terms, now=now)
    facts.life.put(workspace.metadata.uid, now + _LATER)
    status = told.unstoppable(workspace, pool=facts.name, now=now)
    return ReportWorkspace(workspace=workspace, status=status) if status != workspace.status else None


def _can_rest(facts: PoolFacts, instance: Instance) -> bool:
    """Tell whether a machine can rest without loss: EC2 stops no spot machine, so one that rests ends, and is saved."""
    return not instance.spot or backup_of(facts.pool) is not None


def _all_due(facts: PoolFacts, machine: Machine, *, now: datetime) -> bool:
    """Tell whether every workspace on the machine is to be stopped; one that is not known, or not seated, is not."""
    for claim in machine.spec.claims:
        workspace = facts.workspaces.get(claim.workspace.uid)
        if workspace is None or workspace.status.machine != machine.metadata.name:
            return False
        if not isinstance(verdict_on(facts, workspace, now=now), Due):
            return False
    return True


def _recorded(
    facts: PoolFacts, workspace: Workspace, verdict: Active, terms: Terms, *, now: datetime
) -> ReportWorkspace | None:
    """Tell of activity that a machine's program saw, if it moved far enough, and take back what it has averted."""
    status = workspace.status
    ahead, stop_at = status.next, verdict.stop_at
    if ahead is not None and ahead.warned_at is not None and ahead.at == stop_at:
        return None  # the warning stands: what was seen before it is no news
    evidence = facts.life.evidence.get(status.machine or "")
    seen = None
    if evidence is not None and evidence.last_input is not None and terms.idle_timeout is not None:
        known = status.last_activity_time or status.ready_at or status.claimed_at
        if known is None or evidence.last_input - known >= max(terms.idle_timeout / _RECORDED, ROUGHLY):
            seen = (min(evidence.last_input, now), evidence.source or "Probe")
    is_averted = ahead is not None and ahead.warned_at is not None and stop_at is not None and stop_at > ahead.at
    is_outdated = (ahead is None) is not (stop_at is None) or (
        ahead is not None and stop_at is not None and ahead.at < now < stop_at
    )
    if seen is None and not is_averted and not (is_outdated and stop_at is not None):
        return None
    after = told.active(workspace, seen=seen, stop_at=stop_at, terms=terms, now=now)
    return ReportWorkspace(workspace=workspace, status=after) if after != status else None
