#!/bin/sh
# Makes the queue that a MachinePool names in spec.aws.interruptionQueue, and has EventBridge write to it. Safe to run
# again: what exists already stays as it is. Needs the AWS CLI with rights on SQS and EventBridge.
#
#     ./interruptions.sh REGION [NAME]
set -eu

region=${1:?usage: interruptions.sh REGION [NAME]}
name=${2:-hotdesk-interruptions}
account=$(aws sts get-caller-identity --query Account --output text)
queue="arn:aws:sqs:$region:$account:$name"

# Here a person finds what nobody could read: a fortnight, SQS's longest.
aws sqs create-queue --region "$region" --queue-name "$name-unread" \
    --attributes MessageRetentionPeriod=1209600,SqsManagedSseEnabled=true >/dev/null

# A message is hidden for 20 s while it is handled, and comes again if it was not. After ten times it is put aside.
# What was announced an hour ago has happened: looks at EC2 have shown it long since.
attributes=$(cat <<EOF
{
  "MessageRetentionPeriod": "3600",
  "ReceiveMessageWaitTimeSeconds": "20",
  "SqsManagedSseEnabled": "true",
  "RedrivePolicy": "{\"deadLetterTargetArn\":\"$queue-unread\",\"maxReceiveCount\":10}",
  "Policy": "{\"Version\":\"2012-10-17\",\"Statement\":[\
{\"Sid\":\"EventBridgeWrites\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"events.amazonaws.com\"},\
\"Action\":\"sqs:SendMessage\",\"Resource\":\"$queue\",\
\"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":\"$account\"}}},\
{\"Sid\":\"NothingWithoutTls\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"sqs:*\",\"Resource\":\"$queue\",\
\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}}}]}"
}
EOF
)
url=$(aws sqs create-queue --region "$region" --queue-name "$name" --attributes "$attributes" \
    --query QueueUrl --output text)

rule() {
    aws events put-rule --region "$region" --name "$1" --event-pattern "$2" >/dev/null
    aws events put-targets --region "$region" --rule "$1" --targets "Id=queue,Arn=$queue" >/dev/null
}

rule "$name-ec2" '{
  "source": ["aws.ec2"],
  "detail-type": [
    "EC2 Spot Instance Interruption Warning",
    "EC2 Instance Rebalance Recommendation",
    "EC2 Instance State-change Notification"
  ]
}'
rule "$name-health" '{
  "source": ["aws.health"],
  "detail-type": ["AWS Health Event"],
  "detail": { "service": ["EC2"], "eventTypeCategory": ["scheduledChange"] }
}'

echo "spec.aws.interruptionQueue: $url"
