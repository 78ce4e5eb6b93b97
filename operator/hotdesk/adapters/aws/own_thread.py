"""A thread for one thing at a time that may take long, beside the eight that claims and machines need."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class OwnThread:
    """Works in the order of being asked. Unlike an executor's, it keeps no process from ending while it works."""

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[_Work[Any] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns, or raise what it raises; who is cancelled does not end a call that began."""
        work = _Work(call)
        self._work.put(work)
        return await asyncio.wrap_future(work.future)

    def close(self) -> None:
        """Let the thread end after what it has been asked."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work.do()


class _Work(Generic[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self.future: Future[T] = Future()
        self._call = call

    def do(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is waited for
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
