"""serverless.yml as a typed `Service`."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from local.serverless.deployment import Deployment
from local.serverless.errors import ServerlessError
from local.serverless.events import as_int, read_events
from local.serverless.gateway import read_cors, read_limits
from local.serverless.intrinsics import Intrinsics
from local.serverless.model import Bucket, Event, Function, HttpEvent, ObjectEvent, Queue, Service
from local.serverless.resources import read_bucket, read_notifications, read_queue
from local.serverless.variables import Variables
from local.serverless.yaml_loader import load_yaml

_RUNTIME = re.compile(r"python3\.\d+")


class ServerlessFile:
    """The file is read once; `service` may then be asked for several deployments."""

    def __init__(self, path: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.path = path
        self._document = load_yaml(path)
        self._environ = environ
        self._uses_dotenv = self._document.get("useDotenv") is True

    def service(self, deployment: Deployment) -> Service:
        """What is declared, for this place; `ServerlessError` for what is wrong or cannot run here."""
        options = {"stage": deployment.stage, "region": deployment.region}
        environ = {**self._dotenv(deployment.stage), **self._environ}
        variables = Variables(self._document, environ, options, deployment.account_id)
        return _Reader(variables, deployment).service()

    def _dotenv(self, stage: str) -> dict[str, str]:
        """With `useDotenv`: `.env`, and `.env.<stage>` before it; the process's environment goes before both."""
        files = (".env", f".env.{stage}") if self._uses_dotenv else ()
        found = (dotenv_values(self.path.with_name(name), interpolate=False) for name in files)
        return {key: value for values in found for key, value in values.items() if value is not None}


class _Reader:
    def __init__(self, variables: Variables, deployment: Deployment) -> None:
        self._variables, self._deployment = variables, deployment
        name = variables.get("service")
        if not isinstance(name, str):
            raise ServerlessError("service: a name is expected")
        self._name = name
        self._stack = f"{name}-{deployment.stage}"
        self._resources = _Lazy(variables, _merged(variables, "resources.Resources", "resources"))
        self._declared = _merged(variables, "functions", "functions")
        logical = {logical_id(function): self._full_name(function) for function in self._declared}
        self._intrinsics = Intrinsics(deployment, self._stack, self._resources, logical)

    def service(self) -> Service:
        provider = self._variables.get("provider", {})
        events = self._bucket_events()
        functions = {name: self._function(name, provider, events) for name in self._declared}
        methods = {event.method for one in functions.values() for event in one.events if isinstance(event, HttpEvent)}
        cors = self._intrinsics.resolve(provider.get("httpApi", {}).get("cors"), "provider.httpApi.cors")
        expression = provider.get("websocketsApiRouteSelectionExpression", "$request.body.action")
        return Service(
            name=self._name,
            stage=self._deployment.stage,
            region=self._deployment.region,
            account_id=self._deployment.account_id,
            functions=functions,
            queues=tuple(self._queues()),
            buckets=tuple(self._buckets()),
            cors=read_cors(cors, methods),
            route_selection_expression=expression,
            http_limits=self._limits("HttpApiStage"),
            socket_limits=self._limits("WebsocketsDeploymentStage"),
        )

    def _function(self, name: str, provider: dict[str, Any], bucket_events: dict[str, list[ObjectEvent]]) -> Function:
        where = f"functions.{name}"
        declared = self._variables.resolve(self._declared[name], where)
        if not isinstance(declared, dict) or not isinstance(declared.get("handler"), str):
            raise ServerlessError(f"{where}: a handler is expected")
        runtime = declared.get("runtime", provider.get("runtime", "python3.13"))
        if not _RUNTIME.fullmatch(runtime):
            raise ServerlessError(f"{where}: the local stack runs Python, not {runtime}")
        environment = {**provider.get("environment", {}), **declared.get("environment", {})}
        events = read_events(self._intrinsics.resolve(declared.get("events"), where), where)
        return Function(
            name=name,
            full_name=self._full_name(name),
            arn=self._intrinsics.resolve({"Fn::GetAtt": [logical_id(name), "Arn"]}, where),
            handler=declared["handler"],
            timeout=as_int(declared.get("timeout", provider.get("timeout", 6)), f"{where}.timeout"),
            memory=as_int(declared.get("memorySize", provider.get("memorySize", 1024)), f"{where}.memorySize"),
            runtime=runtime,
            environment=self._environment(environment, f"{where}.environment"),
            events=(*events, *self._told(name, events, bucket_events)),
            retries=as_int(declared.get("maximumRetryAttempts", 2), f"{where}.maximumRetryAttempts"),
            maximum_event_age=as_int(declared.get("maximumEventAge", 21_600), f"{where}.maximumEventAge"),
            on_failure=self._on_failure(declared, where),
        )

    def _told(
        self, name: str, own: tuple[Event, ...], bucket_events: dict[str, list[ObjectEvent]]
    ) -> list[ObjectEvent]:
        arn = self._intrinsics.resolve({"Fn::GetAtt": [logical_id(name), "Arn"]}, name)
        return [event for event in bucket_events.get(arn, []) if event not in own]

    def _environment(self, declared: dict[str, Any], where: str) -> dict[str, str]:
        environment = {}
        for key, value in self._intrinsics.resolve(declared, where).items():
            if isinstance(value, dict | list):
                raise ServerlessError(f"{where}.{key}: text is expected, not {value!r}")
            if value is not None:
                environment[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return environment

    def _on_failure(self, declared: dict[str, Any], where: str) -> str | None:
        target = self._intrinsics.resolve(declared.get("destinations", {}), where).get("onFailure")
        if isinstance(target, dict):
            if target.get("type") != "sqs":
                raise ServerlessError(f"{where}.destinations.onFailure: the local stack knows sqs only")
            target = target["arn"]
        return None if target is None else str(target)

    def _bucket_events(self) -> dict[str, list[ObjectEvent]]:
        events: dict[str, list[ObjectEvent]] = {}
        for bucket, properties in self._of_type("AWS::S3::Bucket"):
            for function_arn, event in read_notifications(bucket, properties, self._intrinsics):
                events.setdefault(function_arn, []).append(event)
        return events

    def _queues(self) -> Iterator[Queue]:
        for queue, properties in self._of_type("AWS::SQS::Queue"):
            yield read_queue(queue, properties, self._intrinsics)

    def _buckets(self) -> Iterator[Bucket]:
        for bucket, properties in self._of_type("AWS::S3::Bucket"):
            yield read_bucket(bucket, properties, self._intrinsics)

    def _of_type(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name in self._resources:
            if self._resources.kind(name) == kind:
                yield name, self._resources[name].get("Properties", {})

    def _limits(self, stage: str) -> Any:
        return read_limits(self._variables.get(f"resources.extensions.{stage}.Properties", {}))

    def _full_name(self, function: str) -> str:
        return f"{self._stack}-{function}"


class _Lazy(Mapping[str, Mapping[str, Any]]):
    """Resources whose variables are resolved when first looked at: roles and alarms never are."""

    def __init__(self, variables: Variables, raw: dict[str, Any]) -> None:
        self._variables, self._raw = variables, raw
        self._resolved: dict[str, Mapping[str, Any]] = {}

    def kind(self, name: str) -> str:
        return str(self._raw[name].get("Type"))

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        if name not in self._resolved:
            self._resolved[name] = self._variables.resolve(self._raw[name], f"resources.Resources.{name}")
        return self._resolved[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def logical_id(function: str) -> str:
    """The Serverless Framework's, in CloudFormation."""
    name = function.replace("-", "Dash").replace("_", "Underscore")
    return f"{name[:1].upper()}{name[1:]}LambdaFunction"


def _merged(variables: Variables, path: str, listed: str) -> dict[str, Any]:
    """`functions` and `resources` may be a mapping or a list of mappings; variables inside stay as they are."""
    raw = variables.raw(listed)
    parts = raw if isinstance(raw, list) else [raw]
    inner = path.split(".")[1:]
    merged: dict[str, Any] = {}
    for part in parts:
        for key in inner:
            part = (part or {}).get(key)
        merged |= part or {}
    return merged
