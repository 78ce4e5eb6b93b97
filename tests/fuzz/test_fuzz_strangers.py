"""What strangers name themselves, and what people write into the environment and a kubeconfig."""

import asyncio
import logging
import string
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from factories import NOW, claim, instance, machine, pool, workspace
from fuzz.json_mutations import bent
from fuzz.profile import fuzzed
from fuzz.schema_values import WILD
from hotdesk.adapters.kube.connection import NoCluster, find_connection, open_session
from hotdesk.adapters.logs import configure_logging
from hotdesk.api.v1alpha1 import Access, Claim, ClaimedBy
from hotdesk.api.v1alpha1.workspace import URL_LIMIT
from hotdesk.core import workspace_status
from hotdesk.core.tags import TAGS_PER_CALL, missing_tags
from hotdesk.settings import Settings
from hotdesk.wiring import _pace

# As long as the CRD allows, of characters that grow most and that break most.
NAMES = st.one_of(
    st.text(min_size=1, max_size=128),
    st.text(st.sampled_from("/\\?#@:.%&=+ \u202e\u2028\x00\n\"'<>{}[]🦉é"), min_size=1, max_size=128),
    st.sampled_from(
        ["🦉" * 128, ".", "..", "{privateIP}", "evil.example", "@evil.example", "//evil", "%2e%2e", "a\nb"]
    ),
)
PLACES = ("{privateIP}", "{publicIP}", "{owner}", "{project}", "{namespace}", "{name}", "{machine}", "{slot}")
TEMPLATES = st.one_of(
    st.sampled_from(["http://{owner}.example/", "https://{privateIP}:8080/?folder=/home/{owner}/{project}#{name}"]),
    st.lists(st.sampled_from([*PLACES, "/", "?", "#", "x", ":80", "@"]), min_size=1, max_size=200)
    .map("".join)
    .map(lambda rest: f"http://{{privateIP}}/{rest}"[:2048].rsplit("{", 1)[0]),
)


@fuzzed(100)
@given(template=TEMPLATES, owner=NAMES, project=st.none() | NAMES)
def test_no_stranger_changes_where_a_url_leads(template: str, owner: str, project: str | None):
    url = url_for(template, owner=owner, project=project)
    if url is None:
        return
    assert len(url) <= URL_LIMIT
    plain = url_for(template, owner="owner", project="project" if project else None)
    assert plain is not None
    ours, theirs = urlsplit(url), urlsplit(plain)
    assert (ours.scheme, ours.port if ":" in theirs.netloc else None) == (theirs.scheme, theirs.port)
    assert ours.netloc.count(".") >= theirs.netloc.count(".") or "{owner}" in template
    assert [ours.path.count("/"), bool(ours.query), bool(ours.fragment)] == [
        theirs.path.count("/"),
        bool(theirs.query),
        bool(theirs.fragment),
    ]
    assert set(url) <= set(string.printable[:95])


def url_for(template: str, *, owner: str, project: str | None) -> str | None:
    asking = workspace(owner=owner, project=project)
    serving = pool(access=Access(url_template=template))
    return workspace_status.bound(asking, machine=machine(1), slot=0, pool=serving, now=NOW).url


def test_a_url_that_grew_too_long_is_left_out_and_the_machine_handed_over_all_the_same():
    asking = workspace(owner="🦉" * 128)
    serving = pool(access=Access(url_template="http://{privateIP}/" + "{owner}" * 6))
    status = workspace_status.bound(asking, machine=machine(1), slot=0, pool=serving, now=NOW)
    assert (status.url, status.phase, status.private_ip) == (None, "Running", "10.0.0.1")


@fuzzed(150)
@given(st.lists(st.tuples(*[st.text(min_size=1, max_size=size) for size in (63, 253, 64)]), min_size=1, max_size=30))
def test_whatever_a_record_says_its_tags_are_such_as_ec2_takes(holders: list[tuple[str, str, str]]):
    claims = [
        Claim(slot=slot, workspace=ClaimedBy(namespace=namespace, name=name, uid=uid), claimed_at=NOW)
        for slot, (namespace, name, uid) in enumerate(holders)
    ]
    tags = missing_tags(machine(1, slots=100, claims=claims), instance(1))
    assert len(tags) <= TAGS_PER_CALL
    for key, value in tags.items():
        assert 0 < len(key) <= 127
        assert not key.startswith("aws:")
        assert len(value) <= 256
        assert value.isascii()
        assert value.isprintable()
    assert missing_tags(machine(1, claims=[claim()]), instance(1)).keys() <= {"hotdesk.dev/claim.i-00000000000000001.0"}


@pytest.fixture
def said() -> Iterator[StringIO]:
    """What the log says, as people read it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging(level="INFO", style="text")
    (handler,) = root.handlers
    written = StringIO()
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    root.handlers[:] = before
    root.setLevel(level)


@fuzzed(100)
@given(text=NAMES)
def test_no_name_starts_a_line_of_the_log(said: StringIO, text: str):
    said.seek(0)
    said.truncate()
    logging.getLogger("hotdesk").info("it said: %s", text, extra={"owner": text})
    assert len(said.getvalue().splitlines()) == 1
    assert said.getvalue().removesuffix("\n").isprintable()


KUBECONFIG: dict[str, Any] = {
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", "insecure-skip-tls-verify": True}}],
    "users": [{"name": "u", "user": {"token": "secret"}}],
}
CREDENTIALS = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from(["", "!", "c2VjcmV0", "-----BEGIN CERTIFICATE-----", "a\nb", "/nowhere", "é", 5, []])
        for name in (
            "client-certificate-data",
            "client-key-data",
            "client-certificate",
            "token",
            "username",
            "password",
        )
    },
)
CLUSTERS = st.fixed_dictionaries(
    {"server": st.sampled_from(["", "10.0.0.1", "https://", "ftp://a", "http://[", "https://10.0.0.1:99999", 5, None])},
    optional={
        name: st.sampled_from(["!", "c2VjcmV0", "ftp://x", 5]) for name in ("certificate-authority-data", "proxy-url")
    },
)
KUBECONFIGS = st.one_of(
    bent(KUBECONFIG),
    CREDENTIALS.map(lambda user: {**KUBECONFIG, "users": [{"name": "u", "user": user}]}),
    CLUSTERS.map(lambda cluster: {**KUBECONFIG, "clusters": [{"name": "c", "cluster": cluster}]}),
    WILD,
)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("kubeconfig") / "config"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(path))
        yield path


@fuzzed(100)
@given(config=KUBECONFIGS)
def test_a_kubeconfig_is_used_or_explained(kubeconfig: Path, runner: asyncio.Runner, config: Any):
    kubeconfig.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    assert_usable_or_explained(runner)


@fuzzed(100)
@given(raw=st.one_of(st.binary(max_size=60), st.text("{}[]:-!&*# \n\t'\"%@`", max_size=40).map(str.encode)))
def test_what_is_no_kubeconfig_is_explained(kubeconfig: Path, runner: asyncio.Runner, raw: bytes):
    kubeconfig.write_bytes(raw)
    assert_usable_or_explained(runner)


def assert_usable_or_explained(runner: asyncio.Runner) -> None:
    async def use() -> None:
        async with open_session(find_connection(), connections=1) as session:
            assert isinstance(session, aiohttp.ClientSession)

    with suppress(NoCluster):  # whose message says what to set
        runner.run(use())


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


NUMBERS = ("", "0", "-1", "1", "0.001", "inf", "nan", "1e300", "1e9", "5m", "٣", "None", "true", " 5 ")
TEXTS = ("", " ", "a", "A", "a" * 300, "a/b", "..", "ä", "pod-0", "a.b", "yes", "0", "-", "a\n")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_settings_are_usable_or_explained(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOTDESK_REPLICA", raising=False)
    for value in (*NUMBERS, *TEXTS):
        monkeypatch.setenv(f"HOTDESK_{name.upper()}", value)
        try:
            settings = Settings()
        except ValidationError:
            continue  # it names the variable
        pace = _pace(settings)
        assert NOW + pace.look + pace.look_moving + pace.late_call > NOW
        assert timedelta(seconds=settings.resync_seconds + settings.drain_seconds) > timedelta()
        assert settings.replica.isascii()
        assert settings.replica.isprintable()
