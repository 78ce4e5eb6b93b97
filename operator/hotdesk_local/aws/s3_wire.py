"""S3's REST protocol, in both directions, read from botocore's service model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree as ET

from botocore.model import ListShape, Shape, StructureShape

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.wire import Wire, scalar

_BUCKET: Mapping[tuple[str, str], str] = {
    ("PUT", ""): "CreateBucket",
    ("HEAD", ""): "HeadBucket",
    ("DELETE", ""): "DeleteBucket",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", "delete"): "DeleteObjects",
}
_OBJECT: Mapping[tuple[str, str], str] = {
    ("PUT", ""): "PutObject",
    ("GET", ""): "GetObject",
    ("HEAD", ""): "HeadObject",
    ("DELETE", ""): "DeleteObject",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploadId"): "ListParts",
}
_MARKS = (
    "uploadId",
    "uploads",
    "delete",
    "location",
    "list-type",
    "acl",
    "tagging",
    "versioning",
    "policy",
    "lifecycle",
)
"""Query keys that make another call of the same method and path."""
_ROOTS: Mapping[str, str] = {
    "ListObjectsV2": "ListBucketResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult",
    "DeleteObjects": "DeleteResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its action and parameters, Body left out."""

    action: str
    params: Params
    has_stream: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: `text` or `body`."""

    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    body: Any = None


class S3Wire(Wire):
    """S3's protocol."""

    def __init__(self) -> None:
        super().__init__("s3")

    def name(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> tuple[str, str, str]:
        """Return action, bucket and key. Raises NotImplemented for what S3 does and the simulator does not."""
        bucket, _, key = unquote(path.lstrip("/")).partition("/")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        mark = next((one for one in _MARKS if one in asked), "")
        if not bucket and method == "GET":
            return "ListBuckets", "", ""
        action = (_OBJECT if key else _BUCKET).get((method, mark))
        if action is None:
            raise AwsError(
                "NotImplemented", "A header you provided implies functionality that is not implemented", status=501
            )
        if action == "PutObject" and "x-amz-copy-source" in headers:
            action = "CopyObject"
        return action, bucket, key

    def has_stream(self, action: str) -> bool:
        """Say whether the body is an object's bytes."""
        shape = self.model.operation_model(action).input_shape
        return shape is not None and shape.serialization.get("payload") == "Body"

    def read(
        self, action: str, *, bucket: str, key: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Params:
        """Return the parameters of a call, an object's bytes left out. Raises MalformedXML."""
        shape = self.model.operation_model(action).input_shape
        found: Params = {}
        if shape is None:
            return found
        asked = dict(parse_qsl(query, keep_blank_values=True))
        payload = shape.serialization.get("payload")
        for name, member in shape.members.items():
            at, called = member.serialization.get("location"), member.serialization.get("name", name)
            if at == "uri":
                found[name] = bucket if name == "Bucket" else key
            elif at == "querystring" and called in asked:
                found[name] = scalar(member.type_name, asked[called])
            elif at == "header" and called in headers:
                found[name] = scalar(member.type_name, headers[called]) if member.type_name != "timestamp" else None
            elif at == "headers":
                prefix = called.lower()
                given = {k.lower()[len(prefix) :]: v for k, v in headers.items() if k.lower().startswith(prefix)}
                found.update({name: given} if given else {})
            elif name == payload and name != "Body" and body:
                found[name] = _from_xml(member, _parsed(body))
        return found

    def write(self, action: str, result: Mapping[str, Any]) -> Told:
        """Return headers and body of a call that went well."""
        if action == "GetBucketLocation":
            return Told(text=f"<LocationConstraint>{result['LocationConstraint']}</LocationConstraint>")
        shape = self.model.operation_model(action).output_shape
        if shape is None:
            return Told()
        headers, rest = _headers(shape, result)
        payload = shape.serialization.get("payload")
        if payload == "Body":
            return Told(headers=headers, body=result.get("Body"))
        if not rest:
            return Told(headers=headers)
        out: list[str] = []
        if payload is None:
            self._writer(shape)(rest, out)
        else:
            self._writer(shape.members[payload])(rest[payload], out)
        root = _ROOTS.get(action, f"{action}Result")
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{self._namespace}">{"".join(out)}</{root}>'
        return Told(headers=headers, text=text)


def _headers(shape: StructureShape, result: Mapping[str, Any]) -> tuple[dict[str, str], Params]:
    """Return what travels in headers, and the rest."""
    headers: dict[str, str] = {}
    rest: Params = {}
    for name, value in result.items():
        if value is None:
            continue
        member = shape.members[name]
        at, called = member.serialization.get("location"), member.serialization.get("name", name)
        if at == "header":
            headers[called] = _http_date(value) if isinstance(value, datetime) else str(value)
        elif at == "headers":
            headers.update({f"{called}{key}": text for key, text in value.items()})
        elif name != "Body":
            rest[name] = value
    return headers, rest


def _http_date(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _parsed(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)  # noqa: S314  # from clients on this computer
    except ET.ParseError as exc:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed") from exc


def _from_xml(shape: Shape, element: ET.Element) -> Any:
    if not isinstance(shape, StructureShape):
        return scalar(shape.type_name, element.text or "")
    found: Params = {}
    for name, member in shape.members.items():
        called = member.serialization.get("name", name)
        inner = [one for one in element if one.tag.rpartition("}")[2] == called]
        if isinstance(member, ListShape):
            if not member.serialization.get("flattened"):
                inner = list(inner[0]) if inner else []
            found[name] = [_from_xml(member.member, one) for one in inner]
        elif inner:
            found[name] = _from_xml(member, inner[0])
    return found
