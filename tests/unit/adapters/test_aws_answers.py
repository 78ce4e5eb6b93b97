"""Long answers are read leanly, and as botocore's own parser reads them."""

from datetime import UTC, datetime
from xml.parsers.expat import ExpatError

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import ResponseParserError, create_parser

from hotdesk.adapters.aws import answers, convert, lean_xml

_TWO_PAGES_OF_AWS = b"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
  <reservationSet>
    <item>
      <reservationId>r-1</reservationId><ownerId>123456789012</ownerId><groupSet/>
      <instancesSet>
        <item>
          <instanceId>i-0000000000000000a</instanceId><imageId>ami-1</imageId>
          <instanceState><code>16</code><name>running</name></instanceState>
          <privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><dnsName/><reason/>
          <instanceType>m5.large</instanceType><launchTime>2026-05-09T07:29:33.000Z</launchTime>
          <placement><availabilityZone>eu-west-1a</availabilityZone><groupName/><tenancy>default</tenancy></placement>
          <monitoring><state>disabled</state></monitoring>
          <privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>192.0.2.1</ipAddress>
          <groupSet><item><groupId>sg-1</groupId><groupName>desks</groupName></item></groupSet>
          <stateReason><code>x</code><message>y</message></stateReason>
          <tagSet>
            <item><key>Name</key><value>a &amp; b &#252; &lt;i&gt;</value></item>
            <item><key>hotdesk.dev/pool</key><value>blue</value></item>
            <item><key>empty</key><value/></item>
          </tagSet>
          <networkInterfaceSet>
            <item>
              <privateIpAddress>10.0.9.9</privateIpAddress><status>in-use</status>
              <tagSet><item><key>Name</key><value>of the interface</value></item></tagSet>
              <association><publicIp>198.51.100.1</publicIp></association>
            </item>
          </networkInterfaceSet>
          <instanceLifecycle>spot</instanceLifecycle>
        </item>
        <item>
          <instanceId>i-0000000000000000b</instanceId>
          <instanceState><code>48</code><name>terminated</name></instanceState>
          <reason>User initiated (2026-05-09 08:00:00 GMT)</reason>
          <launchTime>2026-05-09T07:29:34.000Z</launchTime>
          <placement><availabilityZone>eu-west-1b</availabilityZone></placement>
        </item>
      </instancesSet>
    </item>
    <item>
      <instancesSet>
        <item>
          <instanceId>i-0000000000000000c</instanceId>
          <instanceState><code>0</code><name>pending</name></instanceState>
        </item>
      </instancesSet>
    </item>
  </reservationSet>
  <nextToken>more==</nextToken>
</DescribeInstancesResponse>
"""

_A_GROUP_OF_AWS = b"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeAutoScalingGroupsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <DescribeAutoScalingGroupsResult>
    <AutoScalingGroups>
      <member>
        <AutoScalingGroupName>desks &amp; chairs</AutoScalingGroupName>
        <AutoScalingGroupARN>arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:x</AutoScalingGroupARN>
        <MinSize>0</MinSize><MaxSize>12</MaxSize><DesiredCapacity>3</DesiredCapacity>
        <AvailabilityZones><member>eu-west-1a</member><member>eu-west-1b</member></AvailabilityZones>
        <HealthCheckType>EC2</HealthCheckType><CreatedTime>2026-05-09T07:29:33.000Z</CreatedTime>
        <LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>1</Version></LaunchTemplate>
        <Instances>
          <member>
            <InstanceId>i-0000000000000000a</InstanceId><InstanceType>m5.large</InstanceType>
            <AvailabilityZone>eu-west-1a</AvailabilityZone><LifecycleState>InService</LifecycleState>
            <HealthStatus>Healthy</HealthStatus>
            <LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>1</Version></LaunchTemplate>
            <ProtectedFromScaleIn>true</ProtectedFromScaleIn>
          </member>
          <member>
            <InstanceId>i-0000000000000000b</InstanceId>
            <AvailabilityZone>eu-west-1b</AvailabilityZone><LifecycleState>Pending</LifecycleState>
            <HealthStatus>Unhealthy</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn>
          </member>
        </Instances>
        <SuspendedProcesses>
          <member><ProcessName>AZRebalance</ProcessName><SuspensionReason>by hand</SuspensionReason></member>
        </SuspendedProcesses>
        <Tags>
          <member>
            <Key>hotdesk.dev/pool</Key><Value>blue</Value><ResourceId>desks</ResourceId>
            <PropagateAtLaunch>true</PropagateAtLaunch>
          </member>
          <member><Key>team</Key><Value>x</Value><PropagateAtLaunch>false</PropagateAtLaunch></member>
        </Tags>
        <NewInstancesProtectedFromScaleIn>true</NewInstancesProtectedFromScaleIn>
        <CapacityRebalance>false</CapacityRebalance><MaxInstanceLifetime>86400</MaxInstanceLifetime>
        <Status>Delete in progress</Status>
      </member>
      <member>
        <AutoScalingGroupName>empty</AutoScalingGroupName><Instances/><SuspendedProcesses/><Tags/>
        <MinSize>0</MinSize><MaxSize>0</MaxSize><DesiredCapacity>0</DesiredCapacity>
      </member>
    </AutoScalingGroups>
    <NextToken>more==</NextToken>
  </DescribeAutoScalingGroupsResult>
  <ResponseMetadata><RequestId>7c6e177f-f082-11e1-ac58-3714bEXAMPLE</RequestId></ResponseMetadata>
</DescribeAutoScalingGroupsResponse>
"""


@pytest.fixture(scope="module")
def ec2():
    return boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


def test_groups_are_read_as_botocore_reads_them():
    client = boto3.client(
        "autoscaling", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    theirs = _answered(client, "DescribeAutoScalingGroups", body=_A_GROUP_OF_AWS).describe_auto_scaling_groups()
    answers.read_auto_scaling_leanly(client)
    ours = client.describe_auto_scaling_groups()
    found = convert.groups_of(ours)
    assert found == convert.groups_of(theirs)
    assert set(found) == {"desks & chairs", "empty"}
    assert [member.protected for member in found["desks & chairs"].members.values()] == [True, False]
    assert ours["NextToken"] == theirs["NextToken"] == "more=="
    assert "AvailabilityZones" not in ours["AutoScalingGroups"][0]


def test_number_that_is_none_is_an_error_of_botocore():
    client = boto3.client(
        "autoscaling", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    answers.read_auto_scaling_leanly(client)
    body = _A_GROUP_OF_AWS.replace(b"<MinSize>0<", b"<MinSize>none<")
    with pytest.raises(ValueError, match="none"):
        _answered(client, "DescribeAutoScalingGroups", body=body).describe_auto_scaling_groups()


def test_it_reads_what_botocore_reads(ec2):
    model = ec2.meta.service_model
    shape = model.operation_model("DescribeInstances").output_shape
    theirs = create_parser(model.resolved_protocol).parse(
        {"status_code": 200, "headers": {}, "body": _TWO_PAGES_OF_AWS}, shape
    )
    ours = lean_xml.parse(_TWO_PAGES_OF_AWS, answers.INSTANCES)
    assert convert.instances_of(ours) == convert.instances_of(theirs)
    assert len(convert.instances_of(ours)) == 3
    assert ours["NextToken"] == theirs["NextToken"] == "more=="


def test_pieces_of_any_size_read_the_same(monkeypatch: pytest.MonkeyPatch):
    whole = lean_xml.parse(_TWO_PAGES_OF_AWS, answers.INSTANCES)
    monkeypatch.setattr(lean_xml, "_PIECE", 7)
    assert lean_xml.parse(_TWO_PAGES_OF_AWS, answers.INSTANCES) == whole


def test_absent_fields_of_one_instance_are_not_those_of_another():
    found = convert.instances_of(lean_xml.parse(_TWO_PAGES_OF_AWS, answers.INSTANCES))
    last = found["i-0000000000000000c"]
    assert (last.private_ip, last.zone, last.launched_at, last.tags, last.spot) == (None, "", None, {}, False)
    assert found["i-0000000000000000a"].launched_at == datetime(2026, 5, 9, 7, 29, 33, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"", b"<html><p>oops</html>", _TWO_PAGES_OF_AWS[:-40]])
def test_broken_xml_is_an_error(body: bytes):
    with pytest.raises(ExpatError):
        lean_xml.parse(body, answers.INSTANCES)


def answer_with(client, *, status: int, body: bytes):
    return _answered(client, "DescribeInstances", status=status, body=body)


def _answered(client, operation: str, *, body: bytes, status: int = 200):
    """Let the client take `body` for the answer to whatever it sends."""
    response = AWSResponse("http://aws", status, {}, None)
    response._content = body
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{service}.{operation}", lambda **_: response)
    return client


@pytest.fixture
def lean():
    client = boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    answers.read_ec2_leanly(client)
    return client


def test_client_reads_leanly(lean):
    answer = answer_with(lean, status=200, body=_TWO_PAGES_OF_AWS).describe_instances()
    assert len(convert.instances_of(answer)) == 3
    assert answer["NextToken"] == "more=="
    assert "ImageId" not in answer["Reservations"][0]["Instances"][0]


def test_errors_are_left_to_botocore(lean):
    body = (
        b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>"
    )
    with pytest.raises(lean.exceptions.ClientError, match="UnauthorizedOperation"):
        answer_with(lean, status=403, body=body).describe_instances()


def test_unreadable_answer_is_an_error_of_botocore(lean):
    with pytest.raises(ResponseParserError):
        answer_with(lean, status=200, body=_TWO_PAGES_OF_AWS[:-40]).describe_instances()
