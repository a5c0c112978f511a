"""One line of NDJSON, by the strict rules of JSON."""

import json
import math
from typing import Any, NoReturn


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def finite(text: str) -> float | str:
    """The number, or its text when no float is so large."""
    number = float(text)
    return number if math.isfinite(number) else text


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=finite)
BAD: Any = object()


def decoded(line: str) -> Any:
    """The line's value; BAD when it is not JSON."""
    try:
        return _DECODER.decode(line)
    except (ValueError, RecursionError):
        return BAD


def is_value(line: str) -> bool:
    """Whether the line is an object or an array of JSON, whole."""
    return isinstance(decoded(line), (dict, list))
