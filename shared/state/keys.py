"""A Redis key is a value of its own type, so that no function can make one from a string it was given."""

from typing import Final


class _Seal:
    """Held by the modules that may make keys: `tenant.scope` and `auth.sockets`."""


SEAL: Final = _Seal()


class Key:
    """A key of the store; `str(key)` is what the server sees."""

    __slots__ = ("_name",)

    def __init__(self, name: str, seal: _Seal) -> None:
        if seal is not SEAL:
            raise TypeError("keys are made by TenantScope")
        self._name = name

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Key({self._name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)
