"""What is written when somebody beats: at once, then seldom, never back, and nothing is lost."""

from datetime import timedelta

from component.gateways import KEY, START, TEAM, Hall, in_hall, until, wire
from fakes.apiserver.faults import Trouble
from hotdesk.core.heartbeats.tokens import sign

INTERVAL = 360
DAY = timedelta(days=1)
STATUS = {"namespace": TEAM, "status": True}


@in_hall
async def test_the_first_beat_after_a_claim_is_written_at_once_and_those_after_it_are_not(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        assert await hall.beat(gateway, json={"source": "editor"}) == 204
        await until(lambda: hall.status().get("activitySource"), "Heartbeat/editor")
        first = hall.status()["lastActivityTime"]
        assert wire(START) <= first <= wire(hall.clock.now())
        hall.clock.added += INTERVAL - 30
        for _ in range(5):
            assert await hall.beat(gateway) == 204
        assert hall.writes() == [first]
        assert gateway.heartbeats.waiting == 1


@in_hall
async def test_after_the_interval_the_newest_beat_is_written_without_another(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        await hall.beat(gateway)
        await until(lambda: len(hall.writes()), 1)
        hall.clock.added += 100
        await hall.beat(gateway)
        hall.clock.added += 100
        await hall.beat(gateway, json={"source": "shell"})
        between = wire(START + timedelta(seconds=199)), wire(START + timedelta(seconds=260))
        hall.clock.added += INTERVAL
        await until(lambda: hall.status()["activitySource"], "Heartbeat/shell")
        assert between[0] < hall.status()["lastActivityTime"] < between[1]
        assert len(hall.writes()) == 2
        assert gateway.heartbeats.waiting == 0


@in_hall
async def test_beats_are_recorded_as_often_as_the_pools_idle_timeout_asks_for(hall: Hall):
    aws = {"region": "eu-west-1", "autoScalingGroupName": "desk"}
    lifecycle = {"idleTimeout": "10m"}
    spec = {"aws": aws, "maxMachines": 1, "lifecycle": lifecycle}
    hall.server.create("machinepools", {"metadata": {"name": "pool"}, "spec": spec})
    hall.workspace()
    async with hall.gateway() as gateway:
        await until(lambda: gateway.heartbeats.knows("pool"), True)  # noqa: FBT003
        await hall.beat(gateway)
        await until(lambda: len(hall.writes()), 1)
        hall.clock.added += 20
        await hall.beat(gateway)
        hall.clock.added += 66
        await until(lambda: len(hall.writes()), 2)
        hall.server.patch("machinepools", "pool", {"spec": {"lifecycle": {"idleTimeout": "1m"}}})
        await hall.beat(gateway)
        hall.clock.added += 10
        await until(lambda: len(hall.writes()), 3)


@in_hall
async def test_presence_alone_is_never_written(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        assert await hall.beat(gateway, json={"input": False}) == 204
        async with hall.http.ws_connect(hall.url(gateway, "demo", "ws"), headers=_bearer(hall.token())) as socket:
            await socket.ping()
            await socket.send_str('{"input": false}')
            await until(lambda: _count(hall, gateway, 'kind="presence",transport="websocket"'), 2.0)
        assert hall.writes() == []
        assert gateway.heartbeats.waiting == 0


@in_hall
async def test_a_workspace_without_a_machine_is_not_written_and_its_first_beat_afterwards_is(hall: Hall):
    uid = hall.workspace(machine=None)
    async with hall.gateway() as gateway:
        assert await hall.beat(gateway) == 204
        assert gateway.heartbeats.waiting == 0
        told = {"phase": "Running", "machine": "i-1", "claimedAt": wire(hall.clock.now())}
        hall.server.patch("workspaces", "demo", {"status": told}, namespace=TEAM, status=True)
        await until(lambda: gateway.heartbeats.find(uid).waits, False)  # noqa: FBT003
        assert hall.writes() == []
        await hall.beat(gateway)
        await until(lambda: len(hall.writes()), 1)


@in_hall
async def test_a_beat_for_a_workspace_that_rests_is_written_at_once_and_once(hall: Hall):
    moments = {"claimedAt": wire(START - DAY), "lastActivityTime": wire(START), "stoppedAt": wire(START)}
    phases = ["Stopping", "Stopped", "Archiving", "Archived"]
    async with hall.gateway() as gateway:
        for number, phase in enumerate(phases, start=1):
            name = phase.lower()
            uid = hall.workspace(name, **moments)
            told = {"phase": phase, "machine": None if phase == "Archived" else "i-1"}
            hall.server.patch("workspaces", name, {"status": told}, **STATUS)
            await until(lambda uid=uid: uid in gateway.heartbeats and gateway.heartbeats.find(uid).rests, True)  # noqa: FBT003
            hall.clock.added += 5
            await hall.beat(gateway, name)
            await until(lambda: len(hall.writes()), number)
            assert hall.status(name)["lastActivityTime"] > hall.status(name)["stoppedAt"]
        hall.clock.added += 30
        for phase in phases:
            await hall.beat(gateway, phase.lower())
        assert gateway.heartbeats.waiting == len(hall.writes()) == len(phases)


@in_hall
async def test_a_beat_after_the_warning_of_a_stop_is_written_at_once_and_of_nothing_else(hall: Hall):
    hall.workspace(claimedAt=wire(START - DAY), lastActivityTime=wire(START))
    async with hall.gateway() as gateway:
        (uid,) = gateway.heartbeats
        hall.clock.added += 5
        for action, phase in (("Archive", "Running"), ("Stop", "Running")):
            assert hall.writes() == []
            coming = {"action": action, "at": wire(START), "reason": "idle", "warnedAt": wire(hall.clock.now())}
            hall.server.patch("workspaces", "demo", {"status": {"phase": phase, "next": coming}}, **STATUS)
            await until(lambda: gateway.heartbeats.find(uid).version, hall.server.storage.version)
            hall.clock.added += 1
            await hall.beat(gateway)
        await until(lambda: len(hall.writes()), 1)
        assert hall.status()["lastActivityTime"] > hall.status()["next"]["warnedAt"]


@in_hall
async def test_a_new_claim_makes_the_next_beat_a_first_one_again(hall: Hall):
    uid = hall.workspace()
    async with hall.gateway() as gateway:
        await hall.beat(gateway)
        await until(lambda: len(hall.writes()), 1)
        hall.clock.added += 20
        claimed = hall.clock.now()
        told = {"machine": "i-2", "claimedAt": wire(claimed), "lastActivityTime": None, "activitySource": None}
        hall.server.patch("workspaces", "demo", {"status": told}, namespace=TEAM, status=True)
        await until(lambda: gateway.heartbeats.find(uid).claimed_at, claimed)
        await hall.beat(gateway)
        await until(lambda: hall.status().get("lastActivityTime", "") > wire(claimed), True)  # noqa: FBT003
        assert len(hall.writes()) == 2


@in_hall
async def test_nothing_else_in_the_status_is_touched_and_the_version_is_always_there(hall: Hall):
    hall.workspace()
    before = hall.status()
    async with hall.gateway() as gateway:
        await hall.beat(gateway)
        await until(lambda: len(hall.status()), len(before) + 2)
    assert {key: value for key, value in hall.status().items() if key in before} == before
    (write,) = hall.server.writes("workspaces/status")
    assert write.body["metadata"]["resourceVersion"]
    assert set(write.body["status"]) == {"lastActivityTime", "activitySource"}


@in_hall
async def test_a_workspace_made_anew_under_the_name_is_neither_written_nor_entered_with_the_old_token(hall: Hall):
    old = hall.workspace()
    token = hall.token()
    async with hall.gateway() as gateway:
        gate = hall.server.inject(Trouble.HOLD, verb="patch", resource="workspaces/status")
        await hall.beat(gateway)
        await gate.arrived()
        hall.server.delete("workspaces", "demo", namespace=TEAM)
        new = hall.workspace()
        gate.open()
        await hall.known(gateway, new)
        await until(lambda: old in gateway.heartbeats, False)  # noqa: FBT003
        assert await hall.beat(gateway, token=token) == 404
        assert "lastActivityTime" not in hall.status()
        assert await hall.beat(gateway) == 204
        await until(lambda: "lastActivityTime" in hall.status(), True)  # noqa: FBT003


@in_hall
async def test_a_write_that_meets_a_newer_version_is_tried_again_by_itself(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        gate = hall.server.inject(Trouble.HOLD, verb="patch", resource="workspaces/status")
        await hall.beat(gateway)
        await gate.arrived()
        hall.server.patch("workspaces", "demo", {"status": {"url": "http://new/"}}, namespace=TEAM, status=True)
        gate.open()
        await until(lambda: "lastActivityTime" in hall.status(), True)  # noqa: FBT003
        assert hall.status()["url"] == "http://new/"
        assert len(hall.writes()) == 2
        assert 'outcome="conflict"' in await hall.metrics(gateway)


@in_hall
async def test_a_stale_version_is_read_again_even_while_the_watch_is_broken(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        hall.server.inject(Trouble.ANSWER, verb="watch", count=1000)
        hall.server.watches.cut()
        await until(lambda: hall.server.calls[-1].verb, "watch")
        hall.server.patch("workspaces", "demo", {"status": {"url": "http://new/"}}, namespace=TEAM, status=True)
        await hall.beat(gateway)
        await until(lambda: "lastActivityTime" in hall.status(), True)  # noqa: FBT003
        assert len(hall.writes()) == 2
        assert [call.verb for call in hall.server.calls].count("get") == 1


@in_hall
async def test_an_answer_that_is_lost_costs_no_second_change(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        hall.server.inject(Trouble.LOSE_ANSWER, verb="patch", resource="workspaces/status")
        await hall.beat(gateway)
        await until(lambda: gateway.heartbeats.waiting, 0)
        version = hall.server.storage.version
        hall.clock.added += 60
        await until(lambda: hall.server.storage.version, version)
        assert len(set(hall.writes())) == 1


@in_hall
async def test_when_the_api_server_is_back_the_newest_beat_is_written(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        await hall.server.stop()
        assert await hall.beat(gateway) == 204
        hall.clock.added += 50
        asked = hall.clock.now()
        assert await hall.beat(gateway, json={"source": "late"}) == 204
        await hall.server.start()
        hall.clock.added += 20  # the pause is over
        await until(lambda: hall.status().get("activitySource"), "Heartbeat/late", within=20)
        assert hall.status()["lastActivityTime"] >= wire(asked)


@in_hall
async def test_a_gateway_that_starts_while_the_api_server_is_away_becomes_ready_later(hall: Hall):
    hall.workspace()
    token = hall.token()
    await hall.server.stop()
    async with hall.gateway(ready=False) as gateway:
        assert await hall.beat(gateway, token=token) == 503
        assert await hall.beat(gateway, token=hall.token(key="x" * 40)) == 401
        assert await hall.readiness(gateway) == 503
        await hall.server.start()
        await until(lambda: hall.readiness(gateway), 200, within=20)
        assert await hall.beat(gateway) == 204


@in_hall
async def test_what_vanished_while_the_watch_was_broken_is_gone(hall: Hall):
    old = hall.workspace()
    token = hall.token()
    async with hall.gateway() as gateway:
        await hall.server.stop()
        hall.server.delete("workspaces", "demo", namespace=TEAM)
        hall.server.compact()
        await hall.server.start()
        await until(lambda: old in gateway.heartbeats, False, within=20)  # noqa: FBT003
        assert await hall.beat(gateway, token=token) == 404


@in_hall
async def test_two_gateways_write_at_most_twice_an_interval_and_the_later_time_stays(hall: Hall):
    hall.workspace()
    async with hall.gateway() as one, hall.gateway() as other:
        await hall.beat(one)
        await until(lambda: len(hall.writes()), 1)
        last = ""
        for _ in range(12):  # 20 minutes
            hall.clock.added += 100
            await hall.beat(one)
            await hall.beat(other)
            for gateway in (one, other):
                gateway.recorder.nudge()
            shown = hall.status()["lastActivityTime"]
            assert shown >= last
            last = shown
        hall.clock.added += 2 * INTERVAL
        await until(lambda: one.heartbeats.waiting + other.heartbeats.waiting, 0)
        assert len(hall.writes()) <= 1 + 2 * (12 * 100 // INTERVAL + 1)
        assert hall.status()["lastActivityTime"] == max(hall.writes())


@in_hall
async def test_what_is_due_is_still_written_when_the_gateway_ends(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        await hall.beat(gateway)
    assert "lastActivityTime" in hall.status()


@in_hall
async def test_writes_of_many_stay_below_the_ceiling(hall: Hall):
    names = [f"w{number}" for number in range(60)]
    for name in names:
        hall.workspace(name)
    async with hall.gateway(activity_writes_per_second=10) as gateway:
        began = hall.clock.monotonic()
        for name in names:
            await hall.beat(gateway, name)
        await until(lambda: len(hall.writes()) >= 30, True)  # noqa: FBT003
        assert len(hall.writes()) <= 11 + 10 * (hall.clock.monotonic() - began)


@in_hall
async def test_a_key_that_is_added_and_one_that_is_removed_take_effect_without_a_restart(hall: Hall):
    uid = hall.workspace()
    second = "the-second-key-of-the-tests-0123456789"
    async with hall.gateway() as gateway:
        new = sign(second.encode(), namespace=TEAM, name="demo", uid=uid)
        assert await hall.beat(gateway, token=new) == 401
        hall.keys.write_text(f"{second}\n{KEY}\n", encoding="utf-8")
        await until(lambda: hall.beat(gateway, token=new), 204)
        assert await hall.beat(gateway) == 204
        hall.keys.write_text("short", encoding="utf-8")  # unusable: nothing changes
        hall.keys.write_text(f"{second}\n", encoding="utf-8")
        await until(lambda: hall.beat(gateway), 401)
        hall.clock.added += 10  # those were many beats
        assert await hall.beat(gateway, token=new) == 204


async def _count(hall: Hall, gateway, labels: str) -> float:
    line = f"hotdesk_gateway_beats_total{{{labels}}} "
    found = [text for text in (await hall.metrics(gateway)).splitlines() if text.startswith(line)]
    return float(found[0].removeprefix(line)) if found else 0.0


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
