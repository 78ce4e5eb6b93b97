"""AWS's JSON protocols (SSM, SQS, CloudWatch): the shapes are boto3's already; moments travel as seconds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import botocore.session
import orjson
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params

LEGACY: Mapping[str, str] = {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
}
"""What SQS's errors were called in its older protocol; SDKs report these codes."""


class JsonWire:
    """One service's protocol."""

    def __init__(self, service: str) -> None:
        self.model: ServiceModel = botocore.session.get_session().get_service_model(service)
        self.content_type = f"application/x-amz-json-{self.model.metadata['jsonVersion']}"

    def parse(self, action: str, body: bytes) -> Params:
        """Return the call's parameters. Raises UnknownOperationException or SerializationException."""
        if action not in self.model.operation_names:
            raise AwsError("UnknownOperationException", f"The operation {action} is not known.")
        shape = self.model.operation_model(action).input_shape
        try:
            found = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError as exc:
            raise AwsError("SerializationException", "The body is not JSON.") from exc
        if not isinstance(found, dict):
            raise AwsError("SerializationException", "The body is not an object.")
        return _read(shape, found) if shape is not None else {}

    def answer(self, result: Mapping[str, Any]) -> bytes:
        """Return the body of a call that went well; absent where None."""
        return orjson.dumps(_plain(result))

    def refusal(self, error: AwsError) -> tuple[bytes, Mapping[str, str]]:
        """Return the body and headers of a call that was refused."""
        headers = {"x-amzn-query-error": f"{LEGACY.get(error.code, error.code)};Sender"}
        return orjson.dumps({"__type": error.code, "message": error.message}), headers


def _read(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {k: _read(shape.members[k], v) for k, v in value.items() if k in shape.members and v is not None}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_read(shape.member, one) for one in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _read(shape.value, one) for key, one in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, (int, float)):
        return moment(value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.timestamp() if isinstance(value, datetime) else value
