"""The claim path, undisturbed and with every kind of answer that can be lost."""

from datetime import timedelta

from component.desk import Desk, at_a_desk, writes
from fakes.apiserver.faults import Trouble


@at_a_desk()
async def test_a_claim_costs_two_writes_and_no_call_to_aws_before_the_user_has_the_ip(desk: Desk):
    desk.add_pool(maxMachines=10)
    await desk.operator(look=3_600_000)
    await desk.until_idle(2)
    await desk.until(lambda: desk.pool().status.idle == 2, what="the pool is told")
    publishing = desk.inject(Trouble.HOLD_ANSWER, "patch", "workspaces/status")
    api, aws = len(desk.server.calls), len(desk.fleet.calls)
    desk.ask("demo")
    await publishing.arrived()
    assert writes(desk.server.calls[api:]) == ["patch machines", "patch workspaces/status"]
    assert desk.fleet.calls[aws:] == []
    status = desk.workspace("demo").status
    assert (status.phase, status.private_ip) == ("Running", desk.machine(status.machine or "").status.private_ip)
    desk.clock.advance(timedelta(seconds=30))
    publishing.open()
    await desk.until_secured(status.machine or "")
    assert writes(desk.server.calls[api:]).count("patch machines") == 1
    assert writes(desk.server.calls[api:]).count("patch workspaces/status") == 1
