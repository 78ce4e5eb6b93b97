"""A quota of an owner is never exceeded, at no moment of the storage's history, and never keeps back one too many."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest

from component.desk import Desk, at_a_desk
from component.replicas import owner_of, replica
from fakes.apiserver.faults import Trouble
from fakes.apiserver.kinds import Kind
from hotdesk.adapters.kube.session import KubeSession

MANY = [f"w{number:03d}" for number in range(200)]


class Served:
    """Who is published, by owner, after every write that the API server stored; the most there ever were."""

    def __init__(self, desk: Desk) -> None:
        self.now: dict[str, set[str]] = {}
        self.most: dict[str, int] = {}
        self.created: list[str] = []  # names, in the order of creation
        self.order: list[str] = []  # names, as they were first served
        desk.server.storage.subscribe(self._see)

    def _see(self, kind: Kind, event_type: str, stored: dict[str, Any]) -> None:
        if kind.plural != "workspaces":
            return
        owner, name = stored["spec"]["owner"], stored["metadata"]["name"]
        self.created += [name] if name not in self.created else []
        serving = self.now.setdefault(owner, set())
        serving.discard(name)
        if event_type != "DELETED" and stored.get("status", {}).get("machine") is not None:
            serving.add(name)
            self.order += [name] if name not in self.order else []
        self.most[owner] = max(self.most.get(owner, 0), len(serving))


def reasons(desk: Desk, names: Iterable[str]) -> set[str]:
    found = [desk.workspace(name).status for name in names]
    return {c.reason for status in found for c in status.conditions if c.type == "Ready"} | {
        "untold" for status in found if not status.conditions
    }


async def until_held(desk: Desk, *names: str) -> None:
    # Two operators tell 100 workspaces each, and half of what they write conflicts.
    await desk.until(lambda: reasons(desk, names) == {"QuotaExceeded"}, what="they are told of the quota", within=80)


@pytest.mark.parametrize("field", ["maxWorkspacesPerOwner", "maxRunningPerOwner"])
@pytest.mark.parametrize("operators", [1, 2])
def test_a_burst_of_one_owner_is_served_exactly_as_far_as_the_quota_goes(operators: int, field: str):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        served = Served(desk)
        desk.add_pool(idle=6, maxMachines=20, quota={field: 3})
        for _ in range(operators):
            await desk.operator()
        await desk.until_idle(6)
        await _create(desk, MANY[: 200 // operators])
        oldest = served.created
        await desk.until_bound(*oldest[:3])
        await until_held(desk, *oldest[3:])
        desk.ask("other", owner="eve")
        await desk.until_bound("other")
        for gone in range(4):
            desk.leave(oldest[gone])
            await desk.until_bound(*oldest[gone + 1 : gone + 4])
        await until_held(desk, *oldest[7:-1])
        assert served.most == {"ada": 3, "eve": 1}
        told = [name for name in served.order if name != "other"]
        assert (set(told[:3]), told[3:]) == (set(oldest[:3]), oldest[3:7])  # the first three are told at the same time
        await desk.until(lambda: desk.claimed().keys() == {*oldest[4:7], "other"}, what="nothing more is claimed")

    scenario()


async def _create(desk: Desk, names: Iterable[str]) -> None:
    """Create workspaces of one owner all at once, each with a request of its own."""

    async def create(name: str) -> int:
        body = {
            "apiVersion": "hotdesk.dev/v1alpha1",
            "kind": "Workspace",
            "metadata": {"name": name},
            "spec": {"pool": "pool", "owner": "ada"},
        }
        path = "/apis/hotdesk.dev/v1alpha1/namespaces/team/workspaces"
        return (
            await session.write("POST", path, body=json.dumps(body).encode(), content_type="application/json")
        ).status

    async with KubeSession(desk.server.connection, connections=16) as session:
        assert set(await asyncio.gather(*map(create, names))) == {201}


@at_a_desk()
async def test_a_quota_that_is_raised_lowered_and_removed_is_followed_and_takes_no_machine_away(desk: Desk):
    served = Served(desk)
    desk.add_pool(idle=2, quota={"maxRunningPerOwner": 1})
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("a", "b", "c", "d", "e")
    await desk.until_bound("a")
    await until_held(desk, "b", "c", "d", "e")
    desk.server.patch("machinepools", "pool", {"spec": {"quota": {"maxRunningPerOwner": 3}}})
    await desk.until_bound("a", "b", "c")
    await until_held(desk, "d", "e")
    assert served.most == {"ada": 3}
    before = desk.claimed()
    desk.server.patch("machinepools", "pool", {"spec": {"quota": {"maxRunningPerOwner": 1}}})
    await desk.until(lambda: "uses 3 of the 1 " in _message(desk, "d"), what="it is told the new numbers")
    await desk.looked()
    assert desk.claimed() == before
    desk.leave("a")
    await desk.until(lambda: "uses 2 of the 1 " in _message(desk, "d"), what="it is told the new numbers")
    desk.leave("b", "c")
    await desk.until_bound("d")
    await until_held(desk, "e")
    desk.server.patch("machinepools", "pool", {"spec": {"quota": None}})
    await desk.until_bound("d", "e")
    assert served.order == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("write", [("patch", "machines"), ("patch", "workspaces/status")])
@pytest.mark.parametrize("moment", [Trouble.HOLD, Trouble.HOLD_ANSWER])
def test_an_operator_killed_in_the_burst_leaves_the_quota_whole(write: tuple[str, str], moment: Trouble):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        served = Served(desk)
        desk.add_pool(idle=4, maxMachines=12, quota={"maxWorkspacesPerOwner": 2})
        first = await desk.operator()
        await desk.until_idle(4)
        held = desk.inject(moment, *write)
        desk.ask(*MANY[:20])
        await held.arrived()
        await first.kill()
        await desk.operator()
        held.open()
        # They were all created in the same second: which of them come first is not kept over a restart.
        await desk.until(lambda: len(at_work(desk)) == 2, what="two are served")
        await until_held(desk, *(name for name in MANY[:20] if name not in at_work(desk)))
        desk.leave(at_work(desk)[0])
        await desk.until(lambda: len(at_work(desk)) == 2, what="the next one is served")
        assert served.most == {"ada": 2}

    scenario()


def at_work(desk: Desk) -> list[str]:
    """Return who has been told of a machine that is claimed for them."""
    there = {found["metadata"]["name"] for found in desk.server.objects("workspaces")}
    return sorted(name for name in desk.claimed() if name in there and desk.workspace(name).status.machine is not None)


@at_a_desk()
async def test_a_claim_that_arrives_after_the_quota_was_used_up_is_given_back(desk: Desk):
    served = Served(desk)
    desk.add_pool(idle=2, quota={"maxRunningPerOwner": 1})
    await desk.operator()
    await desk.until_idle(2)
    desk.ask("served", "held")
    await desk.until_bound("served")
    await until_held(desk, "held")
    (free, *_) = desk.idle()
    _claim(desk, free, "held")  # as the late call of a dead operator would
    await desk.until_gone(free)
    assert served.most == {"ada": 1}
    assert desk.claimed().keys() == {"served"}
    assert reasons(desk, ["held"]) == {"QuotaExceeded"}


@at_a_desk()
async def test_a_claim_beyond_the_quota_whose_workspace_was_published_unheard_of_is_kept(desk: Desk):
    desk.add_pool(idle=2, quota={"maxRunningPerOwner": 1})
    operator = await desk.operator()
    await desk.until_idle(2)
    desk.ask("served", "held")
    await desk.until_bound("served")
    await until_held(desk, "held")
    await desk.until_idle(2)
    operator.is_deaf = True
    (free, *_) = desk.idle()
    _claim(desk, free, "held")
    status = {"phase": "Running", "machine": free, "slot": 0}
    desk.server.patch("workspaces", "held", {"status": status}, namespace="team", status=True)
    operator.is_deaf = False
    operator.directory.upsert(desk.machine(free))
    facts = operator.directory._actors["pool"].facts
    await desk.until(lambda: facts.seats.get(free), what="the operator finds it published")
    await desk.until(lambda: not facts.unsettled_machines, what="it has made up its mind")
    await desk.looked()
    assert desk.claimed()["held"] == free
    assert desk.workspace("held").status.machine == free


@pytest.mark.parametrize("late", range(3))
def test_a_takeover_in_the_middle_of_a_burst_keeps_the_quota(late: int):
    @at_a_desk()
    async def scenario(desk: Desk) -> None:
        served = Served(desk)
        desk.add_pool(idle=4, maxMachines=12, quota={"maxRunningPerOwner": 2})
        first, second = await replica(desk, "a"), await replica(desk, "b")
        await desk.until_idle(4)
        owner = owner_of("pool", first, second)
        for number, name in enumerate(MANY[:20]):
            desk.ask(name)
            if number == late:
                await asyncio.sleep(0.01 * late)
                leaving = asyncio.create_task(owner.kill() if late else owner.leave())
        await leaving
        await desk.until_bound(*MANY[:2])
        await until_held(desk, *MANY[2:20])
        desk.leave(MANY[1])
        await desk.until_bound(MANY[0], MANY[2])
        assert served.most == {"ada": 2}

    scenario()


def _message(desk: Desk, name: str) -> str:
    return next((c.message for c in desk.workspace(name).status.conditions if c.type == "Ready"), "")


def _claim(desk: Desk, machine: str, name: str) -> None:
    """Write the claim of a machine past every operator."""
    meta = desk.workspace(name).metadata
    holder = {"namespace": meta.namespace, "name": meta.name, "uid": meta.uid}
    claim = {"slot": 0, "workspace": holder, "claimedAt": "2026-03-02T12:00:00.000000Z"}
    desk.server.patch("machines", machine, {"spec": {"claims": [claim]}})
