"""EC2 instances of the simulated AWS: states, addresses, tags, filters, pages, protection, consistency."""

import pytest
from botocore.exceptions import ClientError

from component.simulated_cloud import NEVER, Cloud
from waiting import wait_for

UNKNOWN = "i-0123456789abcdef0"


def run(cloud: Cloud, number: int = 1, **more) -> list[str]:
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=number, MaxCount=number, **more)
    ids = [instance["InstanceId"] for instance in made["Instances"]]
    for instance_id in ids:
        cloud.until_state(instance_id, "running")
    return ids


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_stop_and_start_keep_the_private_and_change_the_public_address(cloud: Cloud):
    (machine,) = run(cloud)
    before = cloud.instance(machine)
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    stopped = cloud.instance(machine)
    assert "PublicIpAddress" not in stopped
    assert stopped["PrivateIpAddress"] == before["PrivateIpAddress"]
    cloud.ec2.start_instances(InstanceIds=[machine])
    cloud.until_state(machine, "running")
    after = cloud.instance(machine)
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert after["PublicIpAddress"] != before["PublicIpAddress"]


def test_states_in_passing_take_their_time_and_refuse_the_opposite(cloud: Cloud):
    (machine,) = run(cloud)
    cloud.configure(stop=NEVER)
    answer = cloud.ec2.stop_instances(InstanceIds=[machine])["StoppingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("running", "stopping")
    with pytest.raises(ClientError) as refused:
        cloud.ec2.start_instances(InstanceIds=[machine])
    assert code(refused) == "IncorrectInstanceState"
    assert f"The instance '{machine}' is not in a state from which it can be started." in str(refused.value)
    cloud.configure(stop=0)
    cloud.until_state(machine, "stopped")


def test_a_terminated_machine_stays_visible_and_cannot_be_started(cloud: Cloud):
    (machine,) = run(cloud)
    cloud.ec2.terminate_instances(InstanceIds=[machine])
    cloud.until_state(machine, "terminated")
    for call in (cloud.ec2.start_instances, cloud.ec2.stop_instances):
        with pytest.raises(ClientError) as refused:
            call(InstanceIds=[machine])
        assert code(refused) == "IncorrectInstanceState"
    assert cloud.ec2.terminate_instances(InstanceIds=[machine])["TerminatingInstances"]  # again is no error


def test_a_terminated_machine_is_forgotten_after_a_while(cloud: Cloud):
    (machine,) = run(cloud)
    cloud.ec2.terminate_instances(InstanceIds=[machine])
    cloud.until_state(machine, "terminated")
    cloud.configure(forget=0)
    wait_for(
        lambda: (
            not cloud.ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [machine]}])["Reservations"]
        ),
        what="it is forgotten",
    )


def test_protected_machines_are_not_terminated_and_their_zone_is_spared(cloud: Cloud):
    here, there = cloud.aws.ready.subnets
    guarded, beside = run(cloud, 2, SubnetId=here)
    (elsewhere,) = run(cloud, SubnetId=there)
    cloud.ec2.modify_instance_attribute(InstanceId=guarded, DisableApiTermination={"Value": True})
    with pytest.raises(ClientError) as refused:
        cloud.ec2.terminate_instances(InstanceIds=[guarded, beside, elsewhere])
    assert code(refused) == "OperationNotPermitted"
    cloud.until_state(elsewhere, "terminated")
    assert cloud.state(guarded) == cloud.state(beside) == "running"
    attribute = cloud.ec2.describe_instance_attribute(InstanceId=guarded, Attribute="disableApiTermination")
    assert attribute["DisableApiTermination"]["Value"] is True


def test_stop_protection_refuses_a_stop(cloud: Cloud):
    (machine,) = run(cloud)
    cloud.ec2.modify_instance_attribute(InstanceId=machine, DisableApiStop={"Value": True})
    with pytest.raises(ClientError) as refused:
        cloud.ec2.stop_instances(InstanceIds=[machine])
    assert code(refused) == "OperationNotPermitted"
    assert cloud.state(machine) == "running"


def test_spot_machines_cannot_be_stopped(cloud: Cloud):
    template = {"LaunchTemplateId": cloud.template(), "Version": "$Latest"}
    group = cloud.group(
        desired=1,
        MixedInstancesPolicy={
            "LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": [{"InstanceType": "m5.xlarge"}]},
            "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0},
        },
    )
    (machine,) = cloud.members(group)
    assert cloud.instance(machine)["InstanceLifecycle"] == "spot"
    assert cloud.instance(machine)["InstanceType"] == "m5.xlarge"
    with pytest.raises(ClientError, match="You can't stop the Spot Instance") as refused:
        cloud.ec2.stop_instances(InstanceIds=[machine])
    assert code(refused) == "UnsupportedOperation"


def test_tags_of_unknown_reserved_or_too_many_are_refused(cloud: Cloud):
    (machine,) = run(cloud)
    for resource, tags, expected in (
        (UNKNOWN, {"a": "b"}, "InvalidInstanceID.NotFound"),
        (machine, {"aws:a": "b"}, "InvalidParameterValue"),
        (machine, {f"k{n}": "v" for n in range(51)}, "TagLimitExceeded"),
        (machine, {"k" * 128: "v"}, "InvalidParameterValue"),
        (machine, {"k": "v" * 257}, "InvalidParameterValue"),
    ):
        with pytest.raises(ClientError) as refused:
            cloud.ec2.create_tags(Resources=[resource], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        assert code(refused) == expected
    assert cloud.tags(machine) == {}


def test_one_unknown_id_tags_nobody(cloud: Cloud):
    (machine,) = run(cloud)
    with pytest.raises(ClientError):
        cloud.ec2.create_tags(Resources=[machine, UNKNOWN], Tags=[{"Key": "a", "Value": "b"}])
    assert cloud.tags(machine) == {}


def test_tags_are_written_found_and_removed(cloud: Cloud):
    machine, other = run(cloud, 2)
    cloud.ec2.create_tags(Resources=[machine, other], Tags=[{"Key": "owner", "Value": "ann <&>"}])
    cloud.ec2.delete_tags(Resources=[other], Tags=[{"Key": "owner"}])
    assert found(cloud, {"tag:owner": ["ann <&>"]}) == [machine]
    tags = cloud.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [machine]}])["Tags"]
    assert [(t["Key"], t["Value"], t["ResourceType"]) for t in tags] == [("owner", "ann <&>", "instance")]


def test_tags_of_other_resources_go_where_they_live(cloud: Cloud):
    subnet = cloud.aws.ready.subnets[0]
    cloud.ec2.create_tags(Resources=[subnet], Tags=[{"Key": "purpose", "Value": "desks"}])
    (shown,) = cloud.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert {"Key": "purpose", "Value": "desks"} in shown["Tags"]


def found(cloud: Cloud, filters: dict[str, list[str]]) -> list[str]:
    pages = cloud.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": name, "Values": values} for name, values in filters.items()],
    )
    return [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]


def test_filters_are_and_between_and_or_within(cloud: Cloud):
    machine, other = run(
        cloud, 2, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b1"}]}]
    )
    cloud.ec2.stop_instances(InstanceIds=[other])
    cloud.until_state(other, "stopped")
    assert set(found(cloud, {"tag:a": ["b1"]})) == {machine, other}
    assert found(cloud, {"tag:a": ["b1", "c"], "instance-state-name": ["running", "pending"]}) == [machine]
    assert set(found(cloud, {"tag:a": ["b*"]})) == {machine, other}
    assert found(cloud, {"instance-id": [machine, UNKNOWN]}) == [machine]
    assert found(cloud, {"tag:a": ["B1"]}) == []
    with pytest.raises(ClientError, match="The filter 'nonsense' is invalid"):
        found(cloud, {"nonsense": ["x"]})


def test_one_unknown_id_fails_a_describe_by_id(cloud: Cloud):
    (machine,) = run(cloud)
    with pytest.raises(ClientError) as refused:
        cloud.ec2.describe_instances(InstanceIds=[machine, UNKNOWN])
    assert code(refused) == "InvalidInstanceID.NotFound"


def test_describe_instances_is_paged(cloud: Cloud):
    ids = run(cloud, 12)
    pages = list(
        cloud.ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": ["running"]}],
            PaginationConfig={"PageSize": 5},
        ),
    )
    assert [len(page["Reservations"]) for page in pages] == [5, 5, 2]
    assert [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]] == ids


def test_without_a_page_size_a_page_holds_a_thousand(cloud: Cloud):
    group = cloud.group(maximum=1100)
    cloud.desire(group, 1010)
    cloud.in_service(group, 1010)
    filters = [{"Name": "instance-state-name", "Values": ["running"]}]
    page = cloud.ec2.describe_instances(Filters=filters)
    assert len(page["Reservations"]) == 1000
    rest = cloud.ec2.describe_instances(Filters=filters, NextToken=page["NextToken"])
    assert len(rest["Reservations"]) == 10
    assert "NextToken" not in rest


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"MaxResults": 4}, "InvalidParameterValue"),
        ({"MaxResults": 1001}, "InvalidParameterValue"),
        ({"MaxResults": 5, "InstanceIds": [UNKNOWN]}, "InvalidParameterCombination"),
        ({"NextToken": "not one of ours"}, "InvalidNextToken"),
        ({"InstanceIds": ["vol-1"]}, "InvalidInstanceID.Malformed"),
    ],
)
def test_bad_pages_are_refused(cloud: Cloud, params, expected):
    with pytest.raises(ClientError) as refused:
        cloud.ec2.describe_instances(**params)
    assert code(refused) == expected


def test_a_new_machine_is_unknown_to_ec2_for_a_moment(cloud: Cloud):
    cloud.configure(consistency=NEVER)
    group = cloud.group(desired=1)
    (machine,) = cloud.members(group)
    for call in (
        lambda: cloud.ec2.describe_instances(InstanceIds=[machine]),
        lambda: cloud.ec2.terminate_instances(InstanceIds=[machine]),
        lambda: cloud.ec2.create_tags(Resources=[machine], Tags=[{"Key": "a", "Value": "b"}]),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert code(refused) == "InvalidInstanceID.NotFound"
    assert machine not in found(cloud, {"instance-state-name": ["running"]})
    cloud.configure(consistency=0)
    assert found(cloud, {"instance-state-name": ["running"]}) == [machine]


def test_a_client_token_launches_once(cloud: Cloud):
    first = run(cloud, ClientToken="once")
    assert run(cloud, ClientToken="once") == first


def test_no_capacity_refuses_a_start(cloud: Cloud):
    (machine,) = run(cloud)
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    cloud.configure(capacity=0)
    with pytest.raises(ClientError) as refused:
        cloud.ec2.start_instances(InstanceIds=[machine])
    assert code(refused) == "InsufficientInstanceCapacity"
    assert cloud.state(machine) == "stopped"


def test_roles_are_assumed_signed_and_unsigned(cloud: Cloud):
    sts = cloud.client("sts")
    role = "arn:aws:iam::123456789012:role/hotdesk"
    signed = sts.assume_role(RoleArn=role, RoleSessionName="one")
    unsigned = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="two", WebIdentityToken="token")
    assert signed["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/hotdesk/one"
    assert unsigned["Credentials"]["AccessKeyId"] != signed["Credentials"]["AccessKeyId"]
    assert unsigned["Credentials"]["Expiration"].timestamp() > cloud.sim("calls")["calls"][-1]["time"] + 3000
    sts.close()


def test_other_services_and_the_network_answer(cloud: Cloud):
    ready = cloud.aws.ready
    subnets = cloud.ec2.describe_subnets(SubnetIds=list(ready.subnets))["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    (vpc,) = cloud.ec2.describe_vpcs(VpcIds=[subnets[0]["VpcId"]])["Vpcs"]
    assert vpc["CidrBlock"] == ready.network
    sts, s3 = cloud.client("sts"), cloud.client("s3")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    s3.create_bucket(Bucket="archive", CreateBucketConfiguration={"LocationConstraint": ready.region})
    s3.put_object(Bucket="archive", Key="a/b.tar", Body=b"\x00\xff" * 5000)
    assert s3.get_object(Bucket="archive", Key="a/b.tar")["Body"].read() == b"\x00\xff" * 5000


def test_a_dry_run_changes_nothing(cloud: Cloud):
    (machine,) = run(cloud)
    with pytest.raises(ClientError) as refused:
        cloud.ec2.terminate_instances(InstanceIds=[machine], DryRun=True)
    assert code(refused) == "DryRunOperation"
    assert cloud.state(machine) == "running"


def test_an_action_moto_does_not_know_is_refused_in_aws_words(cloud: Cloud):
    with pytest.raises(ClientError) as refused:
        cloud.ec2.describe_fast_launch_images()
    assert code(refused) == "InvalidAction"
