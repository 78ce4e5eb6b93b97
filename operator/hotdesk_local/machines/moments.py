"""How programs write moments."""

from datetime import UTC, datetime


def written(seconds: float) -> str:
    """Return ISO 8601 in UTC with microseconds, as Jupyter writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
