"""What becomes of a claimed machine: who counts as active, when it rests, and how its files are kept."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hotdesk.api.schema import marks, rule
from hotdesk.api.v1alpha1.kinds import Port
from hotdesk.api.wire import NEVER, ApiModel, Duration, DurationOrNever

BackupMethod = Literal["None", "EBSSnapshot", "S3Archive"]

_PATH_RULE = rule("self.matches('^/[!-~]*$')", "path must start with '/' and hold no spaces: encode them as %20")
_HttpPath = Annotated[str, Field(max_length=1024, json_schema_extra=marks(_PATH_RULE))]


class SecretKey(ApiModel):
    """One key of a Secret in the operator's own namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """The Secret's name."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """The key in its data."""


class CodeServerProbe(ApiModel):
    """Ask code-server whether somebody is connected."""

    port: Port
    """code-server's port on the machine's private address."""
    path: _HttpPath = "/healthz"
    """Where it tells its last heartbeat."""


class JupyterProbe(ApiModel):
    """Ask a Jupyter server when somebody last worked, and whether a kernel is busy."""

    port: Port
    """The server's port on the machine's private address."""
    base_path: _HttpPath = "/"
    """The server's base URL."""
    token_secret_ref: SecretKey | None = None
    """Where the server's token is kept. Without it: the server is asked without one."""


class HttpActivityProbe(ApiModel):
    """Ask any program that answers with JSON: {"lastActivity": "2026-01-02T03:04:05Z" or null, "active": true}."""

    port: Port
    """The program's port on the machine's private address."""
    path: _HttpPath = "/activity"
    """The path to ask for."""


class CpuEvidence(ApiModel):
    """A machine whose processors are busy is not stopped, for a while."""

    above_percent: Annotated[int, Field(ge=1, le=100)] = 20
    """The average CPUUtilization, from CloudWatch, above which the machine counts as busy."""
    at_most: Duration = timedelta(hours=12)
    """How long after the last other sign of activity a busy processor may keep the machine."""


class Activity(ApiModel):
    """How Hotdesk sees that somebody works, beside the heartbeats, which always count."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule(
                "(has(self.codeServer) ? 1 : 0) + (has(self.jupyter) ? 1 : 0) + (has(self.http) ? 1 : 0) <= 1",
                "activity takes at most one of codeServer, jupyter and http",
            ),
        ),
    )

    code_server: CodeServerProbe | None = None
    """Ask code-server."""
    jupyter: JupyterProbe | None = None
    """Ask a Jupyter server."""
    http: HttpActivityProbe | None = None
    """Ask a program of your own."""
    cpu: CpuEvidence | None = None
    """Let busy processors prolong activity. They never begin it."""


class Lifecycle(ApiModel):
    """When a machine in use rests, and for how long it is kept."""

    idle_timeout: DurationOrNever = timedelta(hours=1)
    """Stop the machine this long after the last activity. A workspace may set its own."""
    warn_before: Duration = timedelta(minutes=10)
    """Say so this long before: by an Event, the condition Idle, status.next and the pool's notifications."""
    retention: DurationOrNever | None = None
    """Archive a stopped machine after this long: its backup stays, the machine goes. A workspace may set its own.
    Without it: 24h if the pool has a backup, else Never."""
    max_lifetime: DurationOrNever = NEVER
    """Stop a machine that has run this long in one go, also while somebody is active: the ceiling on forgotten tabs."""


class S3Place(ApiModel):
    """Where archives are kept."""

    bucket: Annotated[str, Field(min_length=3, max_length=63)]
    """The bucket's name."""
    prefix: Annotated[
        str,
        Field(
            max_length=512,
            json_schema_extra=marks(
                rule(
                    "self.matches('^([A-Za-z0-9!_.*-]+/)*$')",
                    "prefix must be empty, or end with '/' and hold only letters, digits and !_.*-",
                )
            ),
        ),
    ] = "hotdesk/"
    """What the keys begin with."""


class Backup(ApiModel):
    """How the files of a workspace are kept when its machine goes.

    With a method set, no machine that was claimed is terminated before a backup of it was verified.
    """

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule("(self.method == 'S3Archive') == has(self.s3)", "give s3 with method S3Archive, and only then"),
        ),
    )

    method: BackupMethod
    """None, EBSSnapshot (a snapshot of the machine's root volume) or S3Archive (an archive of `paths`, made on the
    machine through SSM)."""
    paths: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    max_length=512,
                    json_schema_extra=marks(
                        rule(
                            "self.matches('^(/[A-Za-z0-9_@%+=:,.-]+)+$')",
                            "a path must be absolute and hold only letters, digits and _@%+=:,.-",
                        ),
                        rule("!self.matches('/[.][.]?(/|$)')", "a path must have no parts . and .."),
                    ),
                ),
            ],
            ...,
        ],
        Field(min_length=1, max_length=16),
    ] = ("/home",)
    """The directories that hold the users' files: what is archived, and what a restore brings back."""
    keep: Annotated[int, Field(ge=1, le=100)] = 3
    """How many backups of one workspace are kept; older ones are deleted after a newer one was verified."""
    on_delete: Literal["BackUp", "Discard"] = "BackUp"
    """What happens when a Workspace is deleted: back its machine up first, or discard the files."""
    s3: S3Place | None = None
    """Where archives go."""


class SnsTopic(ApiModel):
    """An SNS topic that notices are published to."""

    topic_arn: Annotated[
        str,
        Field(
            alias="topicARN",
            max_length=512,
            json_schema_extra=marks(
                rule(
                    "self.matches('^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$')",
                    "topicARN must be an SNS topic's ARN like arn:aws:sns:eu-central-1:123456789012:hotdesk",
                ),
            ),
        ),
    ]
    """The topic's ARN."""


class Webhook(ApiModel):
    """A URL that notices are posted to, signed."""

    url: Annotated[
        str,
        Field(
            max_length=2048,
            json_schema_extra=marks(
                rule("isURL(self) && self.matches('^https?://')", "url must start with http:// or https://"),
            ),
        ),
    ]
    """Where to POST."""
    secret_ref: SecretKey
    """The key that signs each notice: the header Hotdesk-Signature is its HMAC-SHA256."""


class Notifications(ApiModel):
    """Who else is told of warnings, stops, archives and failures, beside the Events."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule("has(self.sns) || has(self.webhook)", "notifications needs sns, webhook or both"),
        ),
    )

    sns: SnsTopic | None = None
    """Publish to an SNS topic."""
    webhook: Webhook | None = None
    """Post to a URL."""
