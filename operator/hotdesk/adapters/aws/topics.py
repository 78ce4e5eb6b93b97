"""Publishes notices to SNS topics, with the credentials of the pool that names the topic."""

from datetime import timedelta
from typing import Final

from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import Calls, OnCall
from hotdesk.adapters.aws.clients import Clients, Target, Timeouts
from hotdesk.adapters.letters import letter
from hotdesk.api.v1alpha1 import Aws, SnsTopic
from hotdesk.core.notices import Notice

_TIMEOUTS: Final = Timeouts(connect=timedelta(seconds=3), read=timedelta(seconds=5))
_LONGEST_SUBJECT: Final = 100  # characters; SNS takes printable ASCII alone
_CONNECTIONS: Final = 2


class AwsTopics:
    """Threads and clients of its own, made when first needed, so that no notice ever keeps a machine waiting."""

    def __init__(self, *, on_call: OnCall = lambda _action, _outcome, _seconds: None) -> None:
        self._on_call = on_call
        self._calls: dict[Target, Calls] = {}
        self._budgets: dict[tuple[str, str | None], Budgets] = {}

    async def publish(self, notice: Notice, topic: SnsTopic, *, aws: Aws) -> None:
        """Publish a notice once.

        Raises:
            Throttled, Unanswered: it may be published again; subscribers know it by its id.
            Denied, Refused: AWS will not have it.

        """
        region = topic.topic_arn.split(":")[3]
        calls = self._calls_of(Target(region=region, endpoint_url=aws.endpoint_url, role_arn=aws.role_arn))
        facts = {"id": notice.id, "kind": notice.kind, "reason": notice.reason, "namespace": notice.namespace}
        parameters = {
            "TopicArn": topic.topic_arn,
            "Subject": f"Hotdesk: {notice.reason} {notice.namespace}/{notice.name}"[:_LONGEST_SUBJECT],
            "Message": letter(notice).decode(),
            # What subscriptions filter by.
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in facts.items() if value
            },
        }
        if topic.topic_arn.endswith(".fifo"):
            parameters |= {"MessageGroupId": notice.uid, "MessageDeduplicationId": notice.id}
        await calls.write("sns", "Publish", parameters)

    def close(self) -> None:
        """Take no more calls."""
        for calls in self._calls.values():
            calls.close()

    def _calls_of(self, target: Target) -> Calls:
        if target not in self._calls:
            budgets = self._budgets.setdefault((target.region, target.endpoint_url), Budgets())
            clients = Clients(target=target, timeouts=_TIMEOUTS, connections=_CONNECTIONS)
            self._calls[target] = Calls(clients=clients, budgets=budgets, on_call=self._on_call)
        return self._calls[target]
