"""One AWS call: within its budget, on a worker thread, counted, its errors made ours."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from botocore import xform_name
from botocore.exceptions import BotoCoreError

from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.clients import Clients, Service
from hotdesk.adapters.aws.errors import translate, unmade
from hotdesk.ports import HotdeskError, Refused, Unanswered

T = TypeVar("T")
Answer = dict[str, Any]
Parameters = dict[str, Any]
OnCall = Callable[[str, str, float], None]
"""Called on the event loop after each call with the action ("ec2:CreateTags"), the outcome ("ok", the error's class in
lower case like "throttled", or "cancelled" if the caller stopped waiting) and the seconds, without the wait for budget.
"""

THREADS: Final = 8
_SERVICES: Final[tuple[Service, ...]] = ("autoscaling", "ec2")
# When AWS hangs, reads may hold no more than these; the others stay free for the writes that secure machines.
_THREADS_FOR_READS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[T]):
    """What to call ("ec2", "CreateTags"), with what, and how to turn the answer into facts."""

    service: Service
    operation: str
    parameters: Parameters
    convert: Callable[[Answer], T]
    retries: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of an answer and the token that asks for the next one."""

    facts: T
    next_token: str | None


class Calls:
    """Makes calls on eight threads of its own; belongs to one event loop."""

    def __init__(
        self, *, clients: Clients, budgets: Budgets, on_call: OnCall, gate: Callable[[], None] = lambda: None
    ) -> None:
        """`gate` is called on the thread before each write is sent, and raises what keeps it from being sent."""
        self._clients = clients
        self._budgets = budgets
        self._on_call = on_call
        self._gate = gate
        self._executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="hotdesk-aws")
        self._reads = asyncio.Semaphore(_THREADS_FOR_READS)

    async def read(
        self, service: Service, operation: str, parameters: Parameters, convert: Callable[[Answer], T]
    ) -> Page[T]:
        """Ask, up to three times, and return the answer converted (on its thread, to spare the event loop).

        Raises what the port allows a read, and NotFound: a question that AWS refused has no answer either.
        """
        await self._budgets.spend(service=service, operation=operation)
        request = Request(
            service=service,
            operation=operation,
            parameters=parameters,
            convert=lambda answer: Page(facts=convert(answer), next_token=answer.get("NextToken") or None),
            retries=True,
        )
        try:
            async with self._reads:
                return await self._run(request)
        except Refused as error:
            raise Unanswered(str(error)) from error

    async def sign(self, operation: str, parameters: Parameters, *, lifetime: timedelta) -> str:
        """Return a URL with which anybody may make this one call of S3 for a while; nothing is called for it.

        It ends sooner where our credentials end sooner.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._signed, operation, parameters, lifetime
        )

    async def write(self, service: Service, operation: str, parameters: Parameters) -> None:
        """Send once, never again: after Unanswered it may have had its effect, or have it later."""
        await self._budgets.spend(service=service, operation=operation)
        request = Request(
            service=service, operation=operation, parameters=parameters, convert=lambda _: None, retries=False
        )
        await self._run(request)

    def prepare(self) -> None:
        """Have the clients made on a thread: together they cost a second, for which nobody shall wait at a takeover."""
        self._executor.submit(self._make_clients)

    def close(self) -> None:
        """Take no more calls and drop those that no thread has begun; those that are on their way go on."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, request: Request[T]) -> T:
        began = time.monotonic()
        outcome = "cancelled"
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._executor, self._send, request)
        except HotdeskError as error:
            outcome = type(error).__name__.lower()
            raise
        else:
            outcome = "ok"
            return result
        finally:
            self._on_call(f"{request.service}:{request.operation}", outcome, time.monotonic() - began)

    def _make_clients(self) -> None:
        for retries in (True, False):
            for service in _SERVICES:
                self._clients.client(service, retries=retries)  # what fails here is told by the first call

    def _signed(self, operation: str, parameters: Parameters, lifetime: timedelta) -> str:
        client = self._client("s3", retries=False)
        try:
            url: str = client.generate_presigned_url(
                xform_name(operation), Params=parameters, ExpiresIn=int(lifetime.total_seconds())
            )
        except Exception as error:
            raise translate(error, service="s3", operation=operation) from error
        return url

    def _client(self, service: Service, *, retries: bool) -> Any:
        try:
            return self._clients.client(service, retries=retries)
        except Exception as error:
            raise unmade(error, service=service) from error

    def _send(self, request: Request[T]) -> T:
        client = self._client(request.service, retries=request.retries)
        if not request.retries:
            self._gate()
        try:
            answer = getattr(client, xform_name(request.operation))(**request.parameters)
        except Exception as error:
            raise translate(error, service=request.service, operation=request.operation) from error
        try:
            return request.convert(answer)
        except (ValueError, TypeError, LookupError, AttributeError, BotoCoreError) as error:
            raise Unanswered(f"{request.service}:{request.operation} gave no usable answer: {error}") from error
