"""The names of jobs in AWS: one job, one name, whoever asks and whenever."""

import hashlib
import json
from datetime import UTC, datetime

from hotdesk.core.backups import BackupJob, RestoreJob

_DIGEST = 20  # hexadecimal digits: 80 bits, so that no two jobs ever meet


def backup_name(job: BackupJob) -> str:
    """Return the job's name; names sort by when access was closed."""
    parts = (job.backup.method, job.instance, written(job.launched_at), str(job.slot), job.workspace.uid)
    return _named(job.not_before, *parts, written(job.not_before))


def restore_name(job: RestoreJob) -> str:
    """Return the job's name; names sort by when the slot was claimed."""
    parts = ("restore", job.instance, str(job.slot), job.workspace.uid, written(job.claimed_at), job.kept_id)
    return _named(job.claimed_at, *parts)


def moment(text: str) -> datetime:
    """Read a time as manifests and tags hold it. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)


def written(time: datetime) -> str:
    """Write a time as manifests and tags hold it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _named(time: datetime, *parts: str) -> str:
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGEST]
    return f"{time.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest}"
