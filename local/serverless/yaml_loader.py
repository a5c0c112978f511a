"""YAML as the Serverless Framework reads it: YAML 1.2's plain values, and CloudFormation's short tags."""

import re
from pathlib import Path
from typing import Any, cast

import yaml

from local.serverless.errors import ServerlessError

_SHORT = ("Ref", "Condition")
_LONG = (
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
)

_PLAIN: tuple[tuple[str, str, str], ...] = (
    ("null", r"^(?:~|null|Null|NULL)$", "~nN"),
    ("null", r"^$", ""),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("merge", r"^<<$", "<"),
)


class _Loader(yaml.SafeLoader):
    """`yes`, `on`, `1:30` and dates are text, as in YAML 1.2."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (declared by PyYAML)


for _kind, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), [*_first] if _first else [""])


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(cast(yaml.MappingNode, node), deep=True)


def _short_tag(key: str) -> Any:
    def construct(loader: _Loader, node: yaml.Node) -> dict[str, Any]:
        value = _construct(loader, node)
        if key == "Fn::GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {key: value}

    return construct


for _name in _SHORT:
    _Loader.add_constructor(f"!{_name}", _short_tag(_name))
for _name in _LONG:
    _Loader.add_constructor(f"!{_name}", _short_tag(f"Fn::{_name}"))


def load_yaml(path: Path) -> dict[str, Any]:
    """The file's mapping, short tags as their long form; `ServerlessError` with line and column otherwise."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise ServerlessError(f"{path}: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise ServerlessError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise ServerlessError(f"{path}: a mapping is expected at the top")
    return document
