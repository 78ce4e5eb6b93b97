"""What archives need of S3, in one bucket."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hotdesk.adapters.aws.calls import Answer, Calls
from hotdesk.adapters.aws.vault.scripts import Put
from hotdesk.ports import NotFound, Refused

URL_LIFETIME: Final = timedelta(hours=1)
_LARGEST_MANIFEST: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as S3 lists it."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that is not finished."""

    key: str
    id: str


@dataclass(frozen=True, slots=True)
class Head:
    """What S3 says of an object."""

    size: int
    sha256: str  # as S3 writes it: base64, with the number of parts where it was sent in parts
    stored_at: datetime


class Bucket:
    """One bucket of S3."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name

    async def read(self, key: str) -> bytes | None:
        """Return a small object; None if there is none."""
        try:
            page = await self._calls.read("s3", "GetObject", self._at(key), _body)
        except NotFound:
            return None
        return page.facts

    async def head(self, key: str) -> Head | None:
        """Return what S3 knows of an object; None if there is none."""
        try:
            return (await self._calls.read("s3", "HeadObject", self._at(key, ChecksumMode="ENABLED"), _head)).facts
        except NotFound:
            return None

    async def list(self, prefix: str) -> Sequence[Stored]:
        """Return the objects whose keys begin so."""
        return [stored async for page in self._pages(prefix) for stored in page]

    async def write_once(self, key: str, content: bytes) -> None:
        """Write an object that does not exist. Raises Conflict if it does."""
        sum_of_it = base64.b64encode(hashlib.sha256(content).digest()).decode()
        what = {"Body": content, "ContentType": "application/json", "ChecksumSHA256": sum_of_it, "IfNoneMatch": "*"}
        await self._calls.write("s3", "PutObject", self._at(key, **what))

    async def delete(self, key: str) -> None:
        """Delete an object; one that is gone is no error."""
        await self._calls.write("s3", "DeleteObject", self._at(key))

    async def url_to_put(self, key: str, *, sha256: str) -> Put:
        """Return what lets a machine send an object once, and only with this content."""
        sent = {"ChecksumSHA256": sum_in_s3s_words([sha256]), "IfNoneMatch": "*"}
        url = await self._calls.sign("PutObject", self._at(key, **sent), lifetime=URL_LIFETIME)
        return Put(url, ("If-None-Match: *", f"x-amz-checksum-sha256: {sent['ChecksumSHA256']}"))

    async def url_to_put_part(self, key: str, *, upload: str, number: int, sha256: str) -> Put:
        """Return what lets a machine send one part, counted from 0, and only with this content."""
        checksum = sum_in_s3s_words([sha256])
        asked = self._at(key, UploadId=upload, PartNumber=number + 1, ChecksumSHA256=checksum)
        url = await self._calls.sign("UploadPart", asked, lifetime=URL_LIFETIME)
        return Put(url, (f"x-amz-checksum-sha256: {checksum}",))

    async def uploads(self, prefix: str) -> Sequence[Upload]:
        """Return the uploads in parts under way, of keys that begin so; at most 1,000."""
        asked = {"Bucket": self._name, "Prefix": prefix}
        return (await self._calls.read("s3", "ListMultipartUploads", asked, lambda a: _uploads(a, prefix))).facts

    async def begin_upload(self, key: str) -> None:
        """Begin an upload in parts."""
        what = {"ChecksumAlgorithm": "SHA256", "ContentType": "application/gzip"}
        await self._calls.write("s3", "CreateMultipartUpload", self._at(key, **what))

    async def parts(self, upload: Upload) -> Mapping[int, str]:
        """Return the ETags of the parts that S3 has, counted from 0; at most 1,000."""
        asked = self._at(upload.key, UploadId=upload.id)
        return (await self._calls.read("s3", "ListParts", asked, _parts)).facts

    async def finish_upload(self, upload: Upload, *, etags: Mapping[int, str], sums: Sequence[str]) -> None:
        """Put the parts together under the key, if there is nothing yet. Raises Conflict if there is."""
        parts = [
            {"PartNumber": number + 1, "ETag": etags[number], "ChecksumSHA256": sum_in_s3s_words([sum_of_part])}
            for number, sum_of_part in enumerate(sums)
        ]
        asked = self._at(upload.key, UploadId=upload.id, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        await self._calls.write("s3", "CompleteMultipartUpload", asked)

    async def give_up(self, upload: Upload) -> None:
        """Forget an upload in parts and what was sent of it."""
        with suppress(Refused):  # it is gone
            await self._calls.write("s3", "AbortMultipartUpload", self._at(upload.key, UploadId=upload.id))

    async def url_to_get(self, key: str) -> str:
        """Return a URL that lets a machine fetch an object."""
        return await self._calls.sign("GetObject", self._at(key), lifetime=URL_LIFETIME)

    async def _pages(self, prefix: str) -> AsyncIterator[Sequence[Stored]]:
        token: str | None = None
        while True:
            asked = {"Bucket": self._name, "Prefix": prefix}
            if token is not None:
                asked["ContinuationToken"] = token
            found, token = (await self._calls.read("s3", "ListObjectsV2", asked, _listed)).facts
            yield found
            if token is None:
                return

    def _at(self, key: str, **more: Any) -> dict[str, Any]:
        return {"Bucket": self._name, "Key": key, **more}


def sum_in_s3s_words(parts: Sequence[str]) -> str:
    """Return the checksum that S3 shows of an object whose parts have these SHA-256, given in hexadecimal digits."""
    if len(parts) == 1:
        return base64.b64encode(bytes.fromhex(parts[0])).decode()
    together = hashlib.sha256(b"".join(map(bytes.fromhex, parts))).digest()
    return f"{base64.b64encode(together).decode()}-{len(parts)}"


def _body(answer: Answer) -> bytes:
    with closing(answer["Body"]) as body:
        content: bytes = body.read(_LARGEST_MANIFEST)
        return content


def _head(answer: Answer) -> Head:
    return Head(
        int(answer["ContentLength"]), str(answer.get("ChecksumSHA256") or ""), answer["LastModified"].astimezone(UTC)
    )


def _listed(answer: Answer) -> tuple[list[Stored], str | None]:
    found = [Stored(str(one["Key"]), int(one["Size"])) for one in answer.get("Contents") or ()]
    return found, answer.get("NextContinuationToken") or None


def _uploads(answer: Answer, prefix: str) -> list[Upload]:
    found = [Upload(str(one["Key"]), str(one["UploadId"])) for one in answer.get("Uploads") or ()]
    return sorted((one for one in found if one.key.startswith(prefix)), key=lambda one: (one.key, one.id))


def _parts(answer: Answer) -> dict[int, str]:
    return {int(part["PartNumber"]) - 1: str(part["ETag"]) for part in answer.get("Parts") or ()}
