"""Faults that need something of the computer: namespaces for the network and the disk, a compiler for clocks."""

from contextlib import suppress
from pathlib import Path

from chaos.faults import Chaos, Fault
from chaos.nets import Network
from hotdesk_local.stack import operator_name

_FROM_A_REPLICA = ("apiserver", "aws")


def cut(chaos: Chaos) -> None:
    """Nothing passes between a replica and one of the others, in one direction or both, silently or not."""
    number = chaos.victim()
    _cut(chaos, operator_name(number), chaos.chance.choice(_FROM_A_REPLICA), process=chaos.replicas.current[number])


def lonely(chaos: Chaos) -> None:
    """A replica is cut off from everybody."""
    number = chaos.victim()
    network, name = _network(chaos), operator_name(number)
    chaos.note("cut", name, process=chaos.replicas.current[number])
    for part in _FROM_A_REPLICA:
        network.cut(name, part, both_ways=True)
    chaos.last(8, 14)
    network.mend()
    chaos.note("mend", name, process=chaos.replicas.current[number])


def cut_from_database(chaos: Chaos) -> None:
    """Nothing passes between the API server and etcd."""
    _cut(chaos, "apiserver", "etcd")


def fill_disk(chaos: Chaos) -> None:
    """The stack's disk is full, with etcd's data on it; what died of that is started again when there is room."""
    plane = chaos.stack.controlplane
    ballast = chaos.stack.state.folder / "ballast"
    chaos.note("cut", "disk")
    _fill(ballast)
    chaos.last(5, 10)
    ballast.unlink()
    chaos.stack.state.kill("etcd")  # one that has survived has failed writes behind it that nobody should trust
    plane.start_etcd()
    plane.start_apiserver()
    chaos.note("mend", "disk")


def step_clock(chaos: Chaos) -> None:
    """One replica's wall clock steps ahead or back, and some time later steps right again."""
    number = chaos.victim()
    far = chaos.chance.choice((2.0, 10.0, 60.0, 600.0)) * chaos.chance.choice((-1, 1))
    chaos.clocks[number].step(far)
    chaos.last(6, 12)
    chaos.clocks[number].step(0)


INSIDE: dict[str, Fault] = {
    "cut the network": cut,
    "cut a replica off": lonely,
    "cut the API server from etcd": cut_from_database,
    "fill the disk": fill_disk,
}
"""Faults that need namespaces."""

CLOCKED: dict[str, Fault] = {"step a clock": step_clock}
"""Faults that need a library before the C library."""


def _cut(chaos: Chaos, one: str, other: str, *, process: str = "") -> None:
    kind = chaos.chance.choice(("blackhole", "blackhole", "prohibit"))
    pair = (one, other) if chaos.chance.random() < 0.5 else (other, one)
    chaos.note("cut", f"{one}-{other}", process=process)
    _network(chaos).cut(*pair, both_ways=chaos.chance.random() < 0.5, kind=kind)
    chaos.last(3, 14)
    _network(chaos).mend()
    chaos.note("mend", f"{one}-{other}", process=process)


def _network(chaos: Chaos) -> Network:
    assert chaos.network is not None, "this fault needs namespaces"
    return chaos.network


def _fill(ballast: Path) -> None:
    """Write until there is no room for a byte more."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
