"""S3's calls about objects: put, get, head, copy, delete."""

import base64
import re
from collections.abc import Mapping
from urllib.parse import unquote

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.s3_content import ALGORITHMS, Content, written
from hotdesk_local.aws.s3_model import StoredObject, check_condition
from hotdesk_local.aws.world import Handler, World

KEPT = ("ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl", "Metadata")
LONGEST_KEY = 1024
MOST_DELETED = 1000
CHECKSUM = "Checksum"
_NOT_CHECKSUMS = frozenset({"ChecksumAlgorithm", "ChecksumMode", "ChecksumType"})


def _put(world: World, params: Params, call: Call) -> Params:
    key, content = params["Key"], world_content(world, params)
    existing = world.s3.bucket(params["Bucket"]).objects.get(key)
    if len(key.encode()) > LONGEST_KEY:
        raise AwsError("KeyTooLongError", "Your key is too long")
    check_condition(existing, params)
    checksums = checked(content, params)
    stored = StoredObject(
        key=key,
        content=content,
        etag=content.etag,
        modified=call.time,
        shown=shown_as(params),
        checksums=checksums,
    )
    world.s3.keep(params["Bucket"], stored)
    return {"ETag": stored.etag, **checksums, "ChecksumType": "FULL_OBJECT" if checksums else None}


def world_content(world: World, params: Params) -> Content:
    """Return the body as content; a caller in this process may give bytes."""
    body = params.get("Body", b"")
    return body if isinstance(body, Content) else world.s3.vault.take(iter([body]))


def shown_as(params: Params) -> Params:
    """Return what GetObject shows of a put as it was given."""
    return {"ContentType": "binary/octet-stream", **{name: params[name] for name in KEPT if name in params}}


def checked(content: Content, params: Params) -> dict[str, str]:
    """Return the checksums given, by member name. Raises BadDigest where one is wrong, InvalidDigest for nonsense."""
    md5 = params.get("ContentMD5")
    if md5 is not None and base64.b64decode(md5) != content.md5:
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")
    given = {
        name: str(value) for name, value in params.items() if name.startswith(CHECKSUM) and name not in _NOT_CHECKSUMS
    }
    for name, value in given.items():
        algorithm = name.removeprefix(CHECKSUM)
        if algorithm in ALGORITHMS and written(content.checksum(algorithm)) != value:
            raise AwsError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    wanted = str(params.get("ChecksumAlgorithm"))
    if not given and wanted in ALGORITHMS:
        given[CHECKSUM + wanted] = written(content.checksum(wanted))
    return given


def _get(world: World, params: Params, _call: Call) -> Params:
    found = world.s3.object(params["Bucket"], params["Key"])
    check_condition(found, {"IfMatch": params.get("IfMatch")})
    if params.get("IfNoneMatch") in {found.etag, found.etag.strip('"')}:
        raise AwsError("304", "Not Modified", status=304)
    start, length = _range(found.content.size, params.get("Range"))
    whole = length == found.content.size
    return {
        **found.shown,
        **(found.checksums if params.get("ChecksumMode") == "ENABLED" and whole else {}),
        "ETag": found.etag,
        "LastModified": moment(int(found.modified)),
        "AcceptRanges": "bytes",
        "ContentLength": length,
        "ContentRange": None
        if params.get("Range") is None
        else f"bytes {start}-{start + length - 1}/{found.content.size}",
        "Body": Slice(found.content, start, length),
    }


def _head(world: World, params: Params, call: Call) -> Params:
    found = _get(world, params, call)
    del found["Body"]
    return found


class Slice:
    """A part of an object's bytes, for an answer."""

    def __init__(self, content: Content, start: int, length: int) -> None:
        self._chunks = content.chunks(start=start, length=length)

    def __iter__(self) -> "Slice":
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def read(self) -> bytes:
        """Return all of it, as boto3's body does."""
        return b"".join(self._chunks)


def _range(size: int, asked: str | None) -> tuple[int, int]:
    """Return where to start and how much to answer. Raises InvalidRange."""
    parsed = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
    if parsed is None or not any(parsed.groups()):
        return 0, size
    first, last = parsed.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise AwsError("InvalidRange", "The requested range is not satisfiable", status=416)
    return start, end - start + 1


def _copy(world: World, params: Params, call: Call) -> Params:
    source = params["CopySource"]
    name = source if isinstance(source, str) else f"{source['Bucket']}/{source['Key']}"
    bucket, _, key = unquote(name).lstrip("/").partition("/")
    found = world.s3.object(bucket, key)
    replaced = params.get("MetadataDirective") == "REPLACE"
    copied = StoredObject(
        key=params["Key"],
        content=world.s3.vault.take(found.content.chunks()),
        etag=found.etag,
        modified=call.time,
        shown=shown_as(params) if replaced else found.shown,
        checksums=found.checksums,
    )
    world.s3.keep(params["Bucket"], copied)
    return {"CopyObjectResult": {"ETag": copied.etag, "LastModified": moment(copied.modified)}}


def _delete(world: World, params: Params, _call: Call) -> Params:
    world.s3.remove(params["Bucket"], params["Key"])
    return {}


def _delete_several(world: World, params: Params, _call: Call) -> Params:
    asked = params["Delete"]["Objects"]
    if len(asked) > MOST_DELETED:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate")
    for one in asked:
        world.s3.remove(params["Bucket"], one["Key"])
    return {"Deleted": [] if params["Delete"].get("Quiet") else [{"Key": one["Key"]} for one in asked]}


ACTIONS: Mapping[str, Handler] = {
    "PutObject": _put,
    "GetObject": _get,
    "HeadObject": _head,
    "CopyObject": _copy,
    "DeleteObject": _delete,
    "DeleteObjects": _delete_several,
}
