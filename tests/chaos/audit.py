"""What the API server itself has noted: every write, who sent it, guarded by which version, with which outcome."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chaos.history import Write
from chaos.store import JSON_STORED
from hotdesk_local.controlplane.apiserver import Options

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: RequestResponse
    verbs: [create, update, patch, delete]
    resources:
      - {group: hotdesk.dev}
      - {group: coordination.k8s.io, resources: [leases]}
  - level: None
"""
_CREDENTIAL = "authentication.kubernetes.io/credential-id"


def options(folder: Path, *, address: str, etcd_address: str) -> Options:
    """Return the options of an API server that notes all writes in `folder`, which outlives a full disk."""
    folder.mkdir(parents=True, exist_ok=True)
    policy = folder / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    audited = (f"--audit-policy-file={policy}", f"--audit-log-path={log_of(folder)}", "--audit-log-maxsize=0")
    flags = (*audited, JSON_STORED)
    return Options(etcd_compaction_interval="0", flags=flags, address=address, etcd_address=etcd_address)


def log_of(folder: Path) -> Path:
    """Return where it notes them."""
    return folder / "audit.log"


def read(log: Path, *, processes: Mapping[str, str]) -> Iterator[Write]:
    """Yield every write in the order of the log; `processes` are the credentials by their ids."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the API server was killed while it wrote this line
            if entry.get("stage") == "ResponseComplete":
                yield _write(entry, processes)


def _write(entry: Mapping[str, Any], processes: Mapping[str, str]) -> Write:
    about, sent, got = entry["objectRef"], entry.get("requestObject") or {}, entry.get("responseObject") or {}
    (credential,) = entry["user"].get("extra", {}).get(_CREDENTIAL, [""])
    meta = sent.get("preconditions") or sent.get("metadata") or {}
    made = got.get("metadata", {}) if got.get("kind") != "Status" else {}
    guard = meta.get("resourceVersion") if entry["verb"] != "create" else None
    code = entry.get("responseStatus", {}).get("code", 0)
    return Write(
        process=processes.get(credential, entry["user"]["username"]),
        began=_moment(entry["requestReceivedTimestamp"]),
        ended=_moment(entry["stageTimestamp"]),
        verb=entry["verb"],
        kind="/".join(filter(None, (about["resource"], about.get("subresource")))),
        name=about.get("name") or made.get("name", ""),
        code=code,
        guard=int(guard) if guard else None,
        version=int(made["resourceVersion"]) if code < 300 and "resourceVersion" in made else None,
        pool=_pool(about["resource"], got),
    )


def _pool(kind: str, made: Mapping[str, Any]) -> str | None:
    if kind == "machinepools":
        return made.get("metadata", {}).get("name") if made.get("kind") != "Status" else None
    pool: str | None = made.get("spec", {}).get("pool")
    return pool


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
