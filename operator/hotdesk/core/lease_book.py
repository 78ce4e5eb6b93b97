"""The Leases of all replicas and pools as one replica knows them, and when each was last seen to change."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from hotdesk.api.lease import Lease
from hotdesk.core.sharing import Peer, Terms, View, is_expired

_POOL: Final = "pool-"
_REPLICA: Final = "replica-"


def pool_lease(pool: str) -> str:
    """Return the name of the Lease that says who owns a pool."""
    return f"{_POOL}{pool}"


def replica_lease(replica: str) -> str:
    """Return the name of the Lease that proves that a replica lives."""
    return f"{_REPLICA}{replica}"


def identity_of(lease: Lease) -> str:
    """Return who a replica with this Lease is: a Lease made anew under its name is somebody else."""
    return f"{lease.metadata.name.removeprefix(_REPLICA)}_{lease.metadata.uid}"


@dataclass(slots=True)
class LeaseBook:
    """News comes in through `upsert`, `remove` and `resync`; times are monotonic seconds."""

    leases: dict[str, Lease] = field(default_factory=dict)
    _peers: dict[str, Peer] = field(default_factory=dict)  # by the name of its Lease
    _free_since: dict[str, float] = field(default_factory=dict)

    def upsert(self, lease: Lease, *, now: float) -> bool:
        """Take in a Lease and tell whether that may change a decision; news older than what is known is ignored."""
        name = lease.metadata.name
        known = self.leases.get(name)
        if known is not None and int(lease.metadata.resource_version) <= int(known.metadata.resource_version):
            return False
        self.leases[name] = lease
        if not name.startswith(_REPLICA):
            return True
        before = self._peers.get(name)
        peer = Peer(
            identity=identity_of(lease), joined_at=now, changed_at=now, is_leaving=not lease.spec.holder_identity
        )
        if before is None or before.identity != peer.identity:
            self._peers[name] = peer
            return True
        self._peers[name] = replace(peer, joined_at=before.joined_at)
        return peer.is_leaving is not before.is_leaving

    def remove(self, name: str) -> None:
        """Take in that a Lease is gone."""
        self.leases.pop(name, None)
        self._peers.pop(name, None)

    def deleted(self, lease: Lease) -> None:
        """Take in that exactly this Lease is gone: one made anew under its name, perhaps known already, is another."""
        known = self.leases.get(lease.metadata.name)
        if known is not None and known.metadata.uid == lease.metadata.uid:
            self.remove(lease.metadata.name)

    def resync(self, listed: Iterable[Lease], *, known: frozenset[str], now: float) -> None:
        """Take in a list; what was `known` before it began and is not in it is gone."""
        found = {lease.metadata.name: lease for lease in listed}
        for lease in found.values():
            self.upsert(lease, now=now)
        for name in sorted(known - found.keys()):
            self.remove(name)

    def forgive(self, *, now: float) -> None:
        """Count everybody's silence from now on: it was this replica that heard nothing."""
        self._peers = {name: replace(peer, changed_at=now) for name, peer in self._peers.items()}

    def holder_of(self, pool: str) -> str:
        """Return who holds a pool's Lease, alive or not; "" for nobody."""
        lease = self.leases.get(pool_lease(pool))
        return lease.spec.holder_identity if lease is not None else ""

    def is_held(self, pool: str) -> bool:
        """Tell whether the holder of a pool's Lease has a Lease of its own, as far as is known."""
        holder = self.holder_of(pool)
        return any(peer.identity == holder for peer in self._peers.values())

    def stranger(self, lease: Lease) -> str | None:
        """Return the name of the Lease by which the holder of a pool lives, where no such replica is known."""
        holder = lease.spec.holder_identity
        is_known = any(peer.identity == holder for peer in self._peers.values())
        if not lease.metadata.name.startswith(_POOL) or not holder or is_known:
            return None
        return replica_lease(holder.rpartition("_")[0])

    def can_spare(self, name: str, *, terms: Terms, now: float) -> bool:
        """Tell whether others live, and nothing is left of an earlier process whose Lease had this name."""
        others = any(not is_expired(peer, terms, now=now) and not peer.is_leaving for peer in self._peers.values())
        return others and name not in self.leases

    def lease_of(self, identity: str) -> Lease:
        """Return the Lease of a replica that has one."""
        return next(self.leases[name] for name, peer in self._peers.items() if peer.identity == identity)

    def view(self, me: str, *, pools: frozenset[str], now: float) -> View:
        """Return what there is to decide from, and note since when pools are free."""
        holders = {
            name.removeprefix(_POOL): lease.spec.holder_identity
            for name, lease in self.leases.items()
            if name.startswith(_POOL)
        }
        peers = {peer.identity: peer for peer in self._peers.values()}
        free = [pool for pool in pools if holders.get(pool, "") not in peers]
        self._free_since = {pool: self._free_since.get(pool, now) for pool in free}
        return View(me=me, pools=pools, holders=holders, peers=peers, free_since=self._free_since)
