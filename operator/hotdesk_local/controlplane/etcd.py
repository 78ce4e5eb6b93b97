"""The database under the API server: how it is started, whether it answers, how its history is cut off."""

import http.client
import json
from pathlib import Path
from typing import Any

_TIMEOUT = 5.0


def etcd_command(binary: Path, *, data: Path, address: str, port: int) -> list[str | Path]:
    """Return the command of a single etcd."""
    client = f"http://{address}:{port}"
    return [
        binary,
        "--name=local",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        # Nobody joins: any port does.
        "--listen-peer-urls=http://127.0.0.1:0",
        # Without waiting for the disk a write takes microseconds, on a laptop's disk too. What it gives up is
        # only the crash of the whole machine: a killed etcd has handed its writes to the kernel already.
        "--unsafe-no-fsync",
    ]


def is_healthy(*, address: str, port: int) -> bool | None:
    """Return True once etcd serves requests, else None."""
    try:
        return True if _call("GET", "/health", address=address, port=port).get("health") == "true" else None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def compact(*, address: str, port: int) -> int:
    """Forget all history before the present revision, and return that revision.

    Whoever watches from an earlier one gets 410 Gone once the API server's watch cache does not hold it either.
    """
    # {} as key asks for nothing but the header, which carries the revision.
    header = _call("POST", "/v3/kv/range", address=address, port=port, body={"key": "AA=="})["header"]
    revision = int(header["revision"])
    compaction = {"revision": revision, "physical": True}
    _call("POST", "/v3/kv/compaction", address=address, port=port, body=compaction)
    return revision


def _call(method: str, path: str, *, address: str, port: int, body: dict[str, Any] | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
    try:
        connection.request(method, path, body=json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise OSError(f"etcd answered {answer.status} to {path}: {text.decode(errors='replace')}")
        return dict(json.loads(text))
    finally:
        connection.close()
