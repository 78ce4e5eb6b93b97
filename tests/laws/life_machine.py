"""The law machine for what comes after the claim: people work, idle, return and leave, while files outlive machines."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from laws.machine import LawMachine, aws_skies, has_room_for_users, has_users, lags, numbers, pools, skies, step

SNAPSHOT = {"method": "EBSSnapshot"}
ARCHIVE = {"method": "S3Archive", "s3": {"bucket": "files"}}
_RULES = {"idleTimeout": "10m", "warnBefore": "2m", "retention": "20m"}
_RESTS_WITHIN = 900.0  # seconds in which somebody who idles is put to rest
_CALM = {"idleTimeout": "Never", "retention": "Never", "maxLifetime": "Never"}
backups = st.sampled_from((None, SNAPSHOT, SNAPSHOT, ARCHIVE, ARCHIVE))
strategies = st.sampled_from(("OnDemand", "OnDemand", "Always", "Halted"))


class LifeMachine(LawMachine):
    """A law machine whose pools let machines rest and keep files."""

    @initialize(
        seed=st.integers(0, 2**32),
        shares=st.sampled_from((False, False, True)),
        slow=st.booleans(),
        xml=st.integers(1, 7),
        operators=st.integers(1, 2),
        lag=lags,
        api=skies,
        aws=aws_skies,
        desk=backups,
        lab=backups,
        spot=st.booleans(),
    )
    def begin(self, *, desk: Any, lab: Any, spot: bool, **drawn: Any) -> None:
        """Set up two pools whose machines rest; the machines of both are spot in one world of two."""
        self.spot = spot
        self.pool_defaults = {
            "desk": {"lifecycle": _RULES, "backup": desk},
            "lab": {"lifecycle": _RULES, "backup": lab},
        }
        super().begin(**drawn)

    def settle(self) -> None:
        """Let everything be well, and see that files are as they were left, wherever they are now."""
        assert self.world is not None
        self.is_over = True
        for pool in pools_of(self):
            self.people.turn(pool, lifecycle=_CALM)
        super().settle()
        lost = self.witness.keep.at_rest()
        assert not lost, "\n".join([*lost, "", self.world.trace.told(last=200)])

    # -- users --------------------------------------------------------------------------------------------------------

    @precondition(has_room_for_users)
    @step(pool=pools, count=st.integers(1, 2))
    def users_come_and_work(self, pool: str, count: int) -> None:
        for _ in range(count):
            self.people.come(pool)
        self.world.pass_time(20.0)
        for number in range(len(self.world.server.objects("workspaces"))):
            self.people.work(number)

    @precondition(has_users)
    @step(number=numbers)
    def a_user_works(self, number: int) -> None:
        self.people.beat(number)
        self.people.work(number)

    @precondition(has_users)
    @step(number=numbers, seconds=st.sampled_from((0.5, 5.0, 40.0)))
    def a_user_works_on_and_on(self, number: int, seconds: float) -> None:
        for _ in range(10):
            self.people.beat(number)
            self.people.work(number)
            self.world.pass_time(seconds)

    @precondition(has_users)
    @step(number=numbers)
    def a_user_returns(self, number: int) -> None:
        self.people.beat(number)

    @precondition(has_users)
    @step(number=numbers)
    def a_user_asks_to_wake(self, number: int) -> None:
        self.people.ask_to_wake(number)

    @precondition(has_users)
    @step(number=numbers, strategy=strategies)
    def a_user_changes_the_strategy(self, number: int, strategy: str) -> None:
        self.people.change(number, runStrategy=strategy)

    @precondition(has_users)
    @rule(minutes=st.sampled_from((3, 8, 11, 13, 21, 34)))
    def nobody_works_for_a_while(self, minutes: int) -> None:
        self.world.pass_time(60.0 * minutes)

    @precondition(has_users)
    @rule(number=numbers, minutes=st.sampled_from((7.9, 8.1, 9.9)), after=st.sampled_from((0.0, 0.01, 1.0, 20.0)))
    def a_user_returns_in_the_last_moment(self, number: int, minutes: float, after: float) -> None:
        self.people.beat(number)
        self.people.work(number)
        self.world.pass_time(60.0 * minutes)
        self.people.beat(number)
        self.world.pass_time(after)
        self.people.work(number)

    @precondition(has_users)
    @step(after=st.sampled_from((0.0, 0.05, 1.0, 7.0)))
    def a_user_returns_as_the_machine_stops(self, after: float) -> None:
        number = self.first_in("Stopping")
        if number is not None:
            self.world.pass_time(after)
            self.people.beat(number)
            self.world.pass_time(60.0)
            self.people.work(number)

    @precondition(has_users)
    @step(after=st.sampled_from((0.0, 1.0, 10.0, 100.0)))
    def somebody_starts_a_machine_at_rest(self, after: float) -> None:
        if self.first_in("Stopped") is not None:
            self.world.pass_time(after)
            self.people.start(0)

    @precondition(has_users)
    @step(after=st.sampled_from((0.0, 1.0, 10.0, 100.0)))
    def a_workspace_at_rest_is_deleted(self, after: float) -> None:
        number = self.first_in("Stopped")
        if number is not None:
            self.world.pass_time(after)
            self.people.leave(number)

    def first_in(self, phase: str) -> int | None:
        """Wait until a workspace is in a phase, and return which; None if none comes there soon."""

        def found() -> int | None:
            phases = [w.get("status", {}).get("phase") for w in self.world.server.objects("workspaces")]
            return phases.index(phase) if phase in phases else None

        self.world.until(lambda: found() is not None, within=_RESTS_WITHIN, every=0.5)
        return found()

    @precondition(has_room_for_users)
    @step(pool=pools, number=numbers)
    def a_user_begins_with_the_files_of_another(self, pool: str, number: int) -> None:
        found = [w for w in self.world.server.objects("workspaces") if w["spec"]["pool"] == pool]
        if found:
            source = found[number % len(found)]
            name, owner = source["metadata"]["name"], source["spec"]["owner"]
            self.people.come(pool, owner=owner, restoreFrom={"workspace": name})

    # -- platform teams -----------------------------------------------------------------------------------------------

    @step(pool=pools, idle=st.sampled_from(("Never", "3m", "10m")), keep=st.sampled_from(("Never", "30s", "20m")))
    def a_pool_changes_its_rules(self, pool: str, idle: str, keep: str) -> None:
        self.people.turn(pool, lifecycle={"idleTimeout": idle, "retention": keep})

    @step(pool=pools, most=st.sampled_from(("Never", "15m")))
    def a_pool_limits_lifetimes(self, pool: str, most: str) -> None:
        self.people.turn(pool, lifecycle={"maxLifetime": most})

    # -- AWS ----------------------------------------------------------------------------------------------------------

    @step(action=st.sampled_from(("back_up", "restore")), how=st.sampled_from(("hang", "end", "heal", "heal")))
    def the_vault_fails(self, action: str, how: str) -> None:
        vault = self.world.files.store
        match how:
            case "hang":
                vault.hang(action)
            case "end":
                vault.end_badly(action, times=2)
            case _:
                vault.heal(action)

    @step(number=numbers)
    def aws_takes_a_spot_machine(self, number: int) -> None:
        if self.spot:
            self.people.announce_end(number)

    @step(number=numbers)
    def somebody_starts_a_machine(self, number: int) -> None:
        self.people.start(number)

    @step(zone=st.integers(0, 2), rooms=st.sampled_from((0, 0, None)))
    def a_zone_has_no_room(self, zone: int, rooms: int | None) -> None:
        zones = sorted({subnet.zone for subnet in self.world.aws.world.network.subnets})
        full = {} if rooms is None else {zones[zone % len(zones)]: rooms}
        self.world.aws.configure(zoneCapacity=full)


def pools_of(machine: LifeMachine) -> tuple[str, ...]:
    """Return the pools that exist now."""
    assert machine.world is not None
    return tuple(p["metadata"]["name"] for p in machine.world.server.objects("machinepools"))
