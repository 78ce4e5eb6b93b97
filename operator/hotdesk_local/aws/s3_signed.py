"""Presigned URLs: whether S3 would take this one, for this method, with these headers, now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from hotdesk_local.aws.errors import AwsError


def is_presigned(query: str) -> bool:
    """Say whether a URL brings its own signature, of the present or the older kind."""
    return "X-Amz-Signature=" in query or ("AWSAccessKeyId=" in query and "Signature=" in query)


def check_presigned(
    *, method: str, url: str, headers: Mapping[str, str], secrets: Mapping[str, str], now: float
) -> None:
    """Raise what S3 answers to a URL that is over, made for another call, or sent with other headers.

    The signature is compared where the key's secret is known; the older kind is checked for its end only.
    """
    place, _, query = url.partition("?")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if now > _end(asked):
        raise AwsError("AccessDenied", "Request has expired", status=403)
    if "X-Amz-Signature" not in asked:
        return
    signed = asked["X-Amz-SignedHeaders"].split(";")
    if any(name.lower().startswith("x-amz-") and name.lower() not in signed for name in headers):
        raise AwsError("AccessDenied", "There were headers present in the request which were not signed", status=403)
    key, _, region, _, _ = asked["X-Amz-Credential"].split("/")
    given, secret = asked.pop("X-Amz-Signature"), secrets.get(key)
    if secret is None:
        return
    request = AWSRequest(
        method=method,
        url=f"{place}?{urlencode(asked)}",
        headers={name: headers[name] for name in signed if name in headers},
    )
    request.context["timestamp"] = asked["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(key, secret), "s3", region)
    if auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) != given:
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method.",
            status=403,
        )


def _end(asked: Mapping[str, str]) -> float:
    if "X-Amz-Date" not in asked:
        return float(asked["Expires"])
    begun = datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return begun.timestamp() + float(asked["X-Amz-Expires"])
