"""Settings from the environment, read once by the composition root."""

from datetime import timedelta
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a person may set; every variable is named HOTDESK_ and the field. Times are seconds."""

    model_config = SettingsConfigDict(env_prefix="HOTDESK_", frozen=True)

    metrics_address: str = "127.0.0.1"
    """Where /healthz, /readyz and /metrics are served."""
    metrics_port: int = Field(default=8080, ge=0, le=65535)
    """Their port; 0 takes a free one and logs it."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"
    resync_seconds: float = Field(default=300, gt=0)
    """How often everything is listed and compared even though no watch began anew, which asks for it at once."""
    look_seconds: float = Field(default=20, gt=0)
    """How often AWS is looked at when nothing moves."""
    look_moving_seconds: float = Field(default=1, gt=0)
    """How often AWS is looked at while launches or terminations are under way."""
    late_call_seconds: float = Field(default=300, ge=0)
    """How long a capacity call without an answer may still take effect. AWS refuses requests signed longer ago than
    five minutes; lower it only against a simulated AWS."""
    drain_seconds: float = Field(default=10, gt=0)
    """How long writes under way may take to end after SIGTERM."""

    @property
    def late_call(self) -> timedelta:
        """`late_call_seconds` as a duration."""
        return timedelta(seconds=self.late_call_seconds)
