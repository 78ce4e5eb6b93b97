"""Texts that a regular expression matches: a few dozen of each, the same ones every time."""

import random
import re
from functools import cache
from string import printable
from typing import Any

_COUNT = 40


@cache
def matching_texts(pattern: str) -> tuple[str, ...]:
    """Return texts that match the whole pattern; Hypothesis' own `from_regex` takes a hundred times as long."""
    chance = random.Random(pattern)  # noqa: S311  # a seed, so that it is no chance
    tokens = re._parser.parse(pattern, re.ASCII)  # type: ignore[attr-defined]  # what else reads a pattern
    return tuple(_text(tokens, chance) for _ in range(_COUNT))


def _text(tokens: Any, chance: random.Random) -> str:
    return "".join(_piece(str(operation), argument, chance) for operation, argument in tokens)


def _piece(operation: str, argument: Any, chance: random.Random) -> str:
    match operation:
        case "LITERAL":
            return chr(argument)
        case "IN":
            return chance.choice(_choices(argument))
        case "MAX_REPEAT":
            fewest, most, tokens = argument
            return "".join(_text(tokens, chance) for _ in range(chance.randint(fewest, min(most, fewest + 2))))
        case "SUBPATTERN":
            return _text(argument[-1], chance)
        case "BRANCH":
            return _text(chance.choice(argument[1]), chance)
        case "AT":
            return ""
        case _:
            raise NotImplementedError(f"no texts for {operation}")


def _choices(argument: Any) -> str:
    found = "".join(
        chr(value) if str(kind) == "LITERAL" else "".join(map(chr, range(value[0], value[1] + 1)))
        for kind, value in argument
        if str(kind) in ("LITERAL", "RANGE")
    )
    is_negated = str(argument[0][0]) == "NEGATE"
    return "".join(char for char in printable[:95] if char not in found) if is_negated else found
