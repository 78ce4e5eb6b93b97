"""What a replica learns of a Lease by reading it past the watch."""

import asyncio
from typing import Any

import pytest

from hotdesk.actors.lease_work import LeaseWork
from hotdesk.adapters.clock import SystemClock
from hotdesk.api.lease import Lease, LeaseSpec
from hotdesk.api.wire import ObjectMeta
from hotdesk.core.lease_book import LeaseBook
from hotdesk.ports import Conflict, Unanswered

EARLIER = Lease(
    metadata=ObjectMeta(name="pool-x", uid="p", resource_version="5"), spec=LeaseSpec(holder_identity="b_1")
)
NOW = Lease(metadata=ObjectMeta(name="pool-x", uid="p", resource_version="9"), spec=LeaseSpec(holder_identity="b_2"))
ALIVE = Lease(
    metadata=ObjectMeta(name="replica-b", uid="2", resource_version="8"), spec=LeaseSpec(holder_identity="process")
)


class _Stored:
    """Leases as they are by now; a write fails as it is told to."""

    def __init__(self, *leases: Lease, failure: Exception) -> None:
        self._leases = {lease.metadata.name: lease for lease in leases}
        self._failure = failure

    async def patch_lease(self, lease: Lease, spec: LeaseSpec) -> Lease:
        del lease, spec
        raise self._failure

    async def fetch_lease(self, *, name: str) -> Lease | None:
        return self._leases.get(name)


def _acquired(*stored: Lease, failure: Exception) -> LeaseBook:
    """Try to take a pool whose holder has died, as far as the watch has told, and return what is known then."""
    book = LeaseBook()
    book.upsert(EARLIER, now=0.0)
    leases: Any = _Stored(*stored, failure=failure)
    directory: Any = None
    work = LeaseWork(book=book, directory=directory, leases=leases, clock=SystemClock(), changed=lambda: None)
    work.identity = "a_1"
    asyncio.run(work._acquire("x"))
    return book


@pytest.mark.parametrize("failure", [Unanswered("lost"), Conflict("changed")])
def test_a_pool_of_a_replica_that_has_just_joined_is_not_taken_for_free(failure):
    book = _acquired(NOW, ALIVE, failure=failure)
    assert book.holder_of("x") == "b_2"
    assert book.view("a_1", pools=frozenset({"x"}), now=1.0).free_since == {}


def test_a_pool_of_a_replica_that_has_gone_meanwhile_is_free():
    book = _acquired(NOW, failure=Conflict("changed"))
    assert book.view("a_1", pools=frozenset({"x"}), now=1.0).free_since == {"x": 1.0}
