"""The lean parser reads what botocore's own parser reads."""

from datetime import UTC, datetime
from xml.parsers.expat import ExpatError

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import ResponseParserError, create_parser

from hotdesk.adapters.aws import convert, instances_xml

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


@pytest.fixture(scope="module")
def ec2():
    return boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


def test_it_reads_what_botocore_reads(ec2):
    model = ec2.meta.service_model
    shape = model.operation_model("DescribeInstances").output_shape
    theirs = create_parser(model.resolved_protocol).parse(
        {"status_code": 200, "headers": {}, "body": _TWO_PAGES_OF_AWS}, shape
    )
    ours = instances_xml.parse(_TWO_PAGES_OF_AWS)
    assert convert.instances_of(ours) == convert.instances_of(theirs)
    assert len(convert.instances_of(ours)) == 3
    assert ours["NextToken"] == theirs["NextToken"] == "more=="


def test_pieces_of_any_size_read_the_same(monkeypatch: pytest.MonkeyPatch):
    whole = instances_xml.parse(_TWO_PAGES_OF_AWS)
    monkeypatch.setattr(instances_xml, "_PIECE", 7)
    assert instances_xml.parse(_TWO_PAGES_OF_AWS) == whole


def test_absent_fields_of_one_instance_are_not_those_of_another():
    found = convert.instances_of(instances_xml.parse(_TWO_PAGES_OF_AWS))
    last = found["i-0000000000000000c"]
    assert (last.private_ip, last.zone, last.launched_at, last.tags, last.spot) == (None, "", None, {}, False)
    assert found["i-0000000000000000a"].launched_at == datetime(2026, 5, 9, 7, 29, 33, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"", b"<html><p>oops</html>", _TWO_PAGES_OF_AWS[:-40]])
def test_broken_xml_is_an_error(body: bytes):
    with pytest.raises(ExpatError):
        instances_xml.parse(body)


def answer_with(client, *, status: int, body: bytes):
    """Let the client take `body` for the answer to whatever it sends."""
    response = AWSResponse("http://aws", status, {}, None)
    response._content = body
    client.meta.events.register("before-send.ec2.DescribeInstances", lambda **_: response)
    return client


@pytest.fixture
def lean():
    client = boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    instances_xml.read_leanly(client)
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
