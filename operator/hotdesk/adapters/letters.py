"""What leaves the cluster of a notice: one JSON object, the same for every channel."""

from datetime import UTC

import orjson

from hotdesk.core.notices import Notice


def letter(notice: Notice) -> bytes:
    """Return the JSON text of a notice."""
    return orjson.dumps(
        {
            "kind": notice.kind,
            "namespace": notice.namespace,
            "name": notice.name,
            "uid": notice.uid,
            "reason": notice.reason,
            "message": notice.message,
            "at": notice.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
            "key": notice.key,
            "id": notice.id,
        }
    )
