"""The simulator as one object: its own thread and event loop, which is also the one lock around everything."""

import asyncio
import contextlib
import fcntl
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from aiohttp import web

from hotdesk_local.aws import control_loop, membership
from hotdesk_local.aws.calls import CallLog
from hotdesk_local.aws.config import Config
from hotdesk_local.aws.control_api import ControlApi
from hotdesk_local.aws.elsewhere import Elsewhere
from hotdesk_local.aws.fleet import Fleet
from hotdesk_local.aws.gateway import Gateway
from hotdesk_local.aws.model import Instance, Network, State, Subnet
from hotdesk_local.aws.network import guard_network
from hotdesk_local.aws.world import World
from hotdesk_local.machines.host import Machines

IMAGE = "ami-0a1b2c3d4e5f60718"
LARGEST_BODY = 1024**3


@dataclass(frozen=True, slots=True)
class Ready:
    """What a client needs to know; printed as JSON by the process."""

    endpoint: str
    network: str
    subnets: tuple[str, ...]
    image: str
    region: str


class SimulatedAws:
    """A running simulator. Use it as a context manager, or start() and stop() it."""

    def __init__(
        self,
        *,
        state_dir: Path,
        port: int = 0,
        region: str = "eu-central-1",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._port = port
        self._region = region
        self._config = Config().changed(dict(config or {}))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="simulated-aws", daemon=True)
        self._started: Future[Ready] = Future()
        self._over = asyncio.Event()
        self._failure: BaseException | None = None

    def start(self) -> Ready:
        """Start it and return once it answers. Raises what kept it from starting."""
        self._thread.start()
        return self._started.result()

    def stop(self) -> None:
        """End it and wait until its thread and listeners are gone; the machines' disks go with them."""
        self.ask_to_stop()
        self.wait()

    def ask_to_stop(self) -> None:
        """End it soon."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)

    def wait(self) -> None:
        """Wait until it has ended. Raises what ended it, if that was a bug."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    @property
    def ready(self) -> Ready:
        """Return what a client needs to know."""
        return self._started.result()

    @property
    def endpoint(self) -> str:
        """Return the value for AWS_ENDPOINT_URL."""
        return self.ready.endpoint

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _exc: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as exc:  # noqa: BLE001  # start() or wait() raises it in the caller's thread
            if self._started.done():
                self._failure = exc
            else:
                self._started.set_exception(exc)
        finally:
            self._loop.close()

    async def _live(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(_own(self._state_dir).close)
            guarded = guard_network()
            stack.callback(guarded.close)
            machines = Machines(root=_empty(self._state_dir / "disks"), serving=self._config.serve)
            stack.push_async_callback(machines.close)
            world = build_world(region=self._region, network=guarded.network, config=self._config)
            _connect(world, machines)
            elsewhere = Elsewhere(region=self._region, network=world.network)
            stack.callback(elsewhere.close)
            gateway = Gateway(world=world, elsewhere=elsewhere)
            endpoint = await _listen(gateway, ControlApi(world, machines, gateway.faults), port=self._port, stack=stack)
            loop = asyncio.create_task(control_loop.run(world, machines))
            stack.push_async_callback(_cancel, loop)
            self._started.set_result(
                Ready(
                    endpoint=endpoint,
                    network=str(guarded.network),
                    subnets=tuple(subnet.id for subnet in world.network.subnets),
                    image=world.image,
                    region=self._region,
                ),
            )
            over = asyncio.create_task(self._over.wait())
            await asyncio.wait({over, loop}, return_when=asyncio.FIRST_COMPLETED)
            if loop.done():
                loop.result()  # a bug in the control loop ends the simulator: it must not stand still in silence


def build_world(*, region: str, network: IPv4Network, config: Config) -> World:
    """Make an account with one VPC and a subnet in each of two zones."""
    fleet = Fleet(config=config, calls=CallLog())
    subnets = tuple(
        Subnet(id=fleet.new_id("subnet"), zone=f"{region}{letter}", cidr=str(half))
        for letter, half in zip("ab", network.subnets(prefixlen_diff=1), strict=True)
    )
    vpc, security_group = fleet.new_id("vpc"), fleet.new_id("sg")
    return World(
        region=region,
        fleet=fleet,
        network=Network(cidr=str(network), vpc=vpc, security_group=security_group, subnets=subnets),
        image=IMAGE,
    )


def _connect(world: World, machines: Machines) -> None:
    def changed(instance: Instance, before: State | None, now: float) -> None:
        if before is not None:
            membership.instance_changed(world, instance, now=now)
        match instance.state:
            case State.RUNNING:
                machines.power_on(instance.id, address=instance.private_ip, now=now)
            case State.STOPPING | State.SHUTTING_DOWN:
                machines.power_off(instance.id)
            case State.TERMINATED:
                machines.erase(instance.id)
            case _:
                pass

    world.fleet.watchers.append(changed)


async def _listen(gateway: Gateway, control: ControlApi, *, port: int, stack: contextlib.AsyncExitStack) -> str:
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([*control.routes(), web.route("*", "/{path:.*}", gateway.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


def _own(state_dir: Path) -> IO[str]:
    """Lock the state directory: two simulators would delete each other's disks."""
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = (state_dir / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        lock.close()
        raise RuntimeError(f"Another simulated AWS uses {state_dir}: choose another --state-dir or end it.") from exc
    return lock


def _empty(disks: Path) -> Path:
    """Remove the disks of machines nobody remembers: the simulator's own state ends with its process."""
    shutil.rmtree(disks, ignore_errors=True)
    disks.mkdir(parents=True)
    return disks


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
