"""Launch templates: kept as they were given, numbered, and read whenever a group launches."""

from collections.abc import Iterable, Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.ebs_disks import read_disks
from hotdesk_local.aws.errors import AwsError, validation
from hotdesk_local.aws.filters import wanted
from hotdesk_local.aws.model import LaunchSpec, LaunchTemplate, Params, TemplateVersion
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.world import ACCOUNT, Handler, World

PAGE = 200
DEFAULT_TYPE = "m1.small"
"""EC2's own default (API reference, RunInstances)."""
CREATOR = f"arn:aws:iam::{ACCOUNT}:root"


def read_template(templates: Mapping[str, LaunchTemplate], settings: Params) -> LaunchSpec:
    """Resolve the LaunchTemplate or MixedInstancesPolicy of a group, or the LaunchTemplate of RunInstances."""
    mixed: Params = settings.get("MixedInstancesPolicy") or {}
    inner: Params = mixed.get("LaunchTemplate") or {}
    named: Params = settings.get("LaunchTemplate") or inner.get("LaunchTemplateSpecification") or {}
    overrides: list[Params] = inner.get("Overrides") or [{}]
    template = _find(templates, named)
    if template is None:
        name = named.get("LaunchTemplateId") or named.get("LaunchTemplateName")
        raise validation(
            "You must use a valid fully-formed launch template. The specified launch template, with template "
            f"{'ID' if 'LaunchTemplateId' in named else 'name'} {name}, does not exist.",
        )
    version = _version(template, str(named.get("Version") or "$Default"))
    data = version.data
    return LaunchSpec(
        image=str(data.get("ImageId", "")),
        instance_type=str(overrides[0].get("InstanceType") or data.get("InstanceType") or DEFAULT_TYPE),
        tags=read_tags(data.get("TagSpecifications", []), of="instance"),
        volume_tags=read_tags(data.get("TagSpecifications", []), of="volume"),
        disks=read_disks(data.get("BlockDeviceMappings", [])),
        spot=_is_spot(mixed, data),
        key_name=data.get("KeyName"),
        template={
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": str(version.number),
        },
    )


def _create(world: World, params: Params, call: Call) -> Params:
    name: str = params["LaunchTemplateName"]
    if any(template.name == name for template in world.templates.values()):
        raise AwsError(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            f"Launch template name {name} already in use.",
        )
    template = LaunchTemplate(
        id=world.fleet.new_id("lt"),
        name=name,
        created=call.time,
        tags=read_tags(params.get("TagSpecifications", []), of="launch-template"),
        versions=[_numbered(1, params, call)],
    )
    world.templates[template.id] = template
    return {"LaunchTemplate": _shown(template)}


def _create_version(world: World, params: Params, call: Call) -> Params:
    template = _known(world, params)
    version = _numbered(len(template.versions) + 1, params, call)
    source = params.get("SourceVersion")
    if source is not None:
        version.data = {**_version(template, source).data, **version.data}
    template.versions.append(version)
    return {"LaunchTemplateVersion": _shown_version(template, version)}


def _modify(world: World, params: Params, _call: Call) -> Params:
    template = _known(world, params)
    template.default = _version(template, params["DefaultVersion"]).number
    return {"LaunchTemplate": _shown(template)}


def _delete(world: World, params: Params, _call: Call) -> Params:
    template = _known(world, params)
    del world.templates[template.id]
    return {"LaunchTemplate": _shown(template)}


def _describe(world: World, params: Params, _call: Call) -> Params:
    ids, names = params.get("LaunchTemplateIds", []), params.get("LaunchTemplateNames", [])
    for one in [*({"LaunchTemplateId": i} for i in ids), *({"LaunchTemplateName": n} for n in names)]:
        _known(world, one)
    fields = {"launch-template-name": "LaunchTemplateName", "launch-template-id": "LaunchTemplateId"}
    tests = [(str(f["Name"]), wanted(f.get("Values", []))) for f in params.get("Filters", [])]
    chosen = (t for t in world.templates.values() if (not ids and not names) or t.id in ids or t.name in names)
    found, token = page(
        sorted(
            (
                t
                for t in chosen
                if all(
                    fits(t.tags.get(name.removeprefix("tag:")))
                    if name.startswith("tag:")
                    else fits(_shown(t).get(fields.get(name, "")))
                    for name, fits in tests
                )
            ),
            key=lambda t: t.id,
        ),
        size=params.get("MaxResults") or PAGE,
        token=params.get("NextToken"),
        place=lambda t: t.id,
    )
    return {"LaunchTemplates": [_shown(t) for t in found], "NextToken": token}


def _describe_versions(world: World, params: Params, _call: Call) -> Params:
    template = _known(world, params)
    numbers = {_version(template, one).number for one in params.get("Versions", [])}
    found = [v for v in template.versions if not numbers or v.number in numbers]
    return {"LaunchTemplateVersions": [_shown_version(template, v) for v in found]}


def _known(world: World, params: Params) -> LaunchTemplate:
    template = _find(world.templates, params)
    if template is not None:
        return template
    if "LaunchTemplateId" in params:
        raise AwsError(
            "InvalidLaunchTemplateId.NotFound",
            f"The specified launch template, with template ID {params['LaunchTemplateId']}, does not exist.",
        )
    raise AwsError(
        "InvalidLaunchTemplateName.NotFoundException",
        f"The specified launch template, with template name {params.get('LaunchTemplateName')}, does not exist.",
    )


def _find(templates: Mapping[str, LaunchTemplate], named: Params) -> LaunchTemplate | None:
    if "LaunchTemplateId" in named:
        return templates.get(named["LaunchTemplateId"])
    return next((t for t in templates.values() if t.name == named.get("LaunchTemplateName")), None)


def _version(template: LaunchTemplate, asked: str) -> TemplateVersion:
    number = {"$Latest": template.versions[-1].number, "$Default": template.default}.get(asked, asked)
    for version in template.versions:
        if str(version.number) == str(number):
            return version
    raise AwsError(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find launch template version {asked} for the launch template {template.id}.",
    )


def _numbered(number: int, params: Params, call: Call) -> TemplateVersion:
    return TemplateVersion(
        number=number,
        created=call.time,
        description=params.get("VersionDescription"),
        data=params["LaunchTemplateData"],
    )


def _shown(template: LaunchTemplate) -> Params:
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "CreateTime": moment(template.created),
        "CreatedBy": CREATOR,
        "DefaultVersionNumber": template.default,
        "LatestVersionNumber": template.versions[-1].number,
        "Tags": [{"Key": key, "Value": value} for key, value in template.tags.items()],
    }


def _shown_version(template: LaunchTemplate, version: TemplateVersion) -> Params:
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "VersionNumber": version.number,
        "VersionDescription": version.description,
        "CreateTime": moment(version.created),
        "CreatedBy": CREATOR,
        "DefaultVersion": version.number == template.default,
        "LaunchTemplateData": version.data,
    }


def read_tags(specifications: Iterable[Params], *, of: str) -> dict[str, str]:
    """Return the tags that TagSpecifications give to one type of resource."""
    return {t["Key"]: t["Value"] for s in specifications if s.get("ResourceType") == of for t in s.get("Tags", [])}


def _is_spot(mixed: Params, data: Params) -> bool:
    if data.get("InstanceMarketOptions", {}).get("MarketType") == "spot":
        return True
    distribution: Params = mixed.get("InstancesDistribution") or {}
    return bool(
        mixed
        and distribution.get("OnDemandPercentageAboveBaseCapacity", 100) == 0
        and not distribution.get("OnDemandBaseCapacity", 0),
    )


ACTIONS: Mapping[str, Handler] = {
    "CreateLaunchTemplate": _create,
    "CreateLaunchTemplateVersion": _create_version,
    "ModifyLaunchTemplate": _modify,
    "DeleteLaunchTemplate": _delete,
    "DescribeLaunchTemplates": _describe,
    "DescribeLaunchTemplateVersions": _describe_versions,
}
