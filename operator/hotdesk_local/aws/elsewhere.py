"""The rest of AWS, on demand: moto takes seconds and 150 MB to load, and most stacks never ask for it."""

import asyncio
import importlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hotdesk_local.aws.model import Network

if TYPE_CHECKING:
    from hotdesk_local.aws.moto_app import Moto, Reply


class Elsewhere:
    """moto behind one thread, loaded by the first call that needs it."""

    def __init__(self, *, region: str, network: Network) -> None:
        self._region = region
        self._network = network
        self._moto: Moto | None = None
        # One thread: moto's models are not safe for more.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="moto")

    async def call(self, *, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> "Reply":
        """Answer one HTTP request: status, headers, body."""

        def answer() -> "Reply":
            return self._loaded().answer(method=method, raw_path=raw_path, headers=headers, body=body)

        return await asyncio.get_running_loop().run_in_executor(self._thread, answer)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True)

    def _loaded(self) -> "Moto":
        if self._moto is None:
            module = importlib.import_module("hotdesk_local.aws.moto_app")
            self._moto = module.Moto(region=self._region, network=self._network)
        return self._moto
