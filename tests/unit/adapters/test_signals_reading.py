"""What programs say of their use, read from answers that anybody may have made up."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from factories import NOW, after
from hotdesk.adapters.signals.answers import Answer, NoAnswer
from hotdesk.adapters.signals.code_server import read_health
from hotdesk.adapters.signals.jupyter import has_busy_kernel, read_status
from hotdesk.adapters.signals.moments import moment_of, on_our_clock
from hotdesk.adapters.signals.program import read_activity


def beat(seconds, *, status="alive"):
    return {"status": status, "lastHeartbeat": int(after(seconds).timestamp() * 1000)}


def health(json, *, date=NOW):
    return read_health(Answer(json=json, date=date), now=NOW)


def status(*, started=-7200.0, last=-7200.0, **more):
    said = {"started": after(started).isoformat(), "last_activity": after(last).isoformat(), **more}
    return read_status(Answer(json=said, date=NOW), now=NOW)


def said(json, *, date=NOW):
    return read_activity(Answer(json=json, date=date), now=NOW)


# -- code-server ------------------------------------------------------------------------------------------------------


def test_the_last_heartbeat_is_when_somebody_was_there():
    assert health(beat(-90, status="expired")) == after(-90)


def test_alive_proves_no_more_than_the_heartbeat_beside_it():
    assert health(beat(-3000, status="alive")) == after(-3000)


@pytest.mark.parametrize("status", ["alive", "expired", None])
def test_a_heartbeat_of_zero_is_never_used_and_not_1970(status):
    assert health({"status": status, "lastHeartbeat": 0}) is None


@pytest.mark.parametrize(
    "json",
    [
        None,
        [],
        "alive",
        {},
        {"status": "alive"},
        *({"status": "alive", "lastHeartbeat": odd} for odd in (None, False, True, "0", -1, 1e300, [], {})),
        beat(3600),
    ],
)
def test_nonsense_of_a_code_server_is_no_answer(json):
    with pytest.raises(NoAnswer):
        health(json)


# -- Jupyter ----------------------------------------------------------------------------------------------------------


def test_what_happened_last_is_read_from_the_status():
    assert status(last=-100) == after(-100)


def test_the_start_itself_is_nobodys_activity():
    assert status(started=-7200, last=-7200) is None
    assert status(started=-7200, last=-7201) is None


def test_open_windows_prove_nobody():
    assert status(connections=3, kernels=2) is None


@pytest.mark.parametrize(
    ("kernels", "expected"),
    [
        ([], False),
        ([{"execution_state": "idle"}], False),
        ([{"execution_state": "idle"}, {"execution_state": "busy"}], True),
    ],
)
def test_a_busy_kernel_is_active(kernels, expected):
    assert has_busy_kernel(Answer(json=kernels, date=None)) is expected


@pytest.mark.parametrize("json", [None, {}, "busy", ["busy"], [None]])
def test_nonsense_instead_of_kernels_is_no_answer(json):
    with pytest.raises(NoAnswer):
        has_busy_kernel(Answer(json=json, date=None))


@pytest.mark.parametrize(
    "json", [None, [], {}, {"started": "2026-03-02T12:00:00Z"}, {"started": 0, "last_activity": 0}]
)
def test_nonsense_instead_of_a_status_is_no_answer(json):
    with pytest.raises(NoAnswer):
        read_status(Answer(json=json, date=NOW), now=NOW)


# -- a program of one's own -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        ({"lastActivity": "2026-03-02T11:58:20Z", "active": False}, after(-100)),
        ({"lastActivity": "2026-03-02T12:58:20+01:00"}, after(-100)),
        ({"lastActivity": None, "active": False}, None),
        ({"active": False}, None),
        ({"lastActivity": None}, None),
        ({"lastActivity": "2026-03-02T11:58:20Z", "active": True}, NOW),
        ({"active": True}, NOW),
    ],
)
def test_a_program_says_when_it_was_used_or_that_it_is(json, expected):
    assert said(json) == expected


@pytest.mark.parametrize(
    "json",
    [
        None,
        [],
        {},
        {"active": 1},
        {"active": None},
        {"active": "false"},
        *({"lastActivity": odd} for odd in (0, "", "now", "2026-03-02", "2026-03-02T11:58:20", "9" * 80, True, {})),
    ],
)
def test_nonsense_of_a_program_is_no_answer(json):
    with pytest.raises(NoAnswer):
        said(json)


# -- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [timedelta(hours=-9), timedelta(hours=9), timedelta(days=-2000)])
def test_a_wrong_clock_on_the_machine_changes_nothing(wrong):
    theirs = beat((wrong - timedelta(seconds=90)).total_seconds())
    assert health(theirs, date=NOW + wrong) == after(-90)


def test_without_a_reading_of_its_clock_ours_is_taken():
    assert said({"lastActivity": "2026-03-02T11:58:20Z"}, date=None) == after(-100)


def test_what_is_to_come_within_a_minute_is_now_and_what_comes_later_is_no_answer():
    assert on_our_clock(after(59), their_now=NOW, our_now=NOW) == NOW
    with pytest.raises(NoAnswer, match="future"):
        on_our_clock(after(61), their_now=NOW, our_now=NOW)


_ANY_TIME = st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.just(timezone(timedelta(hours=-23))))


@given(theirs=_ANY_TIME, their_now=_ANY_TIME | st.none(), our_now=st.just(NOW))
@example(theirs=datetime.min.replace(tzinfo=UTC), their_now=datetime.max.replace(tzinfo=UTC), our_now=NOW)
@example(theirs=datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), their_now=None, our_now=NOW)
def test_whatever_time_is_told_nothing_is_later_than_now(theirs, their_now, our_now):
    try:
        assert on_our_clock(theirs, their_now=their_now, our_now=our_now) <= our_now
    except NoAnswer:
        assert theirs > (their_now or our_now)


_KEYS = st.sampled_from(
    ["status", "lastHeartbeat", "lastActivity", "active", "started", "last_activity", "execution_state", "x"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("read", [read_health, read_status, read_activity])
@given(json=_JSON | st.dictionaries(_KEYS, _JSON))
def test_nothing_that_can_be_said_is_an_error(read, json):
    try:
        seen = read(Answer(json=json, date=NOW), now=NOW)
    except NoAnswer:
        return
    assert seen is None or seen <= NOW


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_times_are_read_as_json_writes_them(moment):
    assert moment_of(orjson.loads(orjson.dumps(moment))) == moment
