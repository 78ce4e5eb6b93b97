"""A new account: one VPC with a subnet in each of two zones, and what follows from every change of an instance."""

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

from hotdesk_local.aws import clock, membership
from hotdesk_local.aws.calls import CallLog
from hotdesk_local.aws.config import Config
from hotdesk_local.aws.ebs import Storage
from hotdesk_local.aws.events import Events
from hotdesk_local.aws.fleet import Fleet
from hotdesk_local.aws.model import Instance, Network, State, Subnet
from hotdesk_local.aws.s3_content import Vault
from hotdesk_local.aws.s3_model import ObjectStore
from hotdesk_local.aws.spot import Spot
from hotdesk_local.aws.sqs import Queues
from hotdesk_local.aws.ssm import Guests
from hotdesk_local.aws.world import ACCOUNT, World
from hotdesk_local.machines.blocks import Blocks, NoBytes
from hotdesk_local.machines.shell import AtOnce, Pretending, Runner

IMAGE = "ami-0a1b2c3d4e5f60718"


def build_world(
    *,
    region: str,
    network: IPv4Network,
    config: Config,
    root: Path | None = None,
    runner: Runner | None = None,
    now: Callable[[], float] = clock.now,
) -> World:
    """Make the account.

    `root` holds all bytes: without it disks hold none, and what SSM sends to machines only seems to run.
    `runner` runs it otherwise. `now` is the only clock.
    """
    blocks = NoBytes() if root is None else Blocks(root)
    runner = runner or (Pretending() if root is None else AtOnce())
    fleet = Fleet(config=config, calls=CallLog())
    subnets = tuple(
        Subnet(id=fleet.new_id("subnet"), zone=f"{region}{letter}", cidr=str(half))
        for letter, half in zip("ab", network.subnets(prefixlen_diff=1), strict=True)
    )
    vpc, security_group = fleet.new_id("vpc"), fleet.new_id("sg")
    queues = Queues()
    events = Events(fleet=fleet, queues=queues, account=ACCOUNT, region=region)
    world = World(
        region=region,
        fleet=fleet,
        network=Network(cidr=str(network), vpc=vpc, security_group=security_group, subnets=subnets),
        image=IMAGE,
        storage=Storage(fleet=fleet, blocks=blocks),
        guests=Guests(fleet=fleet, blocks=blocks, runner=runner),
        s3=ObjectStore(Vault(None if root is None else root / "s3")),
        queues=queues,
        events=events,
        spot=Spot(fleet=fleet, events=events),
        now=now,
    )

    def changed(instance: Instance, before: State | None, now: float) -> None:
        if before is not None:
            membership.instance_changed(world, instance, now=now)
        world.events.instance_changed(instance, before, now)
        world.guests.instance_changed(instance, before, now)
        world.storage.instance_changed(instance, before, now)

    fleet.watchers.append(changed)
    return world
