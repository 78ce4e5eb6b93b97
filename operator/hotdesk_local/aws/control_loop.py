"""What AWS does by itself, twenty times a second: time passes for instances, members and groups."""

import asyncio

from hotdesk_local.aws import clock, membership, scaling
from hotdesk_local.aws.world import World
from hotdesk_local.machines.host import Machines

TICK = 0.05
"""Seconds."""


async def run(world: World, machines: Machines) -> None:
    """Turn until cancelled."""
    while True:
        await turn(world, machines, now=clock.now())
        await asyncio.sleep(TICK)


async def turn(world: World, machines: Machines, *, now: float) -> None:
    """Do what is due now; costs nothing where nothing is."""
    world.fleet.advance(now=now)
    membership.advance(world, now=now)
    for group in list(world.groups.values()):
        scaling.look(world, group, now=now)
    await machines.advance(now=now, boot=world.config.boot)
