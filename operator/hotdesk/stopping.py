"""How a process ends: when a signal says so, or when a part of it has ended by itself."""

import asyncio
import signal


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set the event at SIGTERM and SIGINT from now on."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def first_of(event: asyncio.Event, *parts: asyncio.Task[None]) -> None:
    """Wait until the event is set or a part has ended."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((waiting, *parts), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
