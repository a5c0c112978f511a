"""serverless.yml keeps its promises: least privilege, limits everywhere, every setting set, no account needed."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.packaging.imports import trace
from shared.settings import Settings
from tests.packaging.conftest import REPOSITORY
from tests.packaging.test_functions import FUNCTIONS

TEXT = (REPOSITORY / "serverless.yml").read_text()
SENDERS = {"message", "channel", "session", "file", "parse", "deliver", "sweep"}
BUCKET_USERS = {"file", "parse", "sweep"}
# Lambda sets the region itself; the addresses of local servers have no place in the cloud.
NOT_DEPLOYED = {"AWS_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS"}


def _resources(service: dict[str, Any], kind: str) -> dict[str, Any]:
    declared = service["resources"]["Resources"].items()
    return {name: resource["Properties"] for name, resource in declared if resource["Type"] == kind}


def _statements(service: dict[str, Any], function: str) -> Iterator[tuple[list[str], list[str]]]:
    """Actions and resources of each statement of a function's role, as text."""
    role = service["resources"]["Resources"][service["functions"][function]["role"]]["Properties"]
    for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        action, resource = statement["Action"], statement["Resource"]
        yield (
            action if isinstance(action, list) else [action],
            [str(one) for one in (resource if isinstance(resource, list) else [resource])],
        )


def _may(service: dict[str, Any], function: str, prefix: str) -> bool:
    return any(action.startswith(prefix) for actions, _ in _statements(service, function) for action in actions)


def test_every_function_has_a_role_of_its_own(service: dict[str, Any]) -> None:
    roles = {function["role"] for function in service["functions"].values()}
    assert len(roles) == len(service["functions"])
    assert roles == set(_resources(service, "AWS::IAM::Role"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_role_has_a_wildcard_action_or_a_whole_service(service: dict[str, Any], function: str) -> None:
    for actions, resources in _statements(service, function):
        assert not [action for action in actions if "*" in action]
        assert not [resource for resource in resources if resource == "*"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_to_its_own_log_group_alone(service: dict[str, Any], function: str) -> None:
    logs = [resources for actions, resources in _statements(service, function) if actions[0].startswith("logs:")]
    assert len(logs) == 1
    assert f"/aws/lambda/${{self:service}}-${{sls:stage}}-{function}:*" in logs[0][0]


def test_only_senders_may_post_to_sockets(service: dict[str, Any]) -> None:
    assert {name for name in service["functions"] if _may(service, name, "execute-api:")} == SENDERS


def test_whoever_sends_may_wake_a_lane(service: dict[str, Any]) -> None:
    assert {name for name in service["functions"] if _may(service, name, "sqs:SendMessage")} >= SENDERS


def test_only_file_functions_touch_objects_and_only_below_the_known_prefixes(service: dict[str, Any]) -> None:
    assert {name for name in service["functions"] if _may(service, name, "s3:")} == BUCKET_USERS
    for name in BUCKET_USERS:
        objects = [resources for actions, resources in _statements(service, name) if "s3:ListBucket" not in actions]
        for resource in (one for resources in objects for one in resources if ":s3:::" in one):
            assert re.search(r"/(quarantine|files|parsed)/\*(/again)?'", resource), resource


def test_only_deliver_reads_the_queue(service: dict[str, Any]) -> None:
    assert {name for name in service["functions"] if _may(service, name, "sqs:ReceiveMessage")} == {"deliver"}


def test_every_setting_is_set_and_nothing_else(service: dict[str, Any]) -> None:
    known = {field.name.upper() for field in dataclasses.fields(Settings)} - NOT_DEPLOYED
    functions = service["functions"].values()
    given = set(service["provider"]["environment"]).union(*(one.get("environment", {}) for one in functions))
    assert given == known


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_gets_every_setting_it_reads_and_only_the_secrets_it_reads(
    service: dict[str, Any], function: str
) -> None:
    secret = {field.name.upper(): field.metadata["secret"] for field in dataclasses.fields(Settings)}
    read = _settings_read(function) - NOT_DEPLOYED
    given = set(service["provider"]["environment"]) | set(service["functions"][function].get("environment", {}))
    assert read <= given
    assert {name for name in given if secret[name]} <= read


def _settings_read(function: str) -> set[str]:
    """Every attribute by the name of a setting in the code that the function carries."""
    known = {field.name for field in dataclasses.fields(Settings)}
    modules = [path for path in trace(REPOSITORY, f"functions.{function}.handler").files if path.suffix == ".py"]
    nodes = [node for path in modules for node in ast.walk(ast.parse((REPOSITORY / path).read_text()))]
    return {node.attr.upper() for node in nodes if isinstance(node, ast.Attribute) and node.attr in known}


def test_nothing_but_the_environment_is_asked_and_all_of_it_has_defaults() -> None:
    variables = re.findall(r"\$\{(?!self:|sls:|AWS::|[A-Z]\w*[}.])([^}]*)\}", TEXT)
    assert [text for text in variables if not re.fullmatch(r"(opt:\w+, )?env:\w+, ('[^']*'|\d+)", text)] == []


def test_secrets_come_from_the_environment_and_have_no_default(service: dict[str, Any]) -> None:
    secrets = {field.name.upper() for field in dataclasses.fields(Settings) if field.metadata["secret"]}
    for name in secrets:
        assert set(re.findall(rf"^ +{name}: (.*)$", TEXT, re.M)) == {f"${{env:{name}, ''}}"}


def test_there_is_no_key_that_only_version_4_understands(service: dict[str, Any]) -> None:
    assert not {"org", "app", "licenseKey", "stages", "build", "state"} & set(service)


def test_queue_messages_stay_hidden_for_six_times_the_functions_time(service: dict[str, Any]) -> None:
    deliver = service["functions"]["deliver"]
    [event] = deliver["events"]
    assert event["sqs"]["batchSize"] == 1
    assert "maximumConcurrency" in event["sqs"]
    assert event["sqs"]["functionResponseType"] == "ReportBatchItemFailures"
    queue = _resources(service, "AWS::SQS::Queue")["LanesQueue"]
    assert queue["VisibilityTimeout"] >= 6 * deliver["timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] > 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_gives_up_before_its_gateway_does(service: dict[str, Any], function: str) -> None:
    declared = service["functions"][function]
    gateways = [event for event in declared.get("events", []) if "httpApi" in event or "websocket" in event]
    assert declared["timeout"] <= (29 if gateways else 120)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_alarm_watches_every_functions_errors(service: dict[str, Any], function: str) -> None:
    alarms = _resources(service, "AWS::CloudWatch::Alarm").values()
    mine = {"Name": "FunctionName", "Value": {"Ref": f"{function.capitalize()}LambdaFunction"}}
    watching = [alarm for alarm in alarms if alarm["MetricName"] == "Errors" and mine in alarm["Dimensions"]]
    assert len(watching) == 1
    assert watching[0]["AlarmActions"]


def test_an_alarm_watches_every_queue(service: dict[str, Any]) -> None:
    alarms = _resources(service, "AWS::CloudWatch::Alarm").values()
    watched = {str(alarm["Dimensions"]) for alarm in alarms if alarm["Namespace"] == "AWS/SQS"}
    for queue in _resources(service, "AWS::SQS::Queue"):
        assert [dimensions for dimensions in watched if f"'{queue}'" in dimensions], queue


def test_events_that_nobody_waits_for_end_in_a_queue_when_they_fail(service: dict[str, Any]) -> None:
    for name in ("parse", "sweep"):
        failed = service["functions"][name]["destinations"]["onFailure"]
        assert failed == {"type": "sqs", "arn": {"Fn::GetAtt": ["FailedEventsQueue", "Arn"]}}
        assert _may(service, name, "sqs:SendMessage")


def test_only_quarantined_uploads_start_parse(service: dict[str, Any]) -> None:
    bucket = _resources(service, "AWS::S3::Bucket")["FilesBucket"]
    [notification] = bucket["NotificationConfiguration"]["LambdaConfigurations"]
    assert notification["Function"] == {"Fn::GetAtt": ["ParseLambdaFunction", "Arn"]}
    assert notification["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": "quarantine/"}]}}


def test_uploads_are_private_encrypted_and_cleared(service: dict[str, Any]) -> None:
    bucket = _resources(service, "AWS::S3::Bucket")["FilesBucket"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in bucket
    [policy] = _resources(service, "AWS::S3::BucketPolicy").values()
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert (rules["quarantine"]["Prefix"], rules["quarantine"]["ExpirationInDays"]) == ("quarantine/", 1)
    assert rules["abandoned-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_both_gateways_are_throttled(service: dict[str, Any]) -> None:
    extensions = service["resources"]["extensions"]
    http, websocket = (extensions[name]["Properties"] for name in ("HttpApiStage", "WebsocketsDeploymentStage"))
    limits = (http["DefaultRouteSettings"], websocket["DefaultRouteSettings"], websocket["RouteSettings"]["$connect"])
    assert all({"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= set(limit) for limit in limits)
