"""The tags of snapshots and volumes: what they are of, and of which job. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, Final
from urllib.parse import unquote

from hotdesk.adapters.aws.vault.jobs import written
from hotdesk.core.backups import BackupJob, Kept, RestoreJob
from hotdesk.core.encoding import TAG_VALUE_LIMIT, tag_text, tag_value
from hotdesk.core.tags import BACKUP_TAG, POOL_TAG, RESTORE_TAG, UID_TAG

BACKUP: Final = BACKUP_TAG
"""The name of the backup job."""
RESTORE: Final = RESTORE_TAG
"""The name of the restore job."""
NAMESPACE: Final = "hotdesk.dev/namespace"
UID: Final = UID_TAG
_WORKSPACE: Final = "hotdesk.dev/workspace"
_OWNER: Final = "hotdesk.dev/owner"
_INSTANCE: Final = "hotdesk.dev/instance"
_LAUNCHED_AT: Final = "hotdesk.dev/launched-at"
_NOT_BEFORE: Final = "hotdesk.dev/not-before"
_GIBIBYTE: Final = 1024**3


def of_backup(job: BackupJob, name: str) -> dict[str, str]:
    """Return the tags of a job's snapshot."""
    return {
        "Name": tag_value(f"hotdesk {job.workspace.namespace}/{job.workspace.name}"),
        BACKUP: name,
        POOL_TAG: job.pool,
        NAMESPACE: job.workspace.namespace,
        UID: job.workspace.uid,
        _WORKSPACE: job.workspace.name,
        **_owner_tags(job.owner),
        _INSTANCE: job.instance,
        _LAUNCHED_AT: written(job.launched_at),
        _NOT_BEFORE: written(job.not_before),
    }


def of_restore(job: RestoreJob, name: str) -> dict[str, str]:
    """Return the tags of the volume that a job's files come from."""
    return {
        "Name": tag_value(f"hotdesk restore of {job.workspace.namespace}/{job.workspace.name}"),
        RESTORE: name,
        POOL_TAG: job.pool,
        NAMESPACE: job.workspace.namespace,
        UID: job.workspace.uid,
        _WORKSPACE: job.workspace.name,
        _INSTANCE: job.instance,
    }


def specification(tags: Mapping[str, str], *, resource: str) -> list[dict[str, Any]]:
    """Return tags as a call wants them that makes a resource."""
    return [{"ResourceType": resource, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def read(raw: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags of an answer."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in raw}


def kept(snapshot: Mapping[str, Any]) -> Kept:
    """Return a completed snapshot as a backup. Raises KeyError where a tag of ours is missing."""
    tags = read(snapshot.get("Tags") or ())
    return Kept(
        id=str(snapshot["SnapshotId"]),
        method="EBSSnapshot",
        namespace=tags[NAMESPACE],
        workspace=tags[_WORKSPACE],
        uid=tags[UID],
        owner=_owner(tags),
        began_at=snapshot["StartTime"].astimezone(UTC),
        completed_at=(snapshot.get("CompletionTime") or snapshot["StartTime"]).astimezone(UTC),
        size=int(snapshot["VolumeSize"]) * _GIBIBYTE,
    )


def _owner_tags(owner: str) -> dict[str, str]:
    """Return the owner, encoded, in as many tags as it needs: unlike other tags this one is read back."""
    encoded = tag_text(owner)
    pieces = [encoded[start : start + TAG_VALUE_LIMIT] for start in range(0, len(encoded), TAG_VALUE_LIMIT)]
    return {_OWNER if number == 0 else f"{_OWNER}.{number}": piece for number, piece in enumerate(pieces)}


def _owner(tags: Mapping[str, str]) -> str:
    pieces = [tags[_OWNER]]
    while (piece := tags.get(f"{_OWNER}.{len(pieces)}")) is not None:
        pieces.append(piece)
    return unquote("".join(pieces))
