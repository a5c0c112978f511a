"""The Serverless Framework's `${source:address, fallback}` variables."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local.serverless.errors import ServerlessError

# `${AWS::Region}` and `${Resource.Attribute}` belong to CloudFormation.
_START = re.compile(r"\$\{(?!AWS::)[A-Za-z][\w-]*(?:\([^)]*\))?:")
_REFERENCE = re.compile(r"(?P<source>[A-Za-z][\w-]*)(?:\([^)]*\))?:(?P<address>.*)", re.DOTALL)
_LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
MISSING = object()


class Variables:
    """Resolves parts of one document on demand, so that what nobody asks for may stay unresolvable."""

    def __init__(
        self,
        document: Mapping[str, Any],
        environ: Mapping[str, str],
        options: Mapping[str, str],
        account_id: str,
    ) -> None:
        self._document = document
        self._environ, self._options = environ, options
        self._own = {"stage": options["stage"], "instanceId": "local"}
        self._aws = {"accountId": account_id, "region": options.get("region", "us-east-1")}
        self._under_way: list[str] = []

    def resolve(self, node: Any, where: str) -> Any:
        """A copy of `node` without variables; `where` (a path in the file) goes into errors."""
        if isinstance(node, dict):
            return {key: self.resolve(value, f"{where}.{key}") for key, value in node.items()}
        if isinstance(node, list):
            return [self.resolve(value, f"{where}[{index}]") for index, value in enumerate(node)]
        return self._text(node, where) if isinstance(node, str) else node

    def get(self, path: str, default: Any = None) -> Any:
        """The resolved value at `a.b.c` of the document; `default` if it is not there."""
        found = self._self(path)
        return default if found is MISSING or found is None else found

    def raw(self, key: str) -> Any:
        """A part of the document at the top, its variables untouched."""
        return self._document.get(key)

    def _text(self, text: str, where: str) -> Any:
        found = _START.search(text)
        if found is None:
            return text
        end = _closing(text, found.start(), where)
        value = self._variable(text[found.start() + 2 : end], where)
        if found.start() == 0 and end == len(text) - 1:
            return value
        if isinstance(value, dict | list):
            raise ServerlessError(f"{where}: ${{{text[found.start() + 2 : end]}}} is no text, so it must stand alone")
        rest = self._text(text[end + 1 :], where)
        return text[: found.start()] + _as_text(value) + _as_text(rest)

    def _variable(self, content: str, where: str) -> Any:
        for alternative in _alternatives(content):
            value = self._alternative(alternative, where)
            if value is not MISSING:
                return value
        message = f"{where}: ${{{content}}} has no value here and names no fallback"
        raise ServerlessError(f"{message} (known sources: env, opt, param, self, sls, aws)")

    def _alternative(self, text: str, where: str) -> Any:
        if text[:1] in ("'", '"') and text[-1:] == text[:1]:
            return self._text(text[1:-1], where)
        if text.lower() in _LITERALS:
            return _LITERALS[text.lower()]
        if _NUMBER.fullmatch(text):
            return float(text) if "." in text else int(text)
        inner = self._text(text, where)
        if text.startswith("${") or not isinstance(inner, str):
            return inner
        reference = _REFERENCE.fullmatch(inner)
        if reference is None:
            raise ServerlessError(f"{where}: cannot read {text!r} in a variable")
        return self._lookup(reference["source"], reference["address"].strip(), where)

    def _lookup(self, source: str, address: str, where: str) -> Any:
        key = f"{source}:{address}"
        if key in self._under_way:
            raise ServerlessError(f"{where}: ${{{key}}} refers to itself")
        self._under_way.append(key)
        try:
            return self._from(source, address)
        finally:
            self._under_way.pop()

    def _from(self, source: str, address: str) -> Any:
        tables: dict[str, Mapping[str, Any]] = {
            "env": self._environ,
            "opt": self._options,
            "sls": self._own,
            "aws": self._aws,
        }
        if source in tables:
            return tables[source].get(address, MISSING)
        if source == "self":
            return self._self(address)
        if source == "param":
            return self._param(address)
        return MISSING

    def _self(self, path: str) -> Any:
        node: Any = self._document
        for part in filter(None, path.split(".")):
            node = self._text(node, path) if isinstance(node, str) else node
            if isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and part in node:
                node = node[part]
            else:
                return MISSING
        return self.resolve(node, path)

    def _param(self, name: str) -> Any:
        """`params.<stage>` before `params.default`, and the same below v4's `stages`."""
        stage = self._options["stage"]
        for path in (f"params.{stage}", f"stages.{stage}.params", "params.default", "stages.default.params"):
            value = self._self(f"{path}.{name}")
            if value is not MISSING:
                return value
        return MISSING


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _closing(text: str, start: int, where: str) -> int:
    """Where the variable that begins at `start` ends, past nested ones and quoted braces."""
    depth, position = 0, start
    for position, character, quoted in _walk(text, start):
        if quoted:
            continue
        depth += text.startswith("${", position)
        depth -= character == "}"
        if character == "}" and depth == 0:
            return position
    raise ServerlessError(f"{where}: {text[start:]!r} lacks its closing brace")


def _alternatives(content: str) -> Iterator[str]:
    depth, begin = 0, 0
    for position, character, quoted in _walk(content, 0):
        if quoted:
            continue
        depth += content.startswith("${", position)
        depth -= character == "}"
        if character == "," and depth == 0:
            yield content[begin:position].strip()
            begin = position + 1
    yield content[begin:].strip()


def _walk(text: str, start: int) -> Iterator[tuple[int, str, bool]]:
    quote = ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            yield position, character, True
            quote = "" if character == quote else quote
        else:
            quote = character if character in "'\"" else ""
            yield position, character, bool(quote)
