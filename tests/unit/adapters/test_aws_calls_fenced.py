"""No call that changes AWS is sent by a process that may not act, however long the call has waited; reads go on."""

import asyncio
from types import SimpleNamespace

import pytest

from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import Calls
from hotdesk.ports import Fenced


class Aws:
    """Both services, which answer everything."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def client(self, _service: str, *, retries: bool) -> SimpleNamespace:
        del retries
        return SimpleNamespace(
            create_tags=lambda **_: self.called.append("CreateTags") or {},
            describe_instances=lambda **_: self.called.append("DescribeInstances") or {},
        )


def shut() -> None:
    raise Fenced("not now")


def test_a_write_is_not_sent_and_a_read_is():
    aws, outcomes = Aws(), []

    async def scenario() -> None:
        calls = Calls(
            clients=aws, budgets=Budgets(), on_call=lambda what, how, _: outcomes.append((what, how)), gate=shut
        )
        with pytest.raises(Fenced):
            await calls.write("ec2", "CreateTags", {})
        await calls.read("ec2", "DescribeInstances", {}, lambda answer: answer)
        calls.close()

    asyncio.run(scenario())
    assert aws.called == ["DescribeInstances"]
    assert outcomes == [("ec2:CreateTags", "fenced"), ("ec2:DescribeInstances", "ok")]
