"""What is on record of a backup: enough to bring its files back, whatever the pool's method has become since."""

from hotdesk.api.v1alpha1 import Backup, BackupMethod, BackupRecord, S3Place, Saved
from hotdesk.core.backups import Kept

_SNAPSHOT = "snap-"


def record_of(proof: Saved) -> BackupRecord:
    """Return what a workspace is told of a backup that its machine's record proves."""
    return BackupRecord(
        id=proof.id,
        method=proof.method or method_of(proof.id),
        completed_at=proof.completed_at,
        size=proof.size,
        bucket=proof.bucket,
        paths=proof.paths,
    )


def record_found(kept: Kept, place: Backup) -> BackupRecord:
    """Return what a workspace is told of a backup that was looked up in a place."""
    return BackupRecord(
        id=kept.id, method=kept.method, completed_at=kept.completed_at, size=kept.size, bucket=bucket_of(place)
    )


def made_with(record: BackupRecord, backup: Backup | None) -> Backup | None:
    """Return how the files of a backup come back in a pool of now; None if nobody knows in which bucket they are."""
    paths = record.paths or (backup.paths if backup is not None else Backup(method="None").paths)
    if record.method != "S3Archive":
        return Backup(method=record.method, paths=paths)
    bucket = record.bucket or (bucket_of(backup) if backup is not None else None)
    # The id is the whole key, and begins with the prefix of the day.
    return Backup(method="S3Archive", paths=paths, s3=S3Place(bucket=bucket, prefix="")) if bucket is not None else None


def place_of(id: str, backup: Backup | None) -> Backup | None:  # noqa: A002  # the port's word
    """Return where a backup with this id is to be looked for; None if it is an archive and the pool names no bucket."""
    if method_of(id) == "EBSSnapshot":
        return Backup(method="EBSSnapshot")
    return backup if backup is not None and backup.method == "S3Archive" else None


def method_of(id: str) -> BackupMethod:  # noqa: A002  # the port's word
    """Return the method that gives such ids."""
    return "EBSSnapshot" if id.startswith(_SNAPSHOT) else "S3Archive"


def bucket_of(backup: Backup) -> str | None:
    """Return the bucket that a backup names."""
    return backup.s3.bucket if backup.s3 is not None else None
