"""The manifest of an archive: written last, it is the proof that the archive is whole. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hotdesk.adapters.aws.vault.jobs import moment, written
from hotdesk.core.backups import Kept

SUFFIX = ".json"
ARCHIVE_SUFFIX = ".tar.gz"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was archived, of which start of which machine, and what the archive must look like."""

    archive: str  # its key
    namespace: str
    workspace: str
    uid: str
    owner: str
    pool: str
    instance: str
    slot: int
    launched_at: datetime
    not_before: datetime
    began_at: datetime
    completed_at: datetime
    size: int  # bytes
    sha256: str
    parts: tuple[str, ...]  # the SHA-256 of each part, where it was sent in parts
    paths: tuple[str, ...]  # the folders that were there
    has_changed: bool  # files were written while they were read


def write(manifest: Manifest) -> bytes:
    """Return the object's bytes."""
    written_down = {
        "version": _VERSION,
        "archive": manifest.archive,
        "namespace": manifest.namespace,
        "workspace": manifest.workspace,
        "uid": manifest.uid,
        "owner": manifest.owner,
        "pool": manifest.pool,
        "instance": manifest.instance,
        "slot": manifest.slot,
        "launchedAt": written(manifest.launched_at),
        "notBefore": written(manifest.not_before),
        "beganAt": written(manifest.began_at),
        "completedAt": written(manifest.completed_at),
        "size": manifest.size,
        "sha256": manifest.sha256,
        "parts": manifest.parts,
        "paths": manifest.paths,
        "changedWhileRead": manifest.has_changed,
    }
    return json.dumps(written_down, indent=2).encode()


def read(content: bytes) -> Manifest:
    """Read a manifest. Raises ValueError."""
    try:
        return _manifest(json.loads(content))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no manifest of Hotdesk: {error!r}") from error


def kept(manifest: Manifest) -> Kept:
    """Return the archive as a backup."""
    return Kept(
        id=manifest.archive,
        method="S3Archive",
        namespace=manifest.namespace,
        workspace=manifest.workspace,
        uid=manifest.uid,
        owner=manifest.owner,
        began_at=manifest.began_at,
        completed_at=manifest.completed_at,
        size=manifest.size,
    )


def _manifest(said: dict[str, Any]) -> Manifest:
    return Manifest(
        archive=str(said["archive"]),
        namespace=str(said["namespace"]),
        workspace=str(said["workspace"]),
        uid=str(said["uid"]),
        owner=str(said["owner"]),
        pool=str(said["pool"]),
        instance=str(said["instance"]),
        slot=int(said["slot"]),
        launched_at=moment(said["launchedAt"]),
        not_before=moment(said["notBefore"]),
        began_at=moment(said["beganAt"]),
        completed_at=moment(said["completedAt"]),
        size=int(said["size"]),
        sha256=str(said["sha256"]),
        parts=tuple(map(str, said["parts"])),
        paths=tuple(map(str, said["paths"])),
        has_changed=bool(said["changedWhileRead"]),
    )
