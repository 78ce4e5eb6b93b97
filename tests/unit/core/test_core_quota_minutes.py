"""The minutes that a day allows an owner: who has used them up waits for midnight, or is stopped."""

from datetime import timedelta
from typing import Any

from factories import NOW, after, bound, claim, facts, machine, machine_id, pool, rank, workspace
from hotdesk.api.v1alpha1 import (
    Lifecycle,
    MachinePool,
    MachinePoolStatus,
    Next,
    OwnerSeconds,
    Quota,
    Today,
    Used,
)
from hotdesk.api.wire import NEVER
from hotdesk.core.actions import ReportPool
from hotdesk.core.group.capacity import Rise
from hotdesk.core.lifecycle.following import verdict_on
from hotdesk.core.lifecycle.idleness import Active, Due, Warn
from hotdesk.core.planner import Memory, plan_upkeep
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.quota.owners import OwnerQuota
from hotdesk.core.quota.stretches import Stretch


class TestMinutes:
    def used_up(self) -> OwnerQuota:
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_minutes_per_owner_per_day=60))
        counted.turn(NOW)
        counted.put(Stretch("m/0", "ada", NOW))
        counted.hold("uid-1", owner="ada")
        counted.ask(rank(2), owner="ada")
        counted.ask(rank(3), owner="eve")
        return counted

    def test_who_has_used_them_up_is_held_until_midnight_and_others_are_not(self):
        counted = self.used_up()
        assert counted.turn(after(3599)) == set()
        assert counted.turn(after(3600)) == {"uid-1", "uid-2"}, "who runs is to be looked at, too"
        told = counted.obstacle("uid-2")
        assert told is not None
        assert (told.reason, told.stalled) == ("QuotaExceeded", False)
        assert told.message == (
            'Owner "ada" has used up the 60 minutes a day that MachinePool dev allows one owner '
            "(spec.quota.maxMinutesPerOwnerPerDay). It is served again at 2026-03-03 00:00 UTC, "
            "or when the quota is raised."
        )
        assert counted.obstacle("uid-1") is None, "a quota takes no machine away at once"
        assert counted.obstacle("uid-3") is None
        assert counted.turn(after(12 * 3600)) == {"uid-1", "uid-2"}
        assert counted.obstacle("uid-2") is None

    def test_time_that_moves_from_a_machine_into_the_record_of_the_day_is_counted_once_at_every_moment(self):
        counted = self.used_up()
        counted.turn(after(1800))
        done = Stretch("m/0/1", "ada", NOW, after(1800))
        counted.drop("m/0")
        counted.put(done)
        today = Today(date="2026-03-02", owners=(OwnerSeconds(owner="ada", seconds=1800),), counted=("m/0/1",))
        counted.take_today(today)
        assert counted.minutes.used("ada") == timedelta(minutes=30)
        counted.take_today(today.model_copy(update={"counted": ()}))
        assert counted.minutes.used("ada") == timedelta(minutes=30)


class TestMinutesOfAPool:
    def limited(self, minutes: int, version: int = 1, **fields: Any) -> MachinePool:
        return pool(version=version, quota=Quota(max_minutes_per_owner_per_day=minutes), **fields)

    def running(self, minutes: int = 60) -> PoolFacts:
        owned = claim("a").model_copy(update={"owner": "ada"})
        known = facts(
            machine(1, claims=[owned]), of=self.limited(minutes), workspaces=[bound("a", machine=machine_id(1))]
        )
        known.turn(NOW)
        return known

    def test_a_machine_that_runs_uses_them_up_and_new_ones_wait_until_midnight(self):
        known = self.running()
        known.upsert_workspace(workspace("b"))
        known.turn(after(3599))
        assert known.waiting.keys() == {"uid-b"}
        known.turn(after(3600))
        assert "used up the 60 minutes" in known.held["uid-b"].message
        assert known.quota.minutes.used_up_at("ada") == after(3600)
        known.turn(after(12 * 3600))
        assert known.waiting.keys() == {"uid-b"}

    def test_what_the_pools_status_tells_of_the_day_counts_after_a_restart(self):
        known = self.running()
        known.upsert_workspace(workspace("b"))
        today = Today(date="2026-03-02", owners=(OwnerSeconds(owner="ada", seconds=3000),))
        known.set_pool(self.limited(60, version=2, status=MachinePoolStatus(today=today)))
        known.turn(after(599))
        assert known.waiting.keys() == {"uid-b"}
        known.turn(after(600))
        assert known.held.keys() == {"uid-b"}

    def test_time_on_record_goes_into_the_pools_status_and_counts_once_at_every_moment(self):
        known = self.running()
        used = Used(
            slot=0,
            workspace=claim("gone").workspace,
            owner="ada",
            since=after(-1800),
            until=NOW,
        )
        left = machine(2, reap="Used")
        left = left.model_copy(update={"spec": left.spec.model_copy(update={"used": (used,)})})
        known.upsert_machine(left)
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        (report,) = [a for a in plan_upkeep(known, _memory(), now=NOW).actions if isinstance(a, ReportPool)]
        today = report.status.today
        assert today is not None
        assert today.owners == (OwnerSeconds(owner="ada", seconds=1800),)
        known.set_pool(self.limited(60, version=2, status=report.status))
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        newer = left.metadata.model_copy(update={"resource_version": "2"})
        known.upsert_machine(left.model_copy(update={"metadata": newer}))
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        known.remove_machine(machine_id(2))
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        (report,) = [a for a in plan_upkeep(known, _memory(), now=NOW).actions if isinstance(a, ReportPool)]
        assert report.status.today == today.model_copy(update={"counted": ()})

    def test_who_runs_is_looked_at_when_they_are_used_up_and_is_no_candidate_for_another_machine(self):
        known = self.running()
        known.life.astir.clear()
        known.turn(after(3600))
        assert "uid-a" in known.life.astir
        assert known.waiting == known.held == known.asleep == {}

    def test_who_runs_is_warned_and_stopped_where_the_pool_has_a_lifecycle_and_nowhere_else(self):
        known = self.running()
        known.turn(after(3590))
        seated = known.workspaces["uid-a"]
        assert isinstance(verdict_on(known, seated, now=after(3590)), Active)
        known.set_pool(self.limited(60, version=2, lifecycle=Lifecycle(idle_timeout=NEVER)))
        verdict = verdict_on(known, seated, now=after(3590))
        assert isinstance(verdict, Warn)
        assert verdict.stop_at == after(3590) + timedelta(minutes=10)
        ahead = Next(action="Stop", at=after(3600), reason="", warned_at=after(2990), since=verdict.since)
        told = seated.status.model_copy(update={"next": ahead})
        warned = workspace("a", version=2, status=told)
        known.life.uptime = timedelta(hours=1)
        known.upsert_workspace(warned)
        known.life.uptime = timedelta(hours=2)
        assert verdict_on(known, warned, now=after(3600)) == Due("Quota")

    def test_without_such_a_quota_no_day_is_kept(self):
        known = facts(of=pool(quota=Quota(max_workspaces_per_owner=1)))
        (report,) = [a for a in plan_upkeep(known, _memory(), now=NOW).actions if isinstance(a, ReportPool)]
        assert report.status.today is None

    def test_a_quota_that_comes_later_counts_what_runs_already(self):
        owned = claim("a").model_copy(update={"owner": "ada"})
        known = facts(machine(1, claims=[owned]), workspaces=[bound("a", machine=machine_id(1))])
        known.turn(NOW)
        known.set_pool(self.limited(10, version=2))
        known.turn(after(600))
        assert known.quota.minutes.is_used_up("ada")


def _memory() -> Memory:
    return Memory(rise=Rise(machines=0, at=NOW))
