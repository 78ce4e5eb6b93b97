"""What goes wrong, one fault a function: it begins, lasts, and is mended before the function returns."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from chaos.clocks import SteppingClock
from chaos.history import Deed
from chaos.nets import Network
from chaos.replicas import Replicas
from e2e.simulator import Simulator
from hotdesk_local.controlplane.plane import ControlPlane
from hotdesk_local.errors import LocalStackError
from hotdesk_local.stack import LocalStack


@dataclass
class Chaos:
    """What faults work on."""

    stack: LocalStack
    replicas: Replicas
    simulator: Simulator
    chance: Random
    deeds: list[Deed]
    over: threading.Event
    network: Network | None = None
    clocks: Mapping[int, SteppingClock] = field(default_factory=dict)
    """By replica."""

    def note(self, what: str, whom: str, *, process: str = "") -> None:
        """Note a deed done to a part, or to the way of one process to it."""
        self.deeds.append(Deed(time.time(), what, whom, process))  # noqa: TID251  # this computer's clock

    def last(self, least: float, most: float) -> None:
        """Let a fault last for a while."""
        self.over.wait(self.chance.uniform(least, most))

    def victim(self) -> int:
        """Choose a replica."""
        return self.chance.choice((1, 2))


_STARTS = 3
Fault = Callable[[Chaos], None]


def kill(chaos: Chaos) -> None:
    """A replica dies, and is started again when the other has taken its pools."""
    number = chaos.victim()
    chaos.replicas.kill(number)
    chaos.last(9, 12)
    chaos.replicas.start(number)


def crash(chaos: Chaos) -> None:
    """A replica dies and is started again at once, as a kubelet does, perhaps twice."""
    number = chaos.victim()
    for _ in range(chaos.chance.choice((1, 1, 2))):
        chaos.replicas.kill(number)
        chaos.replicas.start(number, wait=False)
        chaos.last(0, 3)
    chaos.replicas.start(number)


def hand_over(chaos: Chaos) -> None:
    """A replica is told to end, as in a rolling update, and started again."""
    number = chaos.victim()
    chaos.replicas.end(number)
    chaos.last(4, 6)
    chaos.replicas.await_end(number)
    chaos.replicas.start(number)


def pause(chaos: Chaos) -> None:
    """A replica stands still for longer than its Lease lasts, and goes on as if nothing had been."""
    number = chaos.victim()
    chaos.replicas.pause(number)
    chaos.last(8, 14)
    chaos.replicas.resume(number)
    chaos.last(3, 5)


def hiccup(chaos: Chaos) -> None:
    """A replica stands still for about as long as its Lease lasts, again and again."""
    number = chaos.victim()
    for _ in range(3):
        chaos.replicas.pause(number)
        chaos.last(3.5, 7)
        chaos.replicas.resume(number)
        chaos.last(0, 1.5)


def restart_apiserver(chaos: Chaos) -> None:
    """The API server ends, well or badly, and comes again."""
    plane = chaos.stack.controlplane
    chaos.note("cut", "apiserver")
    (plane.kill_apiserver if chaos.chance.random() < 0.5 else plane.stop_apiserver)()
    chaos.last(0, 6)
    serve(plane)
    chaos.note("mend", "apiserver")


def restart_etcd(chaos: Chaos) -> None:
    """The database dies under the API server, and comes again."""
    plane = chaos.stack.controlplane
    chaos.note("cut", "etcd")
    chaos.stack.state.kill("etcd")
    chaos.last(0, 6)
    plane.start_etcd()
    serve(plane)
    chaos.note("mend", "etcd")


def freeze_apiserver(chaos: Chaos) -> None:
    """The API server stands still with all that was sent to it, and answers late."""
    chaos.note("cut", "apiserver")
    _freeze(chaos, "apiserver")


def slow_aws(chaos: Chaos) -> None:
    """AWS takes its time for every call, or for some."""
    chaos.note("slow", "aws")
    action = chaos.chance.choice(("*", "DetachInstances", "SetDesiredCapacity", "UpdateAutoScalingGroup"))
    fault = chaos.simulator.break_down(action, "latency", seconds=chaos.chance.uniform(0.5, 2.5))
    chaos.last(6, 12)
    chaos.simulator.mend(fault)
    chaos.note("mend", "aws")


def bad_aws(chaos: Chaos) -> None:
    """AWS throttles, fails, and answers so that nobody hears it."""
    chaos.note("slow", "aws")
    kinds = ("throttle", "error", "drop-before", "drop-after")
    faults = [chaos.simulator.break_down("*", kind, probability=0.15) for kind in kinds]
    chaos.last(6, 12)
    for fault in faults:
        chaos.simulator.mend(fault)
    chaos.note("mend", "aws")


def freeze_aws(chaos: Chaos) -> None:
    """AWS stands still with all that was sent to it, and answers late."""
    chaos.note("slow", "aws")
    _freeze(chaos, "aws")


ANYWHERE: dict[str, Fault] = {
    "kill": kill,
    "crash": crash,
    "hand over": hand_over,
    "pause": pause,
    "hiccup": hiccup,
    "restart the API server": restart_apiserver,
    "freeze the API server": freeze_apiserver,
    "kill etcd": restart_etcd,
    "slow AWS": slow_aws,
    "failing AWS": bad_aws,
    "freeze AWS": freeze_aws,
}
"""Faults that need no rights."""


def serve(plane: ControlPlane) -> None:
    """Start the API server, again if it gives up: it does so when a busy computer keeps it from its first checks."""
    for _ in range(_STARTS - 1):
        with suppress(LocalStackError):
            return plane.start_apiserver()
    return plane.start_apiserver()


def _freeze(chaos: Chaos, part: str) -> None:
    pid = chaos.stack.state.last(part).pid
    os.kill(pid, signal.SIGSTOP)
    chaos.last(2, 9)
    os.kill(pid, signal.SIGCONT)
    chaos.note("mend", part)
