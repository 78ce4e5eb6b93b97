"""The record of raising calls, where writing it fails."""

import asyncio
from types import SimpleNamespace

import pytest

from factories import NOW, facts
from hotdesk.actors.changing import Changes
from hotdesk.api.v1alpha1 import CapacityCall
from hotdesk.core.actions import SetDesired
from hotdesk.ports import Conflict


class Record:
    """Notes calls, until it is told that somebody else has changed the pool."""

    def __init__(self) -> None:
        self.written: list[CapacityCall] = []
        self.is_contested = False

    async def record_call(self, call: CapacityCall) -> None:
        if self.is_contested:
            raise Conflict("somebody else wrote")
        self.written.append(call)


class Aws:
    async def set_desired_capacity(self, **_: object) -> None:
        """Accept everything."""


def test_an_answered_call_stays_answered_when_the_next_one_cannot_be_recorded():
    record = Record()
    clock = SimpleNamespace(monotonic=lambda: 0.0, now=lambda: NOW)
    world = SimpleNamespace(clock=clock, fleets=SimpleNamespace(fleet=lambda **_: Aws()))
    changes = Changes(facts(), world, record)

    async def scenario() -> None:
        await changes.capacity(SetDesired(desired=3, raises=True))
        record.is_contested = True
        with pytest.raises(Conflict):
            await changes.capacity(SetDesired(desired=4, raises=True))

    asyncio.run(scenario())
    assert record.written[0] in changes.answered, "the pool's status still shows it, and it must not block raising"
    assert CapacityCall(sent_at=NOW, desired=4) in changes.answered, "it was never sent"
