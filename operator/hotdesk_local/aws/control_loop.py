"""What AWS does by itself, twenty times a second: time passes for instances, members and groups."""

import asyncio

from hotdesk_local.aws import membership, scaling
from hotdesk_local.aws.world import World
from hotdesk_local.machines.host import Machines

TICK = 0.05
"""Seconds."""


async def run(world: World, machines: Machines) -> None:
    """Turn until cancelled."""
    while True:
        await turn(world, machines, now=world.now())
        await asyncio.sleep(TICK)


def pass_time(world: World, *, now: float) -> None:
    """Do what is due now in the model; costs nothing where nothing is."""
    world.fleet.advance(now=now)
    world.storage.advance(now=now)
    world.guests.advance(now=now)
    world.spot.advance(now=now)
    membership.advance(world, now=now)
    for group in list(world.groups.values()):
        scaling.look(world, group, now=now)


async def turn(world: World, machines: Machines, *, now: float) -> None:
    """Do what is due now, in the model and in the machines."""
    pass_time(world, now=now)
    await machines.advance(now=now, boot=world.config.boot)
