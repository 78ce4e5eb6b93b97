"""Put the kinds of Hotdesk, and the operator's rights, into a control plane."""

from pathlib import Path

from hotdesk_local.controlplane.plane import ControlPlane

SYSTEM_NAMESPACE = "hotdesk-system"
"""Where `deploy/` puts the operator, and with it the Leases of its replicas."""
_GROUP = "hotdesk.dev"
_SERVED_WITHIN = 60.0


def find_crds() -> Path:
    """Return the folder with the generated CRDs of the checkout."""
    return Path(__file__).resolve().parents[3] / "crds"


def apply_crds(plane: ControlPlane, *, folder: Path) -> None:
    """Apply every CRD of the folder, and return when kubectl knows their kinds."""
    # Server-side: no copy of the whole schema in an annotation.
    plane.kubectl("apply", "--server-side", "--force-conflicts", "--filename", folder)
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", folder)
    # Discovery follows a moment after Established; and the kubectl above noted what it found before, so that the
    # first `kubectl explain ws` would say there is no such kind. `api-resources` asks anew and notes the answer.
    kinds = len(list(folder.glob("*.yaml")))
    plane.wait_until(lambda: _known(plane) >= kinds or None, what=f"it serves {kinds} kinds", within=_SERVED_WITHIN)


def grant_operator_rights(plane: ControlPlane) -> Path:
    """Give the operator exactly the rights that `deploy/` gives it, and return the kubeconfig that holds them."""
    folder = Path(__file__).resolve().parents[3] / "deploy" / "kustomize"
    for name in ("namespace", "service-account", "operator-role", "lease-role", "secret-role"):
        plane.kubectl("apply", "--server-side", "--force-conflicts", "--filename", folder / f"{name}.yaml")
    return plane.kubeconfig_for(namespace=SYSTEM_NAMESPACE, service_account="hotdesk")


def _known(plane: ControlPlane) -> int:
    listed = plane.kubectl("api-resources", f"--api-group={_GROUP}", "--no-headers", check=False)
    return len(listed.stdout.splitlines())
