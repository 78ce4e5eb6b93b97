"""What S3 remembers: buckets, objects, uploads in parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.s3_content import Content, Vault


@dataclass(frozen=True, slots=True, eq=False)
class StoredObject:
    """One object as it was put; a later put makes another. `shown` are members of GetObject's answer kept as given."""

    key: str
    content: Content
    etag: str
    modified: float
    shown: Mapping[str, object]
    checksums: Mapping[str, str]


@dataclass(slots=True, eq=False)
class Upload:
    """An object that comes in parts."""

    id: str
    key: str
    started: float
    shown: Mapping[str, object]
    algorithm: str | None
    parts: dict[int, Content] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Bucket:
    """A bucket with its objects and unfinished uploads."""

    name: str
    created: float
    region: str
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


@dataclass(slots=True)
class ObjectStore:
    """All of S3. `secrets` are the keys whose presigned URLs can be checked."""

    vault: Vault
    buckets: dict[str, Bucket] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    secrets: dict[str, str] = field(default_factory=lambda: {"hotdesk-local": "hotdesk-local", "test": "test"})

    def bucket(self, name: str) -> Bucket:
        """Return a bucket. Raises NoSuchBucket."""
        found = self.buckets.get(name)
        if found is None:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", status=404)
        return found

    def object(self, bucket: str, key: str) -> StoredObject:
        """Return an object. Raises NoSuchBucket or NoSuchKey."""
        found = self.bucket(bucket).objects.get(key)
        if found is None:
            raise AwsError("NoSuchKey", "The specified key does not exist.", status=404)
        return found

    def keep(self, bucket: str, stored: StoredObject) -> None:
        """Put an object in the place of the one before."""
        objects = self.bucket(bucket).objects
        before = objects.get(stored.key)
        stored.content.held = True
        objects[stored.key] = stored
        if before is not None:
            before.content.erase()

    def remove(self, bucket: str, key: str) -> None:
        """Delete an object; nothing happens where there is none."""
        found = self.bucket(bucket).objects.pop(key, None)
        if found is not None:
            found.content.erase()


def check_condition(existing: StoredObject | None, params: Mapping[str, object]) -> None:
    """Raise what a conditional write or read answers where its condition does not hold."""
    none, match = params.get("IfNoneMatch"), params.get("IfMatch")
    if match is not None and existing is None:
        raise AwsError("NoSuchKey", "The specified key does not exist.", status=404)
    if (none == "*" and existing is not None) or (
        match is not None and existing is not None and match not in {"*", existing.etag, existing.etag.strip('"')}
    ):
        raise AwsError(
            "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", status=412
        )
