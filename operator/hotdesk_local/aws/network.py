"""Addresses: a free 127.x.0.0/16 for the machines, and public ones that only look the part."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Subnet

MACHINE_PORT = 8080
PUBLIC = IPv4Network("198.18.0.0/15")
"""RFC 2544's benchmarking range: nobody's address, so a public IP is never reached by mistake."""
RESERVED = 4
"""AWS keeps the first four addresses of a subnet (network, router, DNS, future) and the last."""


@dataclass(slots=True)
class Guarded:
    """A network that no other simulator on this computer will choose while the guard is open."""

    network: IPv4Network
    guard: socket.socket

    def close(self) -> None:
        """Give the network back."""
        self.guard.close()


def guard_network() -> Guarded:
    """Take the first free 127.x.0.0/16; listening on its router's address is what marks it as taken."""
    for second in range(10, 255):
        network = IPv4Network(f"127.{second}.0.0/16")
        guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            guard.bind((str(network[1]), MACHINE_PORT))
            guard.listen(1)
        except OSError:
            guard.close()
            continue
        return Guarded(network=network, guard=guard)
    raise RuntimeError(
        f"Port {MACHINE_PORT} is taken on every network from 127.10.0.0/16 to 127.254.0.0/16: end the program that "
        "listens on it on all addresses, or a local stack.",
    )


@dataclass(slots=True)
class Addresses:
    """Who has which address. An address is used again only after all others were."""

    _taken: set[IPv4Address] = field(default_factory=set)
    _hosts: dict[str, Iterator[IPv4Address]] = field(default_factory=dict)

    def private(self, subnet: Subnet) -> str:
        """Take an address of the subnet; raises AWS's error when it is full."""
        network = IPv4Network(subnet.cidr)
        return self._take(network=network, skip=RESERVED, full=subnet.id)

    def public(self) -> str:
        """Take a public address."""
        return self._take(network=PUBLIC, skip=RESERVED, full="the public range")

    def release(self, address: str) -> None:
        """Give an address back."""
        self._taken.discard(IPv4Address(address))

    def _take(self, *, network: IPv4Network, skip: int, full: str) -> str:
        usable = network.num_addresses - skip - 1
        for _ in range(usable):
            address = next(self._hosts.setdefault(str(network), _round(network, skip)))
            if address not in self._taken:
                self._taken.add(address)
                return str(address)
        raise AwsError("InsufficientFreeAddressesInSubnet", f"There are not enough free addresses in '{full}'.")


def _round(network: IPv4Network, skip: int) -> Iterator[IPv4Address]:
    first = int(network.network_address)
    while True:
        for number in range(first + skip, first + network.num_addresses - 1):
            yield IPv4Address(number)
