"""S3's uploads in parts, as boto3's upload_file makes them for large files."""

import hashlib
from collections.abc import Mapping
from itertools import chain

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.s3_content import ALGORITHMS, Content, written
from hotdesk_local.aws.s3_model import StoredObject, Upload, check_condition
from hotdesk_local.aws.s3_objects import CHECKSUM, checked, shown_as, world_content
from hotdesk_local.aws.world import Handler, World

SMALLEST_PART = 5 * 1024**2
"""Bytes, of every part but the last."""


def _create(world: World, params: Params, call: Call) -> Params:
    bucket, key = world.s3.bucket(params["Bucket"]), params["Key"]
    upload = Upload(
        id=f"upload{next(world.s3.numbers):08d}",
        key=key,
        started=call.time,
        shown=shown_as(params),
        algorithm=params.get("ChecksumAlgorithm"),
    )
    bucket.uploads[upload.id] = upload
    return {"Bucket": bucket.name, "Key": key, "UploadId": upload.id, "ChecksumAlgorithm": upload.algorithm}


def _part(world: World, params: Params, _call: Call) -> Params:
    upload, content = _known(world, params), world_content(world, params)
    checksums = checked(content, params)
    before = upload.parts.get(params["PartNumber"])
    if before is not None:
        before.erase()
    content.held = True
    upload.parts[params["PartNumber"]] = content
    return {"ETag": content.etag, **checksums}


def _complete(world: World, params: Params, call: Call) -> Params:
    bucket, upload = world.s3.bucket(params["Bucket"]), _known(world, params)
    check_condition(bucket.objects.get(upload.key), params)
    parts = _chosen(upload, (params.get("MultipartUpload") or {}).get("Parts", []))
    etag = f'"{hashlib.md5(b"".join(p.md5 for p in parts), usedforsecurity=False).hexdigest()}-{len(parts)}"'
    stored = StoredObject(
        key=upload.key,
        content=world.s3.vault.take(chain.from_iterable(part.chunks() for part in parts)),
        etag=etag,
        modified=call.time,
        shown=upload.shown,
        checksums=_composite(upload.algorithm, parts),
    )
    world.s3.keep(bucket.name, stored)
    _forget(world, params)
    return {"Bucket": bucket.name, "Key": upload.key, "ETag": etag, "Location": f"/{bucket.name}/{upload.key}"}


def _chosen(upload: Upload, asked: list[Params]) -> list[Content]:
    numbers = [int(one["PartNumber"]) for one in asked]
    if not numbers:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate")
    if numbers != sorted(set(numbers)):
        raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order.")
    for one in asked:
        part = upload.parts.get(int(one["PartNumber"]))
        if part is None or one["ETag"].strip('"') != part.etag.strip('"'):
            raise AwsError("InvalidPart", "One or more of the specified parts could not be found.")
    parts = [upload.parts[number] for number in numbers]
    if any(part.size < SMALLEST_PART for part in parts[:-1]):
        raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    return parts


def _composite(algorithm: str | None, parts: list[Content]) -> dict[str, str]:
    """Return the checksum of the parts' checksums, as S3 shows it."""
    if algorithm is None or algorithm not in ALGORITHMS:
        return {}
    hasher = ALGORITHMS[algorithm]()
    hasher.update(b"".join(part.checksum(algorithm) for part in parts))
    return {CHECKSUM + algorithm: f"{written(hasher.digest())}-{len(parts)}", "ChecksumType": "COMPOSITE"}


def _abort(world: World, params: Params, _call: Call) -> Params:
    _known(world, params)
    _forget(world, params)
    return {}


def _forget(world: World, params: Params) -> None:
    upload = world.s3.bucket(params["Bucket"]).uploads.pop(params["UploadId"])
    for part in upload.parts.values():
        part.erase()


def _list_parts(world: World, params: Params, _call: Call) -> Params:
    upload = _known(world, params)
    parts = [
        {"PartNumber": number, "ETag": part.etag, "Size": part.size} for number, part in sorted(upload.parts.items())
    ]
    return {"Bucket": params["Bucket"], "Key": upload.key, "UploadId": upload.id, "IsTruncated": False, "Parts": parts}


def _list_uploads(world: World, params: Params, _call: Call) -> Params:
    uploads = world.s3.bucket(params["Bucket"]).uploads.values()
    return {
        "Bucket": params["Bucket"],
        "IsTruncated": False,
        "Uploads": [{"Key": u.key, "UploadId": u.id, "Initiated": moment(u.started)} for u in uploads],
    }


def _known(world: World, params: Params) -> Upload:
    upload = world.s3.bucket(params["Bucket"]).uploads.get(params["UploadId"])
    if upload is None or upload.key != params["Key"]:
        raise AwsError("NoSuchUpload", "The specified upload does not exist.", status=404)
    return upload


ACTIONS: Mapping[str, Handler] = {
    "CreateMultipartUpload": _create,
    "UploadPart": _part,
    "CompleteMultipartUpload": _complete,
    "AbortMultipartUpload": _abort,
    "ListParts": _list_parts,
    "ListMultipartUploads": _list_uploads,
}
