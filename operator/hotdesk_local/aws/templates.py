"""Launch templates live in moto; this reads what a launch needs from them."""

from typing import Any

from hotdesk_local.aws.errors import AwsError, validation
from hotdesk_local.aws.model import LaunchSpec, Params


def read_template(settings: Params, *, backend: Any) -> LaunchSpec:
    """Resolve a group's LaunchTemplate or MixedInstancesPolicy against moto's EC2 backend."""
    mixed: Params = settings.get("MixedInstancesPolicy") or {}
    wanted: Params = settings.get("LaunchTemplate") or mixed.get("LaunchTemplate", {}).get(
        "LaunchTemplateSpecification"
    )
    overrides: list[Params] = mixed.get("LaunchTemplate", {}).get("Overrides") or [{}]
    template = _find(wanted, backend=backend)
    version = _version(template, str(wanted.get("Version") or "$Default"))
    data: Params = version.data
    return LaunchSpec(
        image=str(data.get("ImageId", "")),
        instance_type=str(overrides[0].get("InstanceType") or data.get("InstanceType") or "m1.small"),
        tags=dict(version.instance_tags),
        spot=_is_spot(mixed, data),
        key_name=data.get("KeyName"),
        template={
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": str(version.number),
        },
    )


def _find(wanted: Params, *, backend: Any) -> Any:
    identity, name = wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName")
    for template in backend.launch_templates.values():
        if template.id == identity or template.name == name:
            return template
    raise validation(
        f"You must use a valid fully-formed launch template. The specified launch template, with template ID "
        f"{identity}, does not exist."
        if identity
        else f"You must use a valid fully-formed launch template. The specified launch template, with template name "
        f"{name}, does not exist.",
    )


def _version(template: Any, wanted: str) -> Any:
    if wanted == "$Latest":
        return template.latest_version()
    if wanted == "$Default":
        return template.default_version()
    for version in template.versions:
        if str(version.number) == wanted:
            return version
    raise AwsError(
        "ValidationError",
        f"You must use a valid fully-formed launch template. Could not find launch template version {wanted} for the "
        f"launch template {template.id}.",
    )


def _is_spot(mixed: Params, data: Params) -> bool:
    if data.get("InstanceMarketOptions", {}).get("MarketType") == "spot":
        return True
    distribution: Params = mixed.get("InstancesDistribution") or {}
    return bool(
        mixed
        and distribution.get("OnDemandPercentageAboveBaseCapacity", 100) == 0
        and not distribution.get("OnDemandBaseCapacity", 0),
    )
