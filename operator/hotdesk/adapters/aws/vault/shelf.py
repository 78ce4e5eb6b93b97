"""The archives of one workspace in S3: where they are, which count, which go."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from hotdesk.adapters.aws.calls import Calls
from hotdesk.adapters.aws.vault import manifests, scripts
from hotdesk.adapters.aws.vault.bucket import Bucket, Head, sum_in_s3s_words
from hotdesk.adapters.aws.vault.manifests import Manifest
from hotdesk.api.v1alpha1 import Backup, S3Place
from hotdesk.core.backups import Kept
from hotdesk.ports import Refused

_SHORT: Final = 16  # hexadecimal digits of the archive's SHA-256 in its key


class Shelf:
    """The folder of one workspace in the pool's bucket."""

    def __init__(self, calls: Calls, *, backup: Backup, namespace: str, uid: str) -> None:
        """Raise Refused where the pool names no bucket."""
        place = _place(backup)
        self.bucket = Bucket(calls, place.bucket)
        self._folder = f"{place.prefix}{namespace}/{uid}/"

    def manifest_key(self, job: str) -> str:
        """Return the key of a job's manifest."""
        return f"{self._folder}{job}{manifests.SUFFIX}"

    def archive_key(self, job: str, packed: scripts.Packed) -> str:
        """Return a key that is the archive's own: two archives of one job never meet under it."""
        return f"{self._folder}{job}.{packed.sha256[:_SHORT]}{manifests.ARCHIVE_SUFFIX}"

    async def find(self) -> Sequence[Kept]:
        """Return the archives with a manifest that are as large as it says, the newest first."""
        sizes = {stored.key: stored.size for stored in await self.bucket.list(self._folder)}
        found = [await _readable(self.bucket, key) for key in sizes if key.endswith(manifests.SUFFIX)]
        whole = [
            manifest for manifest in found if manifest is not None and sizes.get(manifest.archive) == manifest.size
        ]
        return [manifests.kept(m) for m in sorted(whole, key=lambda m: (m.completed_at, m.archive), reverse=True)]

    async def prune(self, keep: Collection[str]) -> None:
        """Delete all archives but these, each after its manifest: what has none is no backup.

        An archive without manifest goes where one is kept that was asked for later: its job was given up. One of a
        later job may be under way.
        """
        keys = [stored.key for stored in await self.bucket.list(self._folder)]
        proofs = {key for key in keys if key.endswith(manifests.SUFFIX)}
        kept = {_manifest_of(name) for name in keep} & proofs
        for proof in sorted(proofs - kept):
            await self.bucket.delete(proof)
        archives = {key for key in keys if key.endswith(manifests.ARCHIVE_SUFFIX)}
        for key in sorted(archives.difference(keep)):
            if _is_over(key, proofs=proofs, kept=kept):
                await self.bucket.delete(key)
        for upload in await self.bucket.uploads(self._folder):
            if _is_over(upload.key, proofs=proofs, kept=kept):
                await self.bucket.give_up(upload)


async def read_manifest(bucket: Bucket, key: str) -> Manifest | None:
    """Return a manifest; None if there is none. Raises Refused for what cannot be one."""
    content = await bucket.read(key)
    try:
        return None if content is None else manifests.read(content)
    except ValueError as error:
        raise Refused(f"{key} in S3 is no manifest that Hotdesk wrote ({error}): look at it, and delete it") from error


async def find_archive(calls: Calls, *, backup: Backup, id: str) -> Manifest | None:  # noqa: A002  # the port's word
    """Return the manifest of the archive with this key."""
    place = _place(backup)
    if not (id.startswith(place.prefix) and id.endswith(manifests.ARCHIVE_SUFFIX)):
        return None
    manifest = await _readable(Bucket(calls, place.bucket), _manifest_of(id))
    return manifest if manifest is not None and manifest.archive == id else None


async def is_whole(bucket: Bucket, manifest: Manifest) -> bool:
    """Whether S3 still has what the manifest says."""
    head = await bucket.head(manifest.archive)
    return head is not None and is_same(head, manifest)


def is_same(head: Head, told: scripts.Packed | Manifest) -> bool:
    """Whether S3 has these bytes: it compared their checksum itself when they came."""
    return (head.size, head.sha256) == (told.size, sum_in_s3s_words(told.parts))


def bucket_of(calls: Calls, backup: Backup) -> Bucket:
    """Return the pool's bucket. Raises Refused where it names none."""
    return Bucket(calls, _place(backup).bucket)


async def _readable(bucket: Bucket, key: str) -> Manifest | None:
    with suppress(Refused):
        return await read_manifest(bucket, key)
    return None


def _place(backup: Backup) -> S3Place:
    if backup.s3 is None:
        raise Refused("the pool's spec.backup has no s3: say in which bucket archives are kept")
    return backup.s3


def _manifest_of(archive: str) -> str:
    """Return the key of an archive's manifest: without the sum and the suffix."""
    return archive.removesuffix(manifests.ARCHIVE_SUFFIX).rpartition(".")[0] + manifests.SUFFIX


def _is_over(archive: str, *, proofs: Collection[str], kept: Collection[str]) -> bool:
    """Whether no job can need the archive any more: its own is proven, or one that was asked for later."""
    return _manifest_of(archive) in proofs or _manifest_of(archive) < max(kept, default="")
