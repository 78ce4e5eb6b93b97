"""The laws that hold whatever happens, each a function that reads what kubectl and AWS show, and says what broke it."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from e2e.cluster import Object
from e2e.journal import Journal
from e2e.scene import SOON, Pool, Scene
from e2e.simulator import Simulator
from waiting import wait_for

_ENDS = frozenset({"shutting-down", "terminated"})
_STOPS = frozenset({"stopping", "stopped"})
_BY_A_PERSON = ("person", "DeleteAutoScalingGroup")


def everything_holds(scene: Scene, journal: Journal) -> None:
    """Assert everything that must be true at the end of any test, whatever it did."""
    machines, workspaces = scene.cluster.items("machines"), scene.cluster.items("workspaces")
    journal.catch_up([_with_kind("Machine", m) for m in machines])
    journal.catch_up([_with_kind("Workspace", w) for w in workspaces])
    no_slot_has_two_users(journal)
    no_machine_is_reaped_under_its_user(journal)
    no_workspace_has_two_claims(machines)
    for pool in scene.pools:
        only_reaped_machines_are_ended(journal, scene.simulator, group=pool.group)


def no_slot_has_two_users(journal: Journal) -> None:
    """Assert that no slot was ever told to two living workspaces at the same time."""
    by_slot = defaultdict(list)
    for seat in journal.seats():
        by_slot[seat.machine, seat.slot].append(seat)
    for (machine, slot), seats in by_slot.items():
        for earlier, later in pairwise(seats):
            assert earlier.ends is not None, f"slot {slot} of {machine} was told to {earlier} and to {later}"
            assert earlier.ends < later.begins, f"slot {slot} of {machine} was told to {earlier} and to {later}"


def no_machine_is_reaped_under_its_user(journal: Journal) -> None:
    """Assert that a machine's end was decided only after the workspace on it was gone, unless the machine was."""
    for seat in journal.seats():
        reaped = journal.reaped(seat.machine)
        if reaped is not None and reaped.reason != "Lost":
            assert seat.ends is not None, f"{seat} lives, and its machine was reaped: {reaped}"
            assert seat.ends < reaped.at, f"{seat} ended after its machine was reaped: {reaped}"


def no_workspace_has_two_claims(machines: Iterable[Object]) -> None:
    """Assert that every workspace is in the claims of one machine at most, and every slot in one claim."""
    homes: dict[str, str] = {}
    for machine in machines:
        name, claims = machine["metadata"]["name"], machine["spec"].get("claims", [])
        slots = [claim["slot"] for claim in claims]
        assert len(set(slots)) == len(slots) <= machine["spec"]["slots"], f"{name} has claims {claims}"
        for claim in claims:
            uid = claim["workspace"]["uid"]
            assert uid not in homes, f"{claim['workspace']} has claims on {homes[uid]} and on {name}"
            homes[uid] = name


def only_reaped_machines_are_ended(journal: Journal, simulator: Simulator, *, group: str) -> None:
    """Assert that every machine that a call of ours, or the group by itself, ended or stopped was to be, by its record.

    What a person ends is the person's, by deleting the group too.
    """
    for machine in simulator.machines(group):
        ends = [change for change in machine["changes"] if change["what"] == "state" and change["new"] in _ENDS]
        if ends and not ends[0]["cause"].endswith(_BY_A_PERSON):
            assert journal.reaped(machine["id"]), f"{machine['id']} was ended by {ends[0]} without a decision"
        stops = [change for change in machine["changes"] if change["what"] == "state" and change["new"] in _STOPS]
        if stops and not stops[0]["cause"].endswith(_BY_A_PERSON):
            is_decided = journal.is_to_rest(machine["id"]) or journal.reaped(machine["id"])
            assert is_decided, f"{machine['id']} was stopped by {stops[0]} without a decision"


def live_machines_stay_within(pool: Pool, ceiling: int) -> None:
    """Assert that at no moment more machines were live than allowed, as AWS saw it."""
    most = pool.simulator.most_alive(pool.group)
    assert most <= ceiling, f"{most} machines of {pool.group} were live at once, {ceiling} are allowed"


def claims_and_statuses_agree(pool: Pool) -> None:
    """Assert that every claim is the place that its workspace was told, and every told place has its claim."""
    told = {
        (workspace["metadata"]["uid"], workspace["status"]["machine"], workspace["status"]["slot"])
        for workspace in pool.workspaces()
        if workspace.get("status", {}).get("machine")
    }
    claimed = {
        (claim["workspace"]["uid"], machine["metadata"]["name"], claim["slot"])
        for machine in pool.machines()
        for claim in machine["spec"].get("claims", [])
    }
    assert told == claimed, f"told, not claimed: {told - claimed}; claimed, not told: {claimed - told}"


def claimed_machines_run(pool: Pool) -> None:
    """Assert that every machine that somebody holds is running in AWS."""
    states = {machine["id"]: machine["state"] for machine in pool.simulator.machines(pool.group)}
    for machine in pool.machines():
        if machine["spec"].get("claims"):
            name = machine["metadata"]["name"]
            assert states[name] == "running", f"{name} is claimed and {states[name]}"


def is_at_rest(pool: Pool, *, idle: int, spare: int = 0, within: float = SOON) -> None:
    """Wait until the pool has its buffer, everybody is served, and records, statuses and AWS say the same.

    `spare` slots more may be idle, where workspaces have left machines that others still use.
    """

    def rests() -> bool:
        status, machines = pool.status(), pool.machines()
        unsettled = {key: status.get(key) for key in ("booting", "waiting", "quarantined") if status.get(key) != 0}
        assert not unsettled, status
        phases = {machine["metadata"]["name"]: machine["status"]["phase"] for machine in machines}
        assert set(phases.values()) <= {"Idle", "Claimed"}, phases
        live = {machine["id"] for machine in pool.simulator.live(pool.group)}
        assert live == set(phases), f"live: {live}; recorded: {phases}"
        claimed = sum(len(machine["spec"].get("claims", [])) for machine in machines)
        free = sum(machine["spec"]["slots"] for machine in machines) - claimed
        told = {key: status.get(key) for key in ("idle", "claimed", "machines")}
        assert told == {"idle": free, "claimed": claimed, "machines": len(live)}, f"the pool says {told}: {machines}"
        assert idle <= free <= idle + spare, f"{free} slots are idle: {status}"
        claims_and_statuses_agree(pool)
        claimed_machines_run(pool)
        return True

    wait_for(rests, what=f"pool {pool.name} is at rest with {idle} idle slots", within=within)


def another_pool_is_served(scene: Scene, steady: Pool) -> None:
    """Assert that the operator still serves a pool that has nothing to do with the trouble of the test."""
    name = scene.namespace
    steady.apply(name)
    scene.kubectl("wait", "ws", name, "-n", steady.namespace, "--for=condition=Ready", f"--timeout={SOON:.0f}s")
    steady.delete(name)


def _with_kind(kind: str, thing: Object) -> Object:
    """Return an object of a list with the kind that lists leave out."""
    return {**thing, "kind": kind}
