"""The rules of the Machine CRD that the claim protocol rests on; the others are the real API server's to check."""

from collections.abc import Mapping
from typing import Any


def broken_rule(*, kind: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str | None:
    """Return what the write would break, or None."""
    if kind != "Machine":
        return None
    old_reap = (before or {}).get("spec", {}).get("reap")
    spec = after.get("spec", {})
    claims = spec.get("claims") or []
    slots = [claim["slot"] for claim in claims]
    holders = [claim["workspace"]["uid"] for claim in claims]
    checks = (
        (
            old_reap is None or spec.get("reap") == old_reap,
            "reap is one-way: once set it can be neither changed nor removed",
        ),
        (
            spec.get("reap") is None or not claims,
            "claims and reap exclude each other: release the claims in the write that sets reap",
        ),
        (all(slot < spec.get("slots", 0) for slot in slots), "every claim's slot must be below slots"),
        (len(set(slots)) == len(slots), "spec.claims: Duplicate value"),
        (len(set(holders)) == len(holders), "a workspace can hold one slot only"),
    )
    return next((rule for holds, rule in checks if not holds), None)
