"""Clients are made once, and a role's credentials are got with our own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest

from hotdesk.adapters.aws.clients import Clients, Target, Timeouts, _RoleProvider

ROLE = "arn:aws:iam::123456789012:role/desks"


@pytest.fixture(autouse=True)
def own_credentials(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    # A person's own settings must not reach into what is tested here.
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")


@pytest.fixture(scope="module")
def clients():
    return Clients(target=Target(region="eu-west-1"), timeouts=Timeouts(read=timedelta(seconds=7)), connections=8)


def test_client_for_writes_never_sends_twice_whatever_the_environment_says(clients: Clients):
    for service in ("autoscaling", "ec2"):
        retries = clients.client(service, retries=False).meta.config.retries
        assert retries == {"mode": "standard", "total_max_attempts": 1}


def test_client_for_reads_tries_three_times(clients: Clients):
    config = clients.client("ec2", retries=True).meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert (config.connect_timeout, config.read_timeout) == (3, 7)


def test_client_is_made_once(clients: Clients):
    assert clients.client("ec2", retries=True) is clients.client("ec2", retries=True)


class Sts:
    def __init__(self) -> None:
        self.made_with: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.lasts = timedelta(hours=1)

    def __call__(self, _service: str, **keys: Any) -> "Sts":
        self.made_with.append(keys)
        return self

    def assume_role(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        expires = datetime.now(UTC) + self.lasts  # noqa: TID251  # botocore compares it with the real time
        keys = {"AccessKeyId": f"role-{len(self.asked)}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**keys, "Expiration": expires}}


def test_role_is_assumed_with_our_own_credentials():
    sts = Sts()
    credentials = _RoleProvider(own=botocore.session.get_session(), sts=sts, role_arn=ROLE).load()
    assert sts.asked == []
    assert credentials.get_frozen_credentials().access_key == "role-1"
    assert credentials.get_frozen_credentials().access_key == "role-1"
    assert sts.asked == [{"RoleArn": ROLE, "RoleSessionName": "hotdesk"}]
    assert sts.made_with[0]["aws_access_key_id"] == "own"


def test_credentials_of_a_role_are_renewed_before_they_expire():
    sts = Sts()
    sts.lasts = timedelta(minutes=1)
    credentials = _RoleProvider(own=botocore.session.get_session(), sts=sts, role_arn=ROLE).load()
    assert credentials.get_frozen_credentials().access_key == "role-1"
    assert credentials.get_frozen_credentials().access_key != "role-1"
