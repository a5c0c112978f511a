"""Patterns of channel names, as Centrifugo takes them: `*`, `?`, `[a-z]`, `[!a-z]` and `{one,other}`."""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final

from shared.errors import Invalid

_MOST_CHOICES: Final = 100
_MOST_CHARACTERS: Final = 256
_INNERMOST: Final = re.compile(r"\{([^{}]*)\}")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches. Raises Invalid for a long pattern, or one whose braces make very many of it."""
    patterns = list(islice(_choices(pattern), _MOST_CHOICES + 1)) if len(pattern) <= _MOST_CHARACTERS else []
    if not 0 < len(patterns) <= _MOST_CHOICES:
        raise Invalid(f"a pattern has at most {_MOST_CHARACTERS} characters, and its braces {_MOST_CHOICES} choices")
    return lambda name: any(fnmatchcase(name, chosen) for chosen in patterns)


def _choices(pattern: str) -> Iterator[str]:
    found = _INNERMOST.search(pattern)
    if found is None:
        yield pattern
        return
    for choice in found[1].split(","):
        yield from _choices(pattern[: found.start()] + choice + pattern[found.end() :])
