"""The first act: from `kubectl apply` of a workspace to a machine that is already running."""

from hotdesk_local.demo.observer import Seen
from hotdesk_local.demo.page import fetch_page
from hotdesk_local.demo.stage import PATIENCE, Stage, Step

GROUP = "hotdesk-demo"
_IDLE = 2
_PEOPLE = ("ada", "grace", "linus")

POOL = f"""\
apiVersion: hotdesk.dev/v1alpha1
kind: MachinePool
metadata: {{name: demo}}
spec:
  aws: {{region: eu-central-1, autoScalingGroupName: {GROUP}}}
  maxMachines: 6
  buffer: {{idle: {_IDLE}}}
  readiness: {{httpGet: {{port: 8080, path: /healthz}}}}
  access: {{urlTemplate: "http://{{privateIP}}:8080/?folder=/home/{{owner}}/{{project}}"}}
"""

_WORKSPACE = """\
apiVersion: hotdesk.dev/v1alpha1
kind: Workspace
metadata: {{name: {name}}}
spec: {{pool: demo, owner: {name}, project: engine}}
"""


def _make_pool(stage: Stage) -> None:
    stage.say(
        f"A platform team has an Auto Scaling group and describes a pool on it: {_IDLE} idle machines at any time, "
        "never more than 6 machines in all. Hotdesk sets up the group and launches the machines."
    )
    stage.kubectl("apply", "-f", "-", manifest=POOL)
    _wait_for_buffer(stage)
    stage.say(f"{_IDLE} machines have booted, have answered the readiness probe, and stand idle:")
    stage.kubectl("get", "mpool,mach")


def _apply_workspaces(stage: Stage) -> None:
    stage.say(
        "Three people each ask for a workspace, all at once. Two machines stand ready, so two get one at once. "
        "The third waits in the queue, and Hotdesk has machines launched for it and for the buffer."
    )
    manifest = "---\n".join(_WORKSPACE.format(name=name) for name in _PEOPLE)
    stage.kubectl("apply", "-f", "-", manifest=manifest)
    stage.observer.wait_for(_two_bound_one_queued, what="two workspaces bound, one queued", within=PATIENCE)
    stage.kubectl("get", "ws", "-o", "wide")
    stage.say("Meanwhile a machine boots for the one who waits ...")
    seen = stage.observer.wait_for(_all_bound, what="all three workspaces bound", within=PATIENCE)
    stage.say("How long each waited, from the API server announcing the workspace to its announcing the IP:")
    stage.show([_latency(one) for one in sorted(seen, key=lambda one: one.seconds)])


def _look_around(stage: Stage) -> None:
    stage.say(f"Hotdesk refills the buffer by itself. With {_IDLE} idle machines again, this is everything:")
    _wait_for_buffer(stage)
    stage.kubectl("get", "ws,mach,mpool")


def _open_page(stage: Stage) -> None:
    stage.say("The URL in a workspace's status is its own machine's. A browser gets the machine's editor there:")
    name = _PEOPLE[0]
    stage.wait(f"ws/{name}", "--for=condition=Ready")
    url = stage.ask("get", "ws", name, "-o", "jsonpath={.status.url}")
    page = fetch_page(url)
    stage.show([f"GET {url}", f"{page.status} {page.reason}", *page.beginning])


def _delete_workspace(stage: Stage) -> None:
    name = _PEOPLE[1]
    machine = stage.ask("get", "ws", name, "-o", "jsonpath={.status.machine}")
    stage.say(
        f"{name} is done and deletes the workspace. A machine somebody has used is never handed to the next person: "
        f"{machine} is terminated."
    )
    stage.kubectl("delete", "ws", name)
    stage.wait(f"mach/{machine}", "--for=delete")
    stage.say(f"EC2 now calls {machine} {stage.state_of(machine)}, its record is gone, and the buffer is full:")
    _wait_for_buffer(stage)
    stage.kubectl("get", "ws,mach,mpool")


STEPS = (
    Step(title="A pool of warm machines", perform=_make_pool),
    Step(title="Three workspaces for two machines", perform=_apply_workspaces),
    Step(title="Who has which machine", perform=_look_around),
    Step(title="A workspace in the browser", perform=_open_page),
    Step(title="A workspace is deleted", perform=_delete_workspace),
)


def _wait_for_buffer(stage: Stage) -> None:
    for field, value in (("booting", 0), ("idle", _IDLE)):
        stage.wait("mpool/demo", f"--for=jsonpath={{.status.{field}}}={value}")


def _two_bound_one_queued(seen: list[Seen]) -> bool:
    bound = [one for one in seen if one.bound is not None]
    queued = [one for one in seen if one.position is not None]
    return len(bound) >= _IDLE and len(queued) >= 1


def _all_bound(seen: list[Seen]) -> bool:
    return len(seen) == len(_PEOPLE) and all(one.bound is not None for one in seen)


def _latency(one: Seen) -> str:
    took = f"{one.seconds * 1000:.0f} ms" if one.seconds < 1 else f"{one.seconds:.1f} s"
    why = (
        "a machine stood ready"
        if one.position is None
        else f"number {one.position} in the queue, its machine had to boot"
    )
    return f"{one.name:<6} {took:>7}   {one.machine}   {why}"
