"""Whole numbers as JSON has them: 10, 10.0 and 1e1 are one, which msgspec by itself would not have.

`Whole` and its like are types of models' members; decode such models with `decoded_whole`, and describe them with
`described_whole`. What models then hold is an int.
"""

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias


class _OfInt(type):
    """So that msgspec takes the int that the type made of a value."""

    def __instancecheck__(cls, value: object) -> bool:
        return type(value) is int


class _Whole(metaclass=_OfInt):
    least: ClassVar[float] = -math.inf
    most: ClassVar[float] = math.inf


class _Uint32(_Whole):
    """As the protocol's schema has it."""

    least, most = 0, 2**32 - 1


class _Uint64(_Whole):
    """As the protocol's schema has it, but for what Redis cannot count."""

    least, most = 0, 2**63 - 1


class _Moment(_Whole):
    """Unix seconds that a double still tells apart."""

    least, most = 0, 2**53 - 1


if TYPE_CHECKING:
    Whole: TypeAlias = int
    Uint32: TypeAlias = int
    Uint64: TypeAlias = int
    Moment: TypeAlias = int
else:
    Whole, Uint32, Uint64, Moment = _Whole, _Uint32, _Uint64, _Moment

_BOUNDS: Final = {"minimum": "least", "maximum": "most"}


def decoded_whole(kind: type[Any], value: object) -> int:
    """msgspec's `dec_hook`."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"Expected `int`, got `{type(value).__name__}`")
    if not kind.least <= number <= kind.most:
        raise ValueError(f"Expected `int` from {kind.least} to {kind.most}")
    return number


def described_whole(kind: type[Any]) -> dict[str, Any]:
    """msgspec's `schema_hook`."""
    bounds = {word: getattr(kind, name) for word, name in _BOUNDS.items()}
    return {"type": "integer", **{word: bound for word, bound in bounds.items() if math.isfinite(bound)}}
