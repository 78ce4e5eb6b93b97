"""S3's calls about buckets: make, find, list what is in them, remove."""

from collections.abc import Mapping
from urllib.parse import quote

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.s3_model import Bucket, StoredObject
from hotdesk_local.aws.world import ACCOUNT, Handler, World

PAGE = 1000


def _create(world: World, params: Params, call: Call) -> Params:
    name = params["Bucket"]
    if name in world.s3.buckets:
        raise AwsError(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            status=409,
        )
    region = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint") or world.region
    world.s3.buckets[name] = Bucket(name=name, created=call.time, region=region)
    return {"Location": f"/{name}"}


def _head(world: World, params: Params, _call: Call) -> Params:
    return {"BucketRegion": world.s3.bucket(params["Bucket"]).region}


def _location(world: World, params: Params, _call: Call) -> Params:
    return {"LocationConstraint": world.s3.bucket(params["Bucket"]).region}


def _delete(world: World, params: Params, _call: Call) -> Params:
    if world.s3.bucket(params["Bucket"]).objects:
        raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", status=409)
    del world.s3.buckets[params["Bucket"]]
    return {}


def _buckets(world: World, _params: Params, _call: Call) -> Params:
    found = sorted(world.s3.buckets.values(), key=lambda bucket: bucket.name)
    return {
        "Owner": {"ID": ACCOUNT},
        "Buckets": [{"Name": bucket.name, "CreationDate": moment(bucket.created)} for bucket in found],
    }


def _list(world: World, params: Params, _call: Call) -> Params:
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    most = min(params.get("MaxKeys", PAGE), PAGE)
    after = params.get("ContinuationToken") or params.get("StartAfter") or ""
    contents: list[StoredObject] = []
    folders: list[str] = []
    last, truncated = "", False
    for key, stored in sorted(world.s3.bucket(params["Bucket"]).objects.items()):
        folder = _folder(key, prefix, delimiter)
        if not key.startswith(prefix) or (folder or key) <= after or (folder and folder in folders):
            continue
        if len(contents) + len(folders) == most:
            truncated = True
            break
        last = folder or key
        if folder:
            folders.append(folder)
        else:
            contents.append(stored)
    return _page(params, contents, folders, next_token=last if truncated else None)


def _folder(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the common prefix a key is rolled up into, None where it stands for itself."""
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return prefix + head + delimiter if found else None


def _page(params: Params, contents: list[StoredObject], folders: list[str], *, next_token: str | None) -> Params:
    def shown(text: str) -> str:
        return quote(text, safe="/") if params.get("EncodingType") == "url" else text

    return {
        "Name": params["Bucket"],
        "Prefix": shown(params.get("Prefix", "")),
        "Delimiter": shown(params["Delimiter"]) if params.get("Delimiter") else None,
        "MaxKeys": params.get("MaxKeys", PAGE),
        "EncodingType": params.get("EncodingType"),
        "KeyCount": len(contents) + len(folders),
        "IsTruncated": next_token is not None,
        "NextContinuationToken": next_token,
        "Contents": [
            {
                "Key": shown(stored.key),
                "LastModified": moment(stored.modified),
                "ETag": stored.etag,
                "Size": stored.content.size,
                "StorageClass": "STANDARD",
            }
            for stored in contents
        ],
        "CommonPrefixes": [{"Prefix": shown(folder)} for folder in folders],
    }


ACTIONS: Mapping[str, Handler] = {
    "CreateBucket": _create,
    "HeadBucket": _head,
    "GetBucketLocation": _location,
    "DeleteBucket": _delete,
    "ListBuckets": _buckets,
    "ListObjectsV2": _list,
}
