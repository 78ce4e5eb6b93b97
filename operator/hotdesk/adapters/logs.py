"""Structured logs: one JSON object a line, so that text from strangers cannot forge a line."""

import logging
import sys
from typing import Any

from pythonjsonlogger.orjson import OrjsonFormatter

_PLAIN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure_logging(*, level: str, style: str) -> None:
    """Send every logger's lines to stderr, as JSON or as text for people."""
    handler = logging.StreamHandler(sys.stderr)
    if style == "json":
        handler.setFormatter(
            OrjsonFormatter(
                "{asctime}{levelname}{name}{message}",
                style="{",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            ),
        )
    else:
        handler.setFormatter(_TextFormatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("botocore", "urllib3", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _TextFormatter(logging.Formatter):
    """The message and its facts, `key=value`; nothing that others wrote can start a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        record.message = "".join(char if char.isprintable() else repr(char)[1:-1] for char in record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {key: value for key, value in record.__dict__.items() if key not in _PLAIN}
        return super().format(record) + "".join(f" {key}={value!r}" for key, value in facts.items())
