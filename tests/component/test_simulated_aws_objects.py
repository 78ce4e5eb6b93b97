"""S3 of the simulated AWS: real bytes, conditional writes, checksums, parts, presigned URLs, guests that use them."""

import base64
import hashlib
import io
import os
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from component.simulated_cloud import Cloud
from waiting import wait_for


@pytest.fixture
def s3(cloud: Cloud):
    client = cloud.client("s3")
    yield client
    client.close()


@pytest.fixture
def bucket(cloud: Cloud, s3) -> str:
    name = f"bucket-{next(cloud._names)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": cloud.aws.ready.region})
    return name


def refused(call, **params) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(**params)
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_comes_back_byte_for_byte_with_what_was_said_about_it(s3, bucket):
    body = os.urandom(300_000)
    put = s3.put_object(Bucket=bucket, Key="a/b c+ü.tar", Body=body, Metadata={"owner": "ada"}, ContentType="x/y")
    got = s3.get_object(Bucket=bucket, Key="a/b c+ü.tar")
    assert got["Body"].read() == body
    assert (got["ETag"], got["Metadata"], got["ContentType"]) == (put["ETag"], {"owner": "ada"}, "x/y")
    assert put["ETag"].strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest()
    head = s3.head_object(Bucket=bucket, Key="a/b c+ü.tar")
    assert (head["ContentLength"], head["Metadata"]) == (300_000, {"owner": "ada"})
    part = s3.get_object(Bucket=bucket, Key="a/b c+ü.tar", Range="bytes=10-19")
    assert (part["Body"].read(), part["ContentRange"]) == (body[10:20], "bytes 10-19/300000")


def test_what_is_not_there_is_said_in_s3s_words(s3, bucket):
    assert refused(s3.get_object, Bucket=bucket, Key="nothing") == ("NoSuchKey", 404)
    assert refused(s3.head_object, Bucket=bucket, Key="nothing") == ("404", 404)
    assert refused(s3.put_object, Bucket="no-such-bucket", Key="x", Body=b"") == ("NoSuchBucket", 404)
    assert refused(s3.create_bucket, Bucket=bucket) == ("BucketAlreadyOwnedByYou", 409)
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NotImplemented", 501)
    s3.put_object(Bucket=bucket, Key="x", Body=b"")
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)


def test_a_conditional_write_is_won_once(s3, bucket):
    s3.put_object(Bucket=bucket, Key="manifest", Body=b"first", IfNoneMatch="*")
    assert refused(s3.put_object, Bucket=bucket, Key="manifest", Body=b"second", IfNoneMatch="*") == (
        "PreconditionFailed",
        412,
    )
    assert s3.get_object(Bucket=bucket, Key="manifest")["Body"].read() == b"first"
    etag = s3.head_object(Bucket=bucket, Key="manifest")["ETag"]
    s3.put_object(Bucket=bucket, Key="manifest", Body=b"third", IfMatch=etag)
    assert refused(s3.put_object, Bucket=bucket, Key="manifest", Body=b"x", IfMatch=etag)[1] == 412


def test_a_wrong_checksum_stores_nothing(s3, bucket):
    sha256 = base64.b64encode(hashlib.sha256(b"right").digest()).decode()
    assert refused(s3.put_object, Bucket=bucket, Key="x", Body=b"wrong", ChecksumSHA256=sha256) == ("BadDigest", 400)
    md5 = base64.b64encode(hashlib.md5(b"right", usedforsecurity=False).digest()).decode()
    assert refused(s3.put_object, Bucket=bucket, Key="x", Body=b"wrong", ContentMD5=md5) == ("BadDigest", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="x")[1] == 404
    s3.put_object(Bucket=bucket, Key="x", Body=b"right", ChecksumSHA256=sha256)
    assert s3.head_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha256


def test_lists_are_paged_sorted_and_rolled_up(s3, bucket):
    keys = [f"w/{n:02d}/a b" for n in range(7)] + ["w/top", "z"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}))
    assert [len(page["Contents"]) for page in pages] == [4, 4, 1]
    assert [one["Key"] for page in pages for one in page["Contents"]] == sorted(keys)
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix="w/", Delimiter="/", PaginationConfig={"PageSize": 3}
        )
    )
    assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == [f"w/{n:02d}/" for n in range(7)]
    assert [c["Key"] for page in pages for c in page.get("Contents", [])] == ["w/top"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys[:8]]})
    s3.delete_object(Bucket=bucket, Key="never was")
    assert [c["Key"] for c in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["z"]


def test_a_large_file_goes_up_in_parts_and_comes_down(s3, bucket, tmp_path):
    file, back = tmp_path / "large", tmp_path / "back"
    file.write_bytes(os.urandom(12 * 1024**2 + 5))
    config = TransferConfig(multipart_threshold=5 * 1024**2, multipart_chunksize=5 * 1024**2)
    s3.upload_file(str(file), bucket, "large", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="large")
    assert head["ETag"].endswith('-3"')
    assert (head["ContentLength"], head["Metadata"]) == (file.stat().st_size, {"a": "b"})
    s3.download_file(bucket, "large", str(back), Config=config)
    assert back.read_bytes() == file.read_bytes()
    s3.upload_fileobj(io.BytesIO(b"small"), bucket, "small")
    assert s3.get_object(Bucket=bucket, Key="small")["Body"].read() == b"small"


def test_an_upload_in_parts_exists_only_when_it_is_complete(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="x", UploadId=upload, PartNumber=1, Body=b"data")
    assert refused(s3.head_object, Bucket=bucket, Key="x")[1] == 404
    assert [p["Size"] for p in s3.list_parts(Bucket=bucket, Key="x", UploadId=upload)["Parts"]] == [4]
    asked = {"Parts": [{"PartNumber": 1, "ETag": '"nonsense"'}]}
    assert refused(s3.complete_multipart_upload, Bucket=bucket, Key="x", UploadId=upload, MultipartUpload=asked) == (
        "InvalidPart",
        400,
    )
    s3.put_object(Bucket=bucket, Key="x", Body=b"other")
    asked = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    condition = {"Bucket": bucket, "Key": "x", "UploadId": upload, "MultipartUpload": asked, "IfNoneMatch": "*"}
    assert refused(s3.complete_multipart_upload, **condition)[1] == 412
    s3.abort_multipart_upload(Bucket=bucket, Key="x", UploadId=upload)
    assert refused(s3.list_parts, Bucket=bucket, Key="x", UploadId=upload) == ("NoSuchUpload", 404)


def test_bytes_that_nobody_keeps_leave_the_disk(cloud: Cloud, s3, bucket):
    folder = cloud.aws._state_dir / "s3"
    before = set(folder.iterdir())
    for number in range(3):
        s3.put_object(Bucket=bucket, Key="x", Body=b"%d" % number)
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="x", Body=b"y", IfNoneMatch="*")
    (kept,) = set(folder.iterdir()) - before
    assert kept.read_bytes() == b"2"
    s3.delete_object(Bucket=bucket, Key="x")
    assert set(folder.iterdir()) == before


def test_faults_and_the_record_of_calls_know_s3(cloud: Cloud, s3, bucket):
    cloud.fault("s3:PutObject", "error", code="AccessDenied", count=1)
    assert refused(s3.put_object, Bucket=bucket, Key="x", Body=b"") == ("AccessDenied", 403)
    cloud.fault("s3:PutObject", "throttle", count=1)
    assert refused(s3.put_object, Bucket=bucket, Key="x", Body=b"") == ("SlowDown", 503)
    s3.put_object(Bucket=bucket, Key="x", Body=b"")
    last = cloud.sim("calls")["calls"][-1]
    assert (last["service"], last["action"], last["params"]["Key"]) == ("s3", "PutObject", "x")
    assert "Body" not in last["params"]


def fetch(url: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = Request(url, data=body, method=method, headers=headers)  # noqa: S310  # http, ours
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310  # http, ours
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("key", ["plain", "with space/and+plus&ünder"])
def test_presigned_urls_carry_bytes_without_keys(s3, bucket, key):
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key})
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    assert fetch(put, method="PUT", body=b"hello \x00")[0] == 200
    assert fetch(get) == (200, b"hello \x00")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"hello \x00"


def test_a_presigned_url_is_good_for_one_method_one_key_and_its_headers(s3, bucket):
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a", "IfNoneMatch": "*"})
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    assert b"SignatureDoesNotMatch" in fetch(put, method="PUT", body=b"x")[1]  # the condition was signed
    condition = {"If-None-Match": "*"}
    assert fetch(put, method="PUT", body=b"x", **condition)[0] == 200
    assert b"PreconditionFailed" in fetch(put, method="PUT", body=b"y", **condition)[1]
    assert fetch(get, method="PUT", body=b"y")[0] == 403
    assert fetch(get.replace("/a?", "/b?"))[0] == 403
    assert fetch(get, **{"x-amz-meta-more": "1"})[0] == 403
    assert fetch(get) == (200, b"x")


def test_a_presigned_url_ends(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}, ExpiresIn=1)
    wait_for(lambda: b"Request has expired" in fetch(url)[1], what="the URL is over")


def test_a_guest_archives_and_restores_with_curl_tar_and_presigned_urls(cloud: Cloud, s3, bucket):
    ssm = cloud.client("ssm")
    first, second = (one["InstanceId"] for one in launch(cloud, 2))
    for machine in (first, second):
        wait_for(lambda m=machine: online(ssm, m), what=f"the agent of {machine} answers")
    home = Path(cloud.machine(first)["disk"]) / "home/ada"
    home.mkdir(parents=True)
    (home / "work.txt").write_bytes(b"\x00kept\xff")

    def url(method: str) -> str:
        return s3.generate_presigned_url(method, Params={"Bucket": bucket, "Key": "uid/op.tar.gz"})

    done = command(
        ssm,
        first,
        'set -eu; cd "${HOTDESK_ROOT:-/}"',
        "tar -czf tmp/op.tar.gz home",
        f"curl -fsS -X PUT -T tmp/op.tar.gz '{url('put_object')}'",
        "sha256sum tmp/op.tar.gz | cut -d' ' -f1; rm tmp/op.tar.gz",
    )
    assert done["Status"] == "Success", done["StandardErrorContent"]
    stored = s3.get_object(Bucket=bucket, Key="uid/op.tar.gz")["Body"].read()
    assert done["StandardOutputContent"].strip() == hashlib.sha256(stored).hexdigest()
    cloud.ec2.terminate_instances(InstanceIds=[first])
    done = command(
        ssm,
        second,
        'cd "${HOTDESK_ROOT:-/}"',
        f"curl -fsS '{url('get_object')}' | tar -xz",
        "cat home/ada/work.txt | wc -c",
    )
    assert done["StandardOutputContent"].strip() == "6"
    assert (Path(cloud.machine(second)["disk"]) / "home/ada/work.txt").read_bytes() == b"\x00kept\xff"
    ssm.close()


def launch(cloud: Cloud, number: int) -> list[dict]:
    return list(cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=number, MaxCount=number)["Instances"])


def online(ssm, machine: str) -> bool:
    found = ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [machine]}])
    return bool(found["InstanceInformationList"])


def command(ssm, machine: str, *lines: str) -> dict:
    sent = ssm.send_command(
        InstanceIds=[machine], DocumentName="AWS-RunShellScript", Parameters={"commands": list(lines)}
    )["Command"]["CommandId"]

    def ended() -> dict | None:
        found = ssm.get_command_invocation(CommandId=sent, InstanceId=machine)
        return found if found["Status"] not in {"Pending", "InProgress"} else None

    return wait_for(ended, what="the command has ended") or {}


def test_framed_uploads_of_other_sdks_are_unwrapped(cloud: Cloud, s3, bucket):
    body = b"5;chunk-signature=00\r\nhello\r\n6;chunk-signature=00\r\n world\r\n0;chunk-signature=00\r\n\r\n"
    url = f"{cloud.aws.endpoint}/{bucket}/framed"
    signed = "AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": signed, "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    assert fetch(url, method="PUT", body=body, **headers)[0] == 200
    assert s3.get_object(Bucket=bucket, Key="framed")["Body"].read() == b"hello world"


def test_curl_sends_large_files(s3, bucket, tmp_path):
    file = tmp_path / "large"
    file.write_bytes(os.urandom(3_000_000))
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "c"})
    subprocess.run(["curl", "-fsS", "-T", file, url], check=True, timeout=60)
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == file.read_bytes()
