"""boto3 clients of one region and one role, made when first needed and shared by all threads."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from hotdesk.adapters.aws.answers import read_auto_scaling_leanly, read_ec2_leanly

Service = Literal["autoscaling", "cloudwatch", "ec2", "s3", "sns", "sqs", "ssm"]

_LEAN: Final[Mapping[Service, Callable[[Any], None]]] = {
    "ec2": read_ec2_leanly,
    "autoscaling": read_auto_scaling_leanly,
}
_SESSION_NAME: Final = "hotdesk"  # how CloudTrail calls us when a pool names a role


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go and as whom: None means the default endpoint and our own credentials."""

    region: str
    endpoint_url: str | None = None
    role_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one attempt may take to connect, and then between two bytes of the answer."""

    connect: timedelta = timedelta(seconds=3)
    read: timedelta = timedelta(seconds=10)


class Clients:
    """Makes each client once. The first costs some 100 ms of CPU, so call `client` on a worker thread only."""

    def __init__(self, *, target: Target, timeouts: Timeouts, connections: int) -> None:
        self._target = target
        self._timeouts = timeouts
        self._connections = connections
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[Service, bool], Any] = {}

    def client(self, service: Service, *, retries: bool) -> Any:
        """Return the client that re-sends failed calls up to twice (`retries`), or the one that never does."""
        with self._lock:
            key = (service, retries)
            if key not in self._clients:
                self._clients[key] = self._make(service, attempts=3 if retries else 1)
            return self._clients[key]

    def _make(self, service: Service, *, attempts: int) -> Any:
        if self._session is None:
            self._session = boto3.Session(botocore_session=self._base_session(), region_name=self._target.region)
        config = self._config(attempts=attempts)
        if service == "s3":
            config = config.merge(self._config_of_s3())
        client: Any = self._session.client(service, endpoint_url=self._target.endpoint_url, config=config)
        if service in _LEAN:
            _LEAN[service](client)
        return client

    def _config_of_s3(self) -> Config:
        """Return what makes URLs that machines can use: signed by the present method, for the region's own endpoint."""
        # Another endpoint has no name for each bucket.
        style: Literal["virtual", "path"] = "virtual" if self._target.endpoint_url is None else "path"
        return Config(
            signature_version="s3v4",
            s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
            request_checksum_calculation="when_required",  # else a signed URL asks for the checksum of no bytes
            response_checksum_validation="when_required",
        )

    def _config(self, *, attempts: int) -> Config:
        return Config(
            connect_timeout=self._timeouts.connect.total_seconds(),
            read_timeout=self._timeouts.read.total_seconds(),
            max_pool_connections=self._connections,
            retries={"mode": "standard", "total_max_attempts": attempts},
            user_agent_extra="hotdesk",
        )

    def _base_session(self) -> botocore.session.Session:
        session = botocore.session.get_session()
        if self._target.role_arn is not None:
            own = botocore.session.get_session()
            sts = partial(
                own.create_client,
                region_name=self._target.region,
                endpoint_url=self._target.endpoint_url,
                config=self._config(attempts=3),
            )
            provider = _RoleProvider(own=own, sts=sts, role_arn=self._target.role_arn)
            session.register_component("credential_provider", CredentialResolver([provider]))
        return session


class _RoleProvider(CredentialProvider):
    """Credentials of the pool's role, got with our own and renewed by botocore before they expire."""

    METHOD = "assume-role"

    def __init__(self, *, own: botocore.session.Session, sts: Callable[..., Any], role_arn: str) -> None:
        super().__init__()
        self._own = own
        self._sts = sts
        self._role_arn = role_arn

    def load(self) -> DeferredRefreshableCredentials | None:
        """Return credentials that call AssumeRole when first used; None if we have no own ones to call it with."""
        source = self._own.get_credentials()
        if source is None:
            return None
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._sts,
            source_credentials=source,
            role_arn=self._role_arn,
            extra_args={"RoleSessionName": _SESSION_NAME},
        )
        return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method=self.METHOD)
