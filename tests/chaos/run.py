"""One run: a stack, replicas, users and faults, then rest; what is returned is the history of all of it."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from chaos import audit
from chaos.api import HOTDESK, Api
from chaos.clocks import SteppingClock
from chaos.faults import Chaos, Fault
from chaos.history import AwsCall, Deed, History, InstanceChange, LeaseSeen, Live, MachineSeen, WorkspaceSeen
from chaos.nets import PARTS, Network, PlacedState
from chaos.replicas import Replicas
from chaos.store import filled
from chaos.users import NAMESPACE, Crowd, Prober, User
from chaos.watching import Watching
from e2e import laws, manifests
from e2e.cluster import Cluster
from e2e.scene import Pool
from e2e.simulator import Simulator
from e2e.stage import LAUNCH_TEMPLATE, start_stack
from hotdesk_local.stack import LocalStack
from waiting import wait_for

_REST = 120.0  # seconds within which everything comes to rest
_RESTING = "rests"
_DISK = "size=400m"  # etcd's log alone takes 64 MB at a time
_PROBED = ("probed-1", "probed-2", "probed-3", "probed-4")
_POOLS: dict[str, dict[str, Any]] = {
    "roomy": {"idle": 3, "max_machines": 14},
    "tight": {"idle": 2, "max_machines": 5},  # more users than machines
    "shared": {"idle": 4, "max_machines": 5, "slots": 3},
    _RESTING: {
        "idle": 2,
        "max_machines": 10,
        "lifecycle": {"idleTimeout": "5s", "warnBefore": "2s", "retention": "6s"},
        "backup": {"method": "EBSSnapshot"},
    },
    **{name: {"idle": 3, "max_machines": 8} for name in _PROBED},
}
_USERS = {"roomy": 5, "tight": 6, "shared": 7, _RESTING: 5}


@dataclass(frozen=True)
class Plan:
    """What one run is made of."""

    seed: int
    seconds: float
    faults: Mapping[str, Fault]
    say: Any
    isolated: bool = False
    """Each part has a network namespace of its own, and the stack a small disk."""
    clocked: bool = False
    """Each replica has a wall clock of its own."""
    bug: str = ""
    """A bug of `laws.planted` that the operators are to have."""


@dataclass
class Scenery:
    """What stands while a run lasts."""

    stack: LocalStack
    cluster: Cluster
    simulator: Simulator
    crowd: Crowd
    replicas: Replicas
    chaos: Chaos
    audit_log: Path
    pools: list[Pool]
    began: float


def run(plan: Plan, folder: Path) -> History:
    """Let it happen, and return what has happened."""
    with ExitStack() as closing:
        scenery = _set_up(plan, folder, closing)
        users = _users(plan, scenery)
        for user in users:
            user.start()
        _let_go_wrong(plan, scenery)
        scenery.crowd.over.set()
        with scenery.crowd.watching.changed:
            scenery.crowd.watching.changed.notify_all()
        for user in users:
            user.join(timeout=60)
        left = [f"{user.name} failed: {user.failed!r}" for user in users if user.failed is not None or user.is_alive()]
        left += _rest(plan, scenery)
        for user in users:
            for name in list(user.texts) if isinstance(user, User) else ():
                user.look(name)
        return _history(scenery, left)


def _set_up(plan: Plan, folder: Path, closing: ExitStack) -> Scenery:
    notes, place = folder / "audit", folder / "stack"
    network = Network.make() if plan.isolated else None
    addresses = network.addresses if network is not None else dict.fromkeys(PARTS, "127.0.0.1")
    if network is not None:
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", _DISK, "none", place], check=True)
    stack = start_stack(
        PlacedState(place, network) if network is not None else place,
        options=audit.options(notes, address=addresses["apiserver"], etcd_address=addresses["etcd"]),
        aws_address=addresses["aws"],
    )
    closing.callback(lambda: shutil.copytree(stack.state.folder / "logs", folder / "logs"))  # a small disk goes with us
    closing.callback(stack.stop)
    clocks = {n: SteppingClock.make(folder / f"clock-{n}") for n in (1, 2)} if plan.clocked else {}
    stack._operator_kubeconfig()
    cluster, simulator, api = Cluster(stack.controlplane), Simulator(stack.aws), Api(stack.controlplane)
    for closed in (cluster, simulator, api):
        closing.callback(closed.close)
    cluster.create_namespace(NAMESPACE)
    deeds: list[Deed] = []
    watching, over = Watching(stack.controlplane), threading.Event()
    closing.callback(watching.stop)
    replicas = Replicas(
        stack,
        api,
        watching,
        deeds,
        addresses={1: addresses["operator"], 2: addresses["operator-2"]},
        extra_env={number: clock.environment for number, clock in clocks.items()},
    )
    if plan.bug:
        replicas.program = (sys.executable, "-m", "chaos.planted", plan.bug)
    replicas.prepare()
    replicas.start(1, wait=False)
    replicas.start(2)
    replicas.start(1)
    pools = [_pool(name, cluster, simulator) for name in _POOLS]
    for pool in pools:
        pool.wait_idle(_POOLS[pool.name]["idle"] + 2 * (pool.name == "shared"), within=60)
    chance = Random(f"{plan.seed}/faults")  # noqa: S311  # seeded, so that a run can be repeated
    chaos = Chaos(stack, replicas, simulator, chance, deeds, threading.Event(), network, clocks)
    return Scenery(
        stack=stack,
        cluster=cluster,
        simulator=simulator,
        crowd=Crowd(api, watching, [], over),
        replicas=replicas,
        chaos=chaos,
        audit_log=audit.log_of(notes),
        pools=pools,
        began=time.time(),  # noqa: TID251  # this computer's clock
    )


def _pool(name: str, cluster: Cluster, simulator: Simulator) -> Pool:
    aws = simulator.aws
    simulator.person.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=0,
        DesiredCapacity=0,
        LaunchTemplate={"LaunchTemplateName": LAUNCH_TEMPLATE, "Version": "$Latest"},
        VPCZoneIdentifier=",".join(aws.subnets),
    )
    cluster.create(manifests.pool(name, group=name, readiness=manifests.ANSWERS, **_POOLS[name]))
    return Pool(name=name, group=name, namespace=NAMESPACE, cluster=cluster, simulator=simulator)


def _users(plan: Plan, scenery: Scenery) -> list[User | Prober]:
    probers = [Prober(pool, scenery.crowd) for pool in _PROBED]
    scenery.replicas.noted = lambda: [prober.wanted.set() for prober in probers]
    places = [pool for pool, count in _USERS.items() for _ in range(count)]
    return probers + [
        User(number, pool=pool, rests=pool == _RESTING, crowd=scenery.crowd, seed=plan.seed)
        for number, pool in enumerate(places)
    ]


def _let_go_wrong(plan: Plan, scenery: Scenery) -> None:
    """One fault after the other, each kind as often as the others, until time is over; what is broken is mended."""
    chance, until = Random(f"{plan.seed}/order"), time.monotonic() + plan.seconds  # noqa: S311  # seeded, so that a run can be repeated
    scenery.chaos.over.wait(4)
    while time.monotonic() < until:
        for name in chance.sample(list(plan.faults), len(plan.faults)):
            if time.monotonic() >= until:
                return
            plan.say(f"{plan.seconds - until + time.monotonic():5.0f} s  {name}")
            scenery.chaos.note("begin", name)
            plan.faults[name](scenery.chaos)
            scenery.chaos.note("over", name)
            scenery.chaos.last(3, 7)


def _rest(plan: Plan, scenery: Scenery) -> list[str]:
    """Wait until everything is at rest, and say what is not."""
    plan.say("at rest?")
    scenery.simulator.reset()
    left: list[str] = []
    for number in (1, 2):
        scenery.replicas.start(number)
    for pool in scenery.pools:
        try:
            wait_for(lambda pool=pool: _is_at_rest(pool), what=f"{pool.name} is at rest", within=_REST)
        except AssertionError as error:
            left.append(str(error))
    return left


def _is_at_rest(pool: Pool) -> bool:
    status, workspaces = pool.status(), pool.workspaces()
    unsettled = {key: status.get(key) for key in ("booting", "quarantined") if status.get(key) != 0}
    assert not unsettled, status
    claims = {claim["workspace"]["uid"] for m in pool.machines() for claim in m["spec"].get("claims", [])}
    living = {workspace["metadata"]["uid"] for workspace in workspaces}
    assert claims <= living, f"claims of workspaces that are gone: {claims - living}"
    room = sum(m["status"].get("phase") in {"Idle", "Claimed"} for m in pool.machines())
    for workspace in workspaces:
        phase = workspace.get("status", {}).get("phase")
        full = pool.name == "tight" and phase == "Pending" and room >= _POOLS["tight"]["max_machines"]
        assert phase in {"Running", "Stopped", "Archived"} or full, f"{workspace['metadata']['name']}: {workspace}"
    live = {machine["id"] for machine in pool.simulator.live(pool.group)}
    recorded = {machine["metadata"]["name"] for machine in pool.machines()}
    assert live == recorded, f"live: {live}; recorded: {recorded}"
    laws.no_workspace_has_two_claims(pool.machines())
    if pool.name != _RESTING:
        laws.claims_and_statuses_agree(pool)
        laws.claimed_machines_run(pool)
    return True


def _history(scenery: Scenery, left: list[str]) -> History:
    watching = scenery.crowd.watching
    # AWS first: machines go on resting, and what AWS has done must be found among the records, which are read after it.
    calls = scenery.simulator._ask("GET", "calls?since=0")["calls"]
    groups = {pool.name: pool.group for pool in scenery.pools}
    changes, live = _changes(scenery.simulator, groups.values()), _live(scenery.simulator, groups.values())
    _catch_up(scenery)
    watching.stop()
    seen = [state for kind, heard in watching.seen.items() for state in filled(scenery.stack.controlplane, kind, heard)]
    names = {process.replace("#", "-"): process for process in scenery.replicas.credentials.values()}
    return History(
        ceilings={pool.group: _POOLS[pool.name]["max_machines"] for pool in scenery.pools},
        pools=groups,
        resting=frozenset({_RESTING}),
        probed=frozenset(_PROBED),
        began=scenery.began,
        ended=time.time(),  # noqa: TID251  # this computer's clock
        workspaces=tuple(state for state in seen if isinstance(state, WorkspaceSeen)),
        machines=tuple(state for state in seen if isinstance(state, MachineSeen)),
        leases=tuple(state for state in seen if isinstance(state, LeaseSeen)),
        writes=tuple(audit.read(scenery.audit_log, processes=scenery.replicas.credentials)),
        calls=tuple(_call(call, names) for call in calls),
        changes=tuple(changes),
        live=tuple(live),
        orders=tuple(sorted(scenery.crowd.orders, key=lambda order: order.began)),
        deeds=tuple(scenery.chaos.deeds),
        left=tuple(left),
    )


def _catch_up(scenery: Scenery) -> None:
    """Wait until the watches have told all that exists."""
    for kind in ("workspaces", "machines"):
        items = scenery.crowd.api.items(f"{HOTDESK}/{kind}")
        newest = max((int(item["metadata"]["resourceVersion"]) for item in items), default=0)
        seen = scenery.crowd.watching.seen[kind]
        wait_for(lambda seen=seen, v=newest: not v or seen[-1].version >= v, what=f"the watch of {kind} has caught up")


def _call(call: Mapping[str, Any], names: Mapping[str, str]) -> AwsCall:
    return AwsCall(
        n=call["n"],
        at=call["time"],
        process=names.get(call.get("key", ""), call.get("key", "")),
        action=call["action"],
        status=call["status"],
        group=call["params"].get("AutoScalingGroupName"),
    )


def _changes(simulator: Simulator, groups: Sequence[str] | Any) -> list[InstanceChange]:
    found = [
        InstanceChange(at=change["time"], machine=machine["id"], state=change["new"], cause=change["cause"])
        for group in groups
        for machine in simulator.machines(group)
        for change in machine["changes"]
        if change["what"] == "state"
    ]
    return sorted(found, key=lambda change: change.at)


def _live(simulator: Simulator, groups: Sequence[str] | Any) -> list[Live]:
    return [
        Live(at=change["time"], group=group, count=change["live"], cause=change["cause"])
        for group in groups
        for change in simulator._ask("GET", f"history?group={group}")["changes"]
    ]
