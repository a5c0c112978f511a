"""CloudFormation's functions, computed against what stands for the resources on this machine."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from local.serverless.deployment import Deployment
from local.serverless.errors import ServerlessError

NO_VALUE = object()
_SUBSTITUTED = re.compile(r"\$\{(!?)([^}]+)\}")
Resources = Mapping[str, Mapping[str, Any]]


class Intrinsics:
    """`resources` by logical id; `functions` maps the logical ids of functions to their deployed names."""

    def __init__(self, deployment: Deployment, stack: str, resources: Resources, functions: Mapping[str, str]) -> None:
        self._deployment = deployment
        self._stack = stack
        self._resources, self._functions = resources, functions
        self._naming: list[str] = []
        self._compute: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::Base64": self._base64,
            "Fn::ToJsonString": self._to_json_string,
        }

    def resolve(self, node: Any, where: str) -> Any:
        """A copy of `node` with every function computed."""
        if isinstance(node, list):
            items = [self.resolve(value, f"{where}[{index}]") for index, value in enumerate(node)]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        name = next(iter(node), "")
        if len(node) == 1 and (name == "Ref" or str(name).startswith("Fn::")):
            return self._call(name, node[name], where)
        values = {key: self.resolve(value, f"{where}.{key}") for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not NO_VALUE}

    def queue_name(self, logical_id: str) -> str:
        return self._name(logical_id, "QueueName")

    def bucket_name(self, logical_id: str) -> str:
        return self._name(logical_id, "BucketName").lower()

    def _call(self, name: str, argument: Any, where: str) -> Any:
        compute = self._compute.get(name)
        if compute is None:
            known = ", ".join(self._compute)
            raise ServerlessError(f"{where}: the local stack cannot compute {name} (it can: {known})")
        return compute(argument, where)

    def _name(self, logical_id: str, key: str) -> str:
        if logical_id in self._naming:
            raise ServerlessError(f"resources.Resources.{logical_id}: its name depends on itself")
        self._naming.append(logical_id)
        try:
            given = self._resources[logical_id].get("Properties", {}).get(key)
            where = f"resources.Resources.{logical_id}.Properties.{key}"
            return self._text(given, where) if given is not None else f"{self._stack}-{logical_id}"
        finally:
            self._naming.pop()

    def _text(self, node: Any, where: str) -> str:
        value = self.resolve(node, where)
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise ServerlessError(f"{where}: text is expected, not {value!r}")
        return str(value)

    def _ref(self, name: Any, where: str) -> Any:
        pseudo = self._pseudo_parameters()
        if name in pseudo:
            return pseudo[name]
        if name in self._functions:
            return self._functions[name]
        match self._type(name, where):
            case "AWS::S3::Bucket":
                return self.bucket_name(name)
            case "AWS::SQS::Queue":
                return f"{self._deployment.sqs_url}/{self._deployment.account_id}/{self.queue_name(name)}"
            case "api":
                return self._deployment.api_id
            case "AWS::SNS::Topic":
                return self._arn("sns", f"{self._stack}-{name}")
        return f"{self._stack}-{name}"

    def _get_att(self, argument: Any, where: str) -> Any:
        name, attribute = argument if isinstance(argument, list) else str(argument).split(".", 1)
        if name in self._functions and attribute == "Arn":
            return self._arn("lambda", f"function:{self._functions[name]}")
        kind = self._type(name, where)
        if kind == "AWS::S3::Bucket":
            bucket = self.bucket_name(name)
            known = {"Arn": f"arn:aws:s3:::{bucket}", "DomainName": f"{bucket}.s3.amazonaws.com"}
        elif kind == "AWS::SQS::Queue":
            queue = self.queue_name(name)
            url = self._ref(name, where)
            known = {"Arn": self._arn("sqs", queue), "QueueName": queue, "QueueUrl": url}
        else:
            known = {}
        if attribute not in known:
            raise ServerlessError(f"{where}: the local stack knows no {attribute} of {name} ({kind})")
        return known[attribute]

    def _type(self, name: Any, where: str) -> str:
        if name in ("HttpApi", "WebsocketsApi"):
            return "api"
        if name not in self._resources:
            raise ServerlessError(f"{where}: there is no resource, function or parameter {name!r}")
        return str(self._resources[name].get("Type"))

    def _sub(self, argument: Any, where: str) -> str:
        text, extra = argument if isinstance(argument, list) else (argument, {})

        def value(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in extra:
                return self._text(extra[name], where)
            if "." in name:
                return self._text({"Fn::GetAtt": name.split(".", 1)}, where)
            return self._text({"Ref": name}, where)

        return _SUBSTITUTED.sub(value, text)

    def _join(self, argument: Any, where: str) -> str:
        separator, parts = argument
        resolved = self.resolve(parts, where)
        return str(separator).join(self._text(part, where) for part in resolved)

    def _split(self, argument: Any, where: str) -> list[str]:
        separator, text = argument
        return self._text(text, where).split(separator)

    def _select(self, argument: Any, where: str) -> Any:
        index, values = argument
        try:
            return self.resolve(values, where)[int(index)]
        except IndexError:
            raise ServerlessError(f"{where}: Fn::Select has no value number {index}") from None

    def _base64(self, argument: Any, where: str) -> str:
        return base64.b64encode(self._text(argument, where).encode()).decode()

    def _to_json_string(self, argument: Any, where: str) -> str:
        return json.dumps(self.resolve(argument, where), separators=(",", ":"))

    def _arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self._deployment.region}:{self._deployment.account_id}:{rest}"

    def _pseudo_parameters(self) -> dict[str, Any]:
        return {
            "AWS::AccountId": self._deployment.account_id,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": self._deployment.region,
            "AWS::StackId": self._arn("cloudformation", f"stack/{self._stack}/local"),
            "AWS::StackName": self._stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
