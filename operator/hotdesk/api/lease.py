"""What replicas need of Kubernetes' own Lease (coordination.k8s.io/v1)."""

from typing import Final, Literal

from hotdesk.api.wire import ApiModel, MicroTime, ObjectMeta

LEASE_API_VERSION: Final = "coordination.k8s.io/v1"


class LeaseSpec(ApiModel):
    """Who holds it, and since when."""

    holder_identity: str = ""
    """Empty: nobody."""
    lease_duration_seconds: int | None = None
    acquire_time: MicroTime | None = None
    renew_time: MicroTime | None = None
    lease_transitions: int = 0


class Lease(ApiModel):
    """A Lease as the API server stores it."""

    api_version: Literal["coordination.k8s.io/v1"] = LEASE_API_VERSION
    kind: Literal["Lease"] = "Lease"
    metadata: ObjectMeta
    spec: LeaseSpec = LeaseSpec()
