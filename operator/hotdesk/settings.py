"""Settings from the environment, read once by the composition root."""

import re
import secrets
import socket
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_A_DAY: Final = 86_400  # seconds
_NAME: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


def _own_namespace() -> str:
    """Return the namespace of this pod, or `default` outside of a cluster."""
    return _NAMESPACE.read_text(encoding="ascii").strip() if _NAMESPACE.is_file() else "default"


def _own_name() -> str:
    """Return a name that no other process has, and that tells a person where this one runs."""
    host = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")
    return f"{host[:40] or 'hotdesk'}-{secrets.token_hex(3)}"


class Common(BaseSettings):
    """What every process of Hotdesk has; every variable is named HOTDESK_ and the field. Times are seconds."""

    model_config = SettingsConfigDict(env_prefix="HOTDESK_", frozen=True, allow_inf_nan=False)

    metrics_address: str = "127.0.0.1"
    """Where /healthz, /readyz and /metrics are served."""
    metrics_port: int = Field(default=8080, ge=0, le=65535)
    """Their port; 0 takes a free one and logs it."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"
    drain_seconds: float = Field(default=10, gt=0, le=_A_DAY)
    """How long writes under way may take to end after SIGTERM."""


class LedgerSettings(BaseSettings):
    """Where the ledger is; `hotdesk operator` writes it and `hotdesk usage` reads it."""

    model_config = SettingsConfigDict(env_prefix="HOTDESK_", frozen=True)

    ledger: str | None = Field(default=None, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*()/-]*)?$")
    """`s3://BUCKET/PREFIX`: one object for each interval in which a machine ran. Without it: none is kept."""
    ledger_region: str = Field(
        default="us-east-1",
        validation_alias=AliasChoices("HOTDESK_LEDGER_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        min_length=1,
    )
    """The bucket's region. S3 says so itself if it is another one; that costs a call."""


class GatewaySettings(Common):
    """What a person may set of `hotdesk gateway`."""

    gateway_address: str = "127.0.0.1"
    """Where heartbeats are taken."""
    gateway_port: int = Field(default=8081, ge=0, le=65535)
    """Their port; 0 takes a free one and logs it."""
    heartbeat_keys: Path
    """The file with the keys of the tokens, one a line: the first signs, all verify."""
    activity_write_seconds: float = Field(default=360, gt=0)
    """How often a workspace's activity is written at most: a tenth of the idle timeout."""
    activity_writes_per_second: float = Field(default=50, gt=0)
    """How many writes this process sends to the API server at most, whatever happens."""
    gateway_beats_per_second: float = Field(default=10, gt=0)
    """How many beats of one workspace are taken; twice as many at once."""
    gateway_body_seconds: float = Field(default=5, gt=0)
    """How long a request's body may take to arrive."""
    gateway_idle_seconds: float = Field(default=600, gt=0)
    """After how long without a message a WebSocket is closed."""
    gateway_connections: int = Field(default=20_000, ge=1)
    """How many WebSockets may be open."""


class Settings(Common, LedgerSettings):
    """What a person may set of `hotdesk operator`."""

    resync_seconds: float = Field(default=300, gt=0, le=_A_DAY)
    """How often everything is listed and compared even though no watch began anew, which asks for it at once."""
    look_seconds: float = Field(default=20, gt=0, le=_A_DAY)
    """How often AWS is looked at when nothing moves."""
    look_moving_seconds: float = Field(default=1, gt=0, le=_A_DAY)
    """How often AWS is looked at while launches or terminations are under way."""
    late_call_seconds: float = Field(default=300, ge=0, le=_A_DAY)
    """How long a capacity call without an answer may still take effect. AWS refuses requests signed longer ago than
    five minutes; lower it only against a simulated AWS."""

    share: bool = True
    """Whether to share the pools with other replicas by Leases. False: act for all of them and ask nobody."""
    replica: str = Field(
        default_factory=_own_name,
        validation_alias=AliasChoices("HOTDESK_REPLICA", "POD_NAME"),
        pattern=_NAME,
        max_length=200,
    )
    """This replica's name among the others. One that stays the same lets a process that is started again go on at
    once with what the one before had; two processes must never have one name."""
    lease_namespace: str = Field(
        default_factory=_own_namespace,
        validation_alias=AliasChoices("HOTDESK_LEASE_NAMESPACE", "POD_NAMESPACE"),
        pattern=_NAME,
        max_length=63,
    )
    """Where the Leases are; the same for all replicas."""

    @property
    def late_call(self) -> timedelta:
        """`late_call_seconds` as a duration."""
        return timedelta(seconds=self.late_call_seconds)
