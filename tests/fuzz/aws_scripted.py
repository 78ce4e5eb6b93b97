"""A Fleet whose every answer is written by the test: all of the adapter and of botocore, without a network."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from hotdesk.adapters.aws.answers import read_auto_scaling_leanly, read_ec2_leanly
from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import Calls
from hotdesk.adapters.aws.fleet import AwsFleet

T = TypeVar("T")


class Scripted:
    """Clients that take `body` and `status` for the answer to whatever they send."""

    def __init__(self, *, lean: bool) -> None:
        self.body = b""
        self.status = 200
        self.sent = 0
        self._clients = {service: self._make(service) for service in ("ec2", "autoscaling")}
        if lean:
            read_ec2_leanly(self._clients["ec2"])
            read_auto_scaling_leanly(self._clients["autoscaling"])

    def client(self, service: str, *, retries: bool) -> Any:
        """Return the client, which never sends twice here."""
        del retries
        return self._clients[service]

    def _make(self, service: str) -> Any:
        client: Any = boto3.client(
            service,  # type: ignore[call-overload]  # one of two
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send.*", self._answer)
        return client

    def _answer(self, **_: object) -> AWSResponse:
        self.sent += 1
        response = AWSResponse("http://aws", self.status, {}, None)
        response._content = self.body
        return response


class _NoLimit(Budgets):
    async def spend(self, *, service: str, operation: str) -> None:
        """Let everything through: here no time passes."""


class ScriptedFleet:
    """The adapter on scripted clients, called from tests that are no coroutines."""

    def __init__(self, *, lean: bool = True) -> None:
        self._scripted = Scripted(lean=lean)
        self._runner = asyncio.Runner()
        calls = Calls(
            clients=self._scripted,  # type: ignore[arg-type]  # has what is used of it
            budgets=_NoLimit(),
            on_call=lambda _action, _outcome, _seconds: None,
        )
        self.fleet = AwsFleet(calls)

    def answering(self, body: bytes, ask: Callable[[AwsFleet], Awaitable[T]], *, status: int = 200) -> T:
        """Ask while AWS answers so; raises what the Fleet raises."""
        self._scripted.body, self._scripted.status, self._scripted.sent = body, status, 0

        async def asking() -> T:
            async with asyncio.timeout(20):
                return await ask(self.fleet)

        return self._runner.run(asking())

    @property
    def sent(self) -> int:
        """How many requests the last question took."""
        return self._scripted.sent

    def close(self) -> None:
        """Let the threads go."""
        self.fleet.close()
        self._runner.close()
