"""Refuses JSON nested so deeply that it could break those who read it after us: parsers have limits of their own."""

import re
from typing import Final

MAX_DEPTH: Final = 100
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET: Final = re.compile(r"[\[\]{}]")


class TooDeep(ValueError):
    """The text is nested deeper than MAX_DEPTH."""


def refuse_deep(text: str) -> None:
    """Raises TooDeep; of what is no JSON it may say that, or nothing."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise TooDeep(f"nested deeper than {MAX_DEPTH}")
