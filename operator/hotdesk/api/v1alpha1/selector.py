"""The label selector of metav1, as far as choosing namespaces needs it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hotdesk.api.schema import marks, rule
from hotdesk.api.wire import ApiModel

LabelText = Annotated[str, Field(max_length=63)]
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]


class LabelSelectorRequirement(ApiModel):
    """One requirement on one label."""

    model_config = ConfigDict(
        json_schema_extra=marks(
            rule(
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                "values must be given with the operators In and NotIn, and left out with Exists and DoesNotExist",
            ),
        ),
    )

    key: LabelKey
    """The label's key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared with the values."""
    values: Annotated[tuple[LabelText, ...], Field(max_length=64)] = ()
    """The values for In and NotIn; left out for Exists and DoesNotExist."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether these labels satisfy the requirement, by the rules of Kubernetes."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class LabelSelector(ApiModel):
    """Labels that must all match; an empty selector matches everything."""

    match_labels: Annotated[
        dict[LabelKey, LabelText],
        Field(
            default_factory=dict,
            max_length=64,
            # Of a map the schema says nothing about the keys.
            json_schema_extra=marks(
                rule("self.all(key, key != '' && key.size() <= 317)", "matchLabels must name labels: keys like team")
            ),
        ),
    ]
    """Labels and the values they must have."""
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], Field(max_length=64)] = ()
    """Further requirements; all must hold."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether these labels satisfy every requirement."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )
