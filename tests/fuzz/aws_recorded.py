"""Answers as AWS sends them, to be bent: of each operation that reads, and two errors."""

import re

RUNNING, STOPPED, PENDING = (f"i-{number:017x}" for number in (10, 11, 12))

INSTANCES = f"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
  <reservationSet>
    <item>
      <reservationId>r-1</reservationId><groupSet/>
      <instancesSet>
        <item>
          <instanceId>{RUNNING}</instanceId>
          <instanceState><code>16</code><name>running</name></instanceState>
          <instanceType>m5.large</instanceType><launchTime>2026-05-09T07:29:33.000Z</launchTime>
          <placement><availabilityZone>eu-west-1a</availabilityZone><tenancy>default</tenancy></placement>
          <privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>192.0.2.1</ipAddress>
          <tagSet>
            <item><key>hotdesk.dev/pool</key><value>blue</value></item>
            <item><key>Name</key><value>a &amp; b</value></item>
          </tagSet>
          <instanceLifecycle>spot</instanceLifecycle>
        </item>
        <item>
          <instanceId>{STOPPED}</instanceId>
          <instanceState><code>80</code><name>stopped</name></instanceState>
          <launchTime>2026-05-09T07:29:34.000Z</launchTime>
          <placement><availabilityZone>eu-west-1b</availabilityZone></placement>
        </item>
      </instancesSet>
    </item>
    <item>
      <instancesSet>
        <item>
          <instanceId>{PENDING}</instanceId>
          <instanceState><code>0</code><name>pending</name></instanceState>
        </item>
      </instancesSet>
    </item>
  </reservationSet>
</DescribeInstancesResponse>"""

GROUPS = f"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeAutoScalingGroupsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <DescribeAutoScalingGroupsResult>
    <AutoScalingGroups>
      <member>
        <AutoScalingGroupName>desks</AutoScalingGroupName>
        <MinSize>0</MinSize><MaxSize>12</MaxSize><DesiredCapacity>3</DesiredCapacity>
        <AvailabilityZones><member>eu-west-1a</member><member>eu-west-1b</member></AvailabilityZones>
        <HealthCheckType>EC2,ELB</HealthCheckType><CreatedTime>2026-05-09T07:29:33.000Z</CreatedTime>
        <Instances>
          <member>
            <InstanceId>{RUNNING}</InstanceId><InstanceType>m5.large</InstanceType>
            <AvailabilityZone>eu-west-1a</AvailabilityZone><LifecycleState>InService</LifecycleState>
            <HealthStatus>Healthy</HealthStatus><ProtectedFromScaleIn>true</ProtectedFromScaleIn>
          </member>
          <member>
            <InstanceId>{STOPPED}</InstanceId>
            <AvailabilityZone>eu-west-1b</AvailabilityZone><LifecycleState>InService</LifecycleState>
            <HealthStatus>Unhealthy</HealthStatus><ProtectedFromScaleIn>true</ProtectedFromScaleIn>
          </member>
          <member>
            <InstanceId>{PENDING}</InstanceId>
            <AvailabilityZone>eu-west-1b</AvailabilityZone><LifecycleState>Pending:Wait</LifecycleState>
            <HealthStatus>Healthy</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn>
          </member>
        </Instances>
        <SuspendedProcesses>
          <member><ProcessName>AZRebalance</ProcessName><SuspensionReason>by hand</SuspensionReason></member>
        </SuspendedProcesses>
        <Tags>
          <member><Key>hotdesk.dev/pool</Key><Value>blue</Value><PropagateAtLaunch>true</PropagateAtLaunch></member>
        </Tags>
        <NewInstancesProtectedFromScaleIn>true</NewInstancesProtectedFromScaleIn>
        <CapacityRebalance>false</CapacityRebalance><MaxInstanceLifetime>86400</MaxInstanceLifetime>
      </member>
    </AutoScalingGroups>
  </DescribeAutoScalingGroupsResult>
  <ResponseMetadata><RequestId>7c6e177f-f082-11e1-ac58-3714bEXAMPLE</RequestId></ResponseMetadata>
</DescribeAutoScalingGroupsResponse>"""

ACTIVITIES = """<?xml version="1.0" encoding="UTF-8"?>
<DescribeScalingActivitiesResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <DescribeScalingActivitiesResult>
    <Activities>
      <member>
        <ActivityId>a-1</ActivityId><AutoScalingGroupName>desks</AutoScalingGroupName>
        <StartTime>2026-05-09T07:29:33.000Z</StartTime><StatusCode>Failed</StatusCode><Progress>100</Progress>
        <Description>Launching a new EC2 instance. Status Reason: no capacity</Description>
        <StatusMessage>We currently do not have sufficient m5.large capacity in the zone.</StatusMessage>
      </member>
      <member>
        <ActivityId>a-2</ActivityId><AutoScalingGroupName>desks</AutoScalingGroupName>
        <StartTime>2026-05-09T07:29:32.000Z</StartTime><StatusCode>Successful</StatusCode><Progress>100</Progress>
        <Description>Launching a new EC2 instance: i-1</Description>
      </member>
    </Activities>
  </DescribeScalingActivitiesResult>
  <ResponseMetadata><RequestId>7c6e177f</RequestId></ResponseMetadata>
</DescribeScalingActivitiesResponse>"""

POLICIES = """<?xml version="1.0" encoding="UTF-8"?>
<DescribePoliciesResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <DescribePoliciesResult>
    <ScalingPolicies>
      <member><PolicyName>by-cpu</PolicyName><PolicyType>Step</PolicyType><Enabled>true</Enabled></member>
    </ScalingPolicies>
  </DescribePoliciesResult>
  <ResponseMetadata><RequestId>7c6e177f</RequestId></ResponseMetadata>
</DescribePoliciesResponse>"""

EC2_ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors>
<RequestID>8f7724cf</RequestID></Response>"""

AUTO_SCALING_ERROR = """<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <Error>
    <Type>Sender</Type><Code>ValidationError</Code><Message>AutoScalingGroup name not found - null</Message>
  </Error>
  <RequestId>7c6e177f</RequestId>
</ErrorResponse>"""


def local(tag: str) -> str:
    """Return an element's name without its namespace."""
    return re.sub(r"{.*}", "", tag)
