"""Token buckets: how long a call waits, and who shares one."""

import asyncio

import pytest

from hotdesk.adapters.aws.budgets import Budgets, Limit, TokenBucket


def test_a_burst_is_free_and_then_each_call_waits_its_turn():
    bucket = TokenBucket(Limit(burst=2, per_second=4))
    assert [bucket.reserve(now=10.0) for _ in range(5)] == [0, 0, 0.25, 0.5, 0.75]


def test_tokens_grow_with_time_but_never_beyond_the_burst():
    bucket = TokenBucket(Limit(burst=2, per_second=1))
    assert [bucket.reserve(now=0.0) for _ in range(2)] == [0, 0]
    assert bucket.reserve(now=1.0) == 0
    assert [bucket.reserve(now=1000.0) for _ in range(3)] == [0, 0, 1]


def test_a_clock_that_steps_back_gives_no_tokens():
    bucket = TokenBucket(Limit(burst=1, per_second=1))
    assert bucket.reserve(now=100.0) == 0
    assert bucket.reserve(now=50.0) == 1


@pytest.mark.parametrize(
    ("service", "operation", "free"),
    [
        ("ec2", "DescribeInstances", 50),
        ("ec2", "CreateTags", 50),
        ("ec2", "TerminateInstances", 50),
        ("ec2", "ModifyInstanceAttribute", 25),
        ("autoscaling", "DetachInstances", 40),
    ],
)
def test_half_of_awss_burst_is_free(service: str, operation: str, free: int):
    async def spend() -> int:
        budgets = Budgets()
        for spent in range(1000):
            turn = asyncio.ensure_future(budgets.spend(service=service, operation=operation))
            await asyncio.sleep(0)
            if not turn.done():
                turn.cancel()
                return spent
        raise AssertionError("no limit")

    assert asyncio.run(spend()) == free


def test_auto_scaling_apis_share_a_bucket_and_ec2_apis_do_not():
    async def waiting() -> tuple[bool, bool]:
        budgets = Budgets()
        for operation in ("DescribeAutoScalingGroups", "DetachInstances"):
            for _ in range(20):
                await budgets.spend(service="autoscaling", operation=operation)
        for _ in range(50):
            await budgets.spend(service="ec2", operation="CreateTags")
        shared = asyncio.ensure_future(budgets.spend(service="autoscaling", operation="SetDesiredCapacity"))
        other = asyncio.ensure_future(budgets.spend(service="ec2", operation="DescribeInstances"))
        await asyncio.sleep(0)
        try:
            return shared.done(), other.done()
        finally:
            shared.cancel()

    assert asyncio.run(waiting()) == (False, True)
