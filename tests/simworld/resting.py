"""What is still to happen in the life of workspaces: who wants a machine runs, who does not rests, nothing is owed."""

from collections.abc import Iterator

from fakes.apiserver.storage import Json
from hotdesk_local.aws.model import State
from simworld.keeping import wants_machine
from simworld.world import SimWorld

_NEVER = "Never"


def unrest_of_life(world: SimWorld) -> Iterator[str]:
    """Yield what is not over yet; pools that are paused or gone do nothing."""
    machines = {m["metadata"]["name"]: m for m in world.server.objects("machines")}
    pools = {p["metadata"]["name"]: p for p in world.server.objects("machinepools")}
    for machine in machines.values():
        pool = pools.get(machine["spec"]["pool"])
        if machine["spec"].get("owed") and pool is not None and _can_be_settled(machine, pool):
            yield f"{machine['metadata']['name']} owes {machine['spec']['owed']}"
    for workspace in world.server.objects("workspaces"):
        pool = pools.get(workspace["spec"]["pool"])
        if pool is None or pool["spec"].get("paused"):
            continue
        machine = machines.get(workspace.get("status", {}).get("machine") or "")
        what = _without(workspace) if machine is None else _with(world, workspace, machine, pool)
        if what is not None:
            phase = workspace.get("status", {}).get("phase")
            yield f"{workspace['metadata']['name']} is {phase}: {what}"


def _can_be_settled(machine: Json, pool: Json) -> bool:
    """Tell whether what a machine owes can be saved now: a snapshot waits until nobody works on the machine."""
    is_archived = (pool["spec"].get("backup") or {"method": "None"})["method"] == "S3Archive"
    return not pool["spec"].get("paused") and (is_archived or not machine["spec"].get("claims"))


def _without(workspace: Json) -> str | None:
    phase = workspace.get("status", {}).get("phase")
    is_told = phase in (("Pending",) if wants_machine(workspace) else ("Stopped", "Archived"))
    return None if is_told else f"it has no machine, and wants one: {wants_machine(workspace)}"


def _with(world: SimWorld, workspace: Json, machine: Json, pool: Json) -> str | None:
    status, stop = workspace["status"], machine["spec"].get("stop")
    instance = world.aws.world.fleet.instances.get(machine["metadata"]["name"])
    if instance is None:
        return "its machine is gone"
    if status["phase"] == "Running":
        if not wants_machine(workspace) and not _is_kept_running(world, machine, pool):
            return "it runs, and is not to"
        if stop is not None or instance.state is not State.RUNNING or machine["status"]["phase"] != "Claimed":
            return f"its machine is {instance.state}, {machine['status']['phase']}, {stop}"
        if status.get("privateIP") != instance.private_ip or status.get("publicIP") != instance.public_ip:
            return "its address is an old one"
        return "it is to be stopped some day" if _idle_timeout(workspace, pool) != _NEVER else None
    if status["phase"] == "Stopped":
        return _stopped(world, workspace, machine, pool)
    has_nothing_to_begin_with = workspace["spec"].get("restoreFrom") and not status.get("backup")
    if status["phase"] == "Restoring" and has_nothing_to_begin_with:  # it says so, and waits for somebody to act
        return None
    return "that is no state to stay in"


def _is_kept_running(world: SimWorld, machine: Json, pool: Json) -> bool:
    """Tell whether a machine cannot rest: it serves others too, or EC2 stops none of its kind and nothing saves it."""
    instance = world.aws.world.fleet.instances[machine["metadata"]["name"]]
    is_saved = _is_saved_in(pool)
    return (instance.spec.spot and not is_saved) or any(wants_machine(user) for user in _users(world, machine))


def _users(world: SimWorld, machine: Json) -> list[Json]:
    holders = {claim["workspace"]["uid"] for claim in machine["spec"].get("claims", ())}
    return [w for w in world.server.objects("workspaces") if w["metadata"]["uid"] in holders]


def _stopped(world: SimWorld, workspace: Json, machine: Json, pool: Json) -> str | None:
    state = world.aws.world.fleet.instances[machine["metadata"]["name"]].state
    if wants_machine(workspace):
        return "its user has come back"
    if state is not State.STOPPED or machine["status"]["phase"] != "Stopped":
        return f"its machine is {state}, {machine['status']['phase']}"
    if _is_saved_in(pool) and not machine["status"].get("saved"):
        return "its files are not saved"
    if all(_retention(user, pool) != _NEVER for user in _users(world, machine)):
        return "it is to be archived some day"
    return None


def _idle_timeout(workspace: Json, pool: Json) -> str:
    lifecycle = pool["spec"].get("lifecycle") or {"idleTimeout": _NEVER}
    if workspace["spec"].get("runStrategy") == "Always":
        return _NEVER
    return str(workspace["spec"].get("idleTimeout") or lifecycle.get("idleTimeout", "1h"))


def _retention(workspace: Json, pool: Json) -> str:
    if pool["spec"].get("backup") is None:
        return _NEVER
    told = workspace["spec"].get("retention") or (pool["spec"].get("lifecycle") or {}).get("retention")
    return str(told or ("24h" if _is_saved_in(pool) else _NEVER))


def _is_saved_in(pool: Json) -> bool:
    return (pool["spec"].get("backup") or {"method": "None"})["method"] != "None"
