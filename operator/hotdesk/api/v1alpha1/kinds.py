"""What the three kinds share: their group and version, and names that refer to other objects."""

from typing import Annotated, Final, Literal

from pydantic import Field

from hotdesk.api.schema import marks, rule
from hotdesk.api.wire import ApiModel, ObjectMeta

GROUP: Final = "hotdesk.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "hotdesk.dev/v1alpha1"

SHORT_NAME: Final = rule(
    "self.metadata.name.size() <= 63",
    "metadata.name must be at most 63 characters, because it is also used as a label",
)

PoolName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        json_schema_extra=marks(
            rule(
                "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",
                "pool must be the name of a MachinePool: lower case letters, digits, '-' and '.'",
            ),
            rule("self == oldSelf", "pool is immutable: delete the object and create it anew in the other pool"),
        ),
    ),
]

Port = Annotated[int, Field(ge=1, le=65535)]


class Resource(ApiModel):
    """A whole object as the API server stores it."""

    api_version: Literal["hotdesk.dev/v1alpha1"] = API_VERSION
    metadata: ObjectMeta
