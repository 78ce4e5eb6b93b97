"""Launch templates of the simulated AWS: versions, defaults, and what groups launch from them."""

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import Cloud


def test_a_group_follows_the_latest_version_at_each_launch(cloud: Cloud):
    template = cloud.template(
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "blue"}]}],
    )
    group = cloud.group(desired=1, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
    (first,) = cloud.members(group)
    assert cloud.tags(first)["team"] == "blue"
    cloud.ec2.create_launch_template_version(
        LaunchTemplateId=template,
        SourceVersion="1",
        LaunchTemplateData={"InstanceType": "m5.xlarge"},
    )
    cloud.desire(group, 2)
    (second,) = set(cloud.in_service(group, 2)) - {first}
    assert cloud.instance(first)["InstanceType"] == "t3.large"
    assert cloud.instance(second)["InstanceType"] == "m5.xlarge"
    assert cloud.tags(second)["team"] == "blue"
    assert cloud.members(group)[second]["LaunchTemplate"]["Version"] == "2"


def test_the_default_version_moves_only_when_told(cloud: Cloud):
    template = cloud.template()
    cloud.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "c5.large"})
    (shown,) = cloud.ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"]
    assert (shown["DefaultVersionNumber"], shown["LatestVersionNumber"]) == (1, 2)
    cloud.ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
    (default,) = cloud.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Default"])[
        "LaunchTemplateVersions"
    ]
    assert default["LaunchTemplateData"] == {"InstanceType": "c5.large"}


def test_what_a_template_holds_is_shown_as_it_was_given(cloud: Cloud):
    given = {
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeType": "gp3"}}],
        "UserData": "IyEvYmluL3NoCg==",
    }
    template = cloud.template(**given)
    (version,) = cloud.ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    assert given.items() <= version["LaunchTemplateData"].items()


def test_names_are_taken_once_and_unknown_ones_are_refused(cloud: Cloud):
    data = {"ImageId": cloud.aws.ready.image}
    cloud.ec2.create_launch_template(LaunchTemplateName="taken", LaunchTemplateData=data)
    refused = []
    for call in (
        lambda: cloud.ec2.create_launch_template(LaunchTemplateName="taken", LaunchTemplateData=data),
        lambda: cloud.ec2.describe_launch_templates(LaunchTemplateNames=["nobody"]),
        lambda: cloud.ec2.describe_launch_templates(LaunchTemplateIds=["lt-0123456789abcdef0"]),
        lambda: cloud.group(LaunchTemplate={"LaunchTemplateName": "nobody", "Version": "$Latest"}),
    ):
        with pytest.raises(ClientError) as error:
            call()
        refused.append(error.value.response["Error"]["Code"])
    assert refused == [
        "InvalidLaunchTemplateName.AlreadyExistsException",
        "InvalidLaunchTemplateName.NotFoundException",
        "InvalidLaunchTemplateId.NotFound",
        "ValidationError",
    ]
