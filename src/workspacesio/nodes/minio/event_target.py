"""The webhook by which a MinIO server tells what happens in its buckets: set, looked at, taken away.

A target is a key of the server's configuration, `notify_webhook:NAME`, that a server reads when it starts; each
bucket then names the target's ARN. The key's name is the node's own, and what belongs to others stays as it is.
Rights that this needs besides those of a node: `CONFIGURATION_ACTIONS`.
"""

import contextlib
import json
import time
from dataclasses import dataclass, replace

from minio.notificationconfig import NotificationConfig, QueueConfig

from workspacesio.nodes.errors import NodeDown, NodeError
from workspacesio.nodes.minio.connection import Connection, RequestRefused, failures, understood

CONFIGURATION_ACTIONS = (
    "admin:ConfigUpdate",
    "admin:ServiceRestart",
    "s3:GetBucketNotification",
    "s3:PutBucketNotification",
)
EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
RESTART_SECONDS = 30.0
GOING_SECONDS = 1.0
"""A server that was told to restart goes on answering for this long (restartUpdateDelay is 250 ms)."""


@dataclass(frozen=True, slots=True)
class TargetName:
    """What the target of a node is called on its server: letters and digits."""

    name: str

    @property
    def key(self) -> str:
        """Of the server's configuration."""
        return f"notify_webhook:{self.name}"

    def setting(self, address: str, token: str, queue_dir: str | None) -> str:
        """The line of the configuration. The caller has seen to it that nothing in it needs quoting."""
        queue = f' queue_dir="{queue_dir}" queue_limit="100000"' if queue_dir else ""
        return f'{self.key} endpoint="{address}" auth_token="{token}"{queue}'

    def arn(self, region: str) -> str:
        """`region` is the server's own, '' where it was given none."""
        return f"arn:minio:sqs:{region}:{self.name}:webhook"

    def is_in(self, arn: str | None) -> bool:
        return (arn or "").endswith(f":{self.name}:webhook")


class EventTarget:
    """By a key that may configure the server. Raises NodeDown and its kinds, RequestRefused."""

    def __init__(self, connection: Connection, name: TargetName) -> None:
        self._connection = connection
        self._name = name

    def live_arn(self) -> str | None:
        """The target's ARN, if the server has read it since it started."""
        answer = self._connection.administer("GET", "info")
        with understood():
            arns = json.loads(answer.body).get("sqsARN") or []
            return next((str(one) for one in arns if self._name.is_in(str(one))), None)

    def region(self) -> str:
        """Of the server, as it is in its ARNs."""
        answer = self._connection.administer("GET", "info")
        with understood():
            return str(json.loads(answer.body).get("region") or "")

    def write(self, setting: str) -> None:
        """The server tries whether it reaches the address, and refuses the setting otherwise."""
        self._connection.administer("PUT", "set-config-kv", body=setting.encode(), encrypted=True)

    def remove(self) -> None:
        """Holds from the server's next start on; until then its buckets name nobody to tell."""
        with contextlib.suppress(RequestRefused):  # there is none
            self._connection.administer("DELETE", "del-config-kv", body=self._name.key.encode(), encrypted=True)

    def restart_server(self) -> None:
        """All of it, which takes a second or two, and wait until it has the target. Raises NodeDown."""
        self._connection.administer("POST", "service", {"action": "restart", "type": "2"})
        time.sleep(GOING_SECONDS)
        until = time.monotonic() + RESTART_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(NodeError):
                if self.live_arn() is not None:
                    return
            time.sleep(0.3)
        raise NodeDown("The server did not come back in time.")

    def is_told(self, bucket: str) -> bool:
        """Whether the bucket names the target."""
        return any(self._name.is_in(queue.queue) for queue in self._notification(bucket).queue_config_list or [])

    def tell(self, bucket: str, arn: str) -> None:
        """The bucket names the target, once; what else it tells stays."""
        self._replace(bucket, [QueueConfig(EVENTS, queue=arn)])

    def tell_no_more(self, bucket: str) -> None:
        if self.is_told(bucket):
            self._replace(bucket, [])

    def _replace(self, bucket: str, ours: list[QueueConfig]) -> None:
        known = self._notification(bucket)
        others = [queue for queue in known.queue_config_list or [] if not self._name.is_in(queue.queue)]
        with failures():
            self._connection.s3.set_bucket_notification(bucket, replace(known, queue_config_list=others + ours))

    def _notification(self, bucket: str) -> NotificationConfig:
        with failures():
            return self._connection.s3.get_bucket_notification(bucket)
