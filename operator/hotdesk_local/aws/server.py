"""The simulator as one object: its own thread and event loop, which is also the one lock around everything."""

import asyncio
import contextlib
import fcntl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from aiohttp import web

from hotdesk_local.aws import clock, control_loop
from hotdesk_local.aws.account import Account
from hotdesk_local.aws.beginning import build_world
from hotdesk_local.aws.config import Config
from hotdesk_local.aws.control_api import ControlApi
from hotdesk_local.aws.elsewhere import Elsewhere
from hotdesk_local.aws.fleet import StateWatcher
from hotdesk_local.aws.gateway import Gateway, json_wires, xml_wires
from hotdesk_local.aws.model import Instance, State
from hotdesk_local.aws.network import guard_network
from hotdesk_local.aws.services import handlers
from hotdesk_local.aws.world import World
from hotdesk_local.machines.host import Machines
from hotdesk_local.machines.shell import Beside

LARGEST_BODY = 1024**3
KEY = "hotdesk-local"


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
        address: str = "127.0.0.1",
        port: int = 0,
        region: str = "eu-central-1",
        config: Mapping[str, Any] | None = None,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._state_dir = state_dir
        self._address = address
        self._port = port
        self._region = region
        self._config = Config().changed(dict(config or {}))
        self._now = now
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
            runner = Beside()
            world = build_world(
                region=self._region,
                network=guarded.network,
                config=self._config,
                root=self._state_dir,
                runner=runner,
                now=self._now,
            )
            blocks = world.storage.blocks
            blocks.clear()
            stack.callback(blocks.clear)
            stack.callback(runner.close)
            machines = Machines(disk_of=blocks.disk, serving=self._config.serve, now=self._now)
            stack.push_async_callback(machines.close)
            world.fleet.watchers.append(_power(world, machines))
            elsewhere = Elsewhere(region=self._region, network=world.network)
            stack.callback(elsewhere.close)
            xml = xml_wires()
            account = Account(world, handlers(ec2=xml["ec2"], autoscaling=xml["autoscaling"]))
            gateway = Gateway(account=account, elsewhere=elsewhere, wires={**xml, **json_wires()})
            endpoint = await _listen(
                gateway,
                ControlApi(world, machines, account.faults),
                address=self._address,
                port=self._port,
                stack=stack,
            )
            world.endpoint = endpoint
            world.guests.environment.update(_guest_environment(endpoint, self._region))
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


PROGRAM_TAG = "hotdesk-local/program"


def _power(world: World, machines: Machines) -> StateWatcher:
    def changed(instance: Instance, _before: State | None, now: float) -> None:
        match instance.state:
            case State.RUNNING:
                machines.power_on(
                    instance.id,
                    address=instance.private_ip,
                    now=now,
                    kind=instance.tags.get(PROGRAM_TAG, world.config.program),
                    token=world.config.token,
                )
            case State.STOPPING | State.SHUTTING_DOWN:
                machines.power_off(instance.id)
            case _:
                pass

    return changed


def _guest_environment(endpoint: str, region: str) -> Mapping[str, str]:
    """Return what a command in a machine needs to call this AWS, as an instance profile would give it."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


async def _listen(
    gateway: Gateway, control: ControlApi, *, address: str, port: int, stack: contextlib.AsyncExitStack
) -> str:
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([*control.routes(), web.route("*", "/{path:.*}", gateway.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, address, port, backlog=1024)
    await site.start()
    return f"http://{address}:{runner.addresses[0][1]}"


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


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
