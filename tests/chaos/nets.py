"""A network namespace for every part of the stack; this process is the router between them, which can cut any link.

It needs a user namespace of its own, or root: `go_inside` says what of it this computer does not allow.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hotdesk_local.processes import Process
from hotdesk_local.state import State
from waiting import wait_for

PARTS = ("etcd", "apiserver", "aws", "operator", "operator-2")
_INSIDE = "HOTDESK_CHAOS_INSIDE"
_ISOLATED = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_WAYS = (("unshare", "--user", "--map-root-user", *_ISOLATED), ("unshare", *_ISOLATED))
_TRIAL = "ip link set lo up && ip link add trial type veth peer name other && ip rule add from 10.77.0.1 blackhole"


def is_inside() -> bool:
    """Tell whether this process has namespaces of its own already."""
    return os.environ.get(_INSIDE) == "1"


def go_inside(arguments: Sequence[str]) -> str:
    """Go on in namespaces of one's own, and never return; or return what is missing for that."""
    problems = []
    for way in _WAYS:
        trial = f"{_TRIAL} && mount -t tmpfs none /mnt"
        try:
            done = subprocess.run([*way, "sh", "-c", trial], capture_output=True, text=True, check=False, timeout=60)
        except OSError as error:
            return f"unshare (util-linux): {error}"
        if done.returncode == 0:
            os.execvpe(way[0], [*way, sys.executable, *arguments], {**os.environ, _INSIDE: "1"})  # noqa: S606  # itself again
        problems.append(f"`{' '.join(way[:2])} …`: {(done.stderr.strip() or 'refused').splitlines()[-1]}")
    return "namespaces (user namespaces for everybody, or root; iproute2 and veth): " + "; ".join(problems)


@dataclass
class Network:
    """The namespaces, each with one link to this process's own, which forwards between them."""

    addresses: dict[str, str] = field(default_factory=dict)
    """Part -> where it is."""
    _holders: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _cuts: list[list[str]] = field(default_factory=list)

    @classmethod
    def make(cls) -> "Network":
        """Make them all; they end with this process."""
        network = cls()
        _run("ip", "link", "set", "lo", "up")
        _write("all/forwarding", 1)
        for number, part in enumerate(PARTS, start=1):
            network._add(part, number)
        # Machines have addresses of loopback: of AWS's, for everybody but AWS.
        aws = network.addresses["aws"]
        _route_machines((), via=aws)
        for number, part in enumerate(PARTS, start=1):
            if part.startswith("operator"):
                _route_machines(network.inside(part), via=f"10.77.{number}.1")
        return network

    def inside(self, part: str) -> tuple[str, ...]:
        """Return what a command begins with that is to run where a part is."""
        return ("nsenter", f"--net=/proc/{self._holders[part].pid}/ns/net", "--")

    def cut(self, one: str, other: str, *, both_ways: bool, kind: str = "blackhole") -> None:
        """Let nothing pass from one part to the other; `prohibit` says so to the sender, `blackhole` does not."""
        pairs = [(one, other), (other, one)] if both_ways else [(one, other)]
        for sender, receiver in pairs:
            ranges = [self.addresses[receiver], *(["127.0.0.0/8"] if receiver == "aws" else [])]
            for source in [self.addresses[sender], *(["127.0.0.0/8"] if sender == "aws" else [])]:
                for target in ranges:
                    rule = ["from", source, "to", target, kind]
                    _run("ip", "rule", "add", *rule)
                    self._cuts.append(rule)

    def mend(self) -> None:
        """Let everything pass again."""
        while self._cuts:
            _run("ip", "rule", "del", *self._cuts.pop())

    def _add(self, part: str, number: int) -> None:
        here, there = f"10.77.{number}.1", f"10.77.{number}.2"
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._holders[part], self.addresses[part] = holder, there
        ours = Path("/proc/self/ns/net").readlink()
        wait_for(lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != ours, what=f"{part} has a namespace")
        _run("ip", "link", "add", f"to-{number}", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        _run("ip", "addr", "add", f"{here}/24", "dev", f"to-{number}")
        _run("ip", "link", "set", f"to-{number}", "up")
        inside = self.inside(part)
        _run(*inside, "ip", "link", "set", "lo", "up")
        _run(*inside, "ip", "addr", "add", f"{there}/24", "dev", "eth0")
        _run(*inside, "ip", "link", "set", "eth0", "up")
        _run(*inside, "ip", "route", "add", "default", "via", here)
        for where in ((), inside):
            _run(*where, "sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/route_localnet; do echo 1 > $f; done")


class PlacedState(State):
    """The state of a stack whose programs run each where its part is."""

    def __init__(self, folder: Path, network: Network) -> None:
        super().__init__(folder)
        self._network = network

    def start(
        self,
        *,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> Process:
        """Start a program where its part is."""
        placed = [*self._network.inside(name), *command]
        return super().start(name=name, command=placed, environment=environment, output=output)


def _route_machines(inside: Sequence[str], *, via: str) -> None:
    _run(*inside, "ip", "route", "add", "local", "127.0.0.0/16", "dev", "lo", "table", "local")
    _run(*inside, "ip", "route", "del", "local", "127.0.0.0/8", "dev", "lo", "table", "local")
    _run(*inside, "ip", "route", "add", "127.0.0.0/8", "via", via)


def _write(what: str, value: int) -> None:
    Path(f"/proc/sys/net/ipv4/conf/{what}").write_text(f"{value}\n", encoding="ascii")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
