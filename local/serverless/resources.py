"""The resources that the local stack makes: buckets with their notifications, and queues."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.serverless.errors import ServerlessError
from local.serverless.intrinsics import Intrinsics
from local.serverless.model import Bucket, CorsRule, ObjectEvent, Queue

# CloudFormation's property: SQS's attribute of the same name.
_QUEUE_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
)
Properties = Mapping[str, Any]


def place_of(logical_id: str) -> str:
    return f"resources.Resources.{logical_id}.Properties"


def read_queue(logical_id: str, properties: Properties, intrinsics: Intrinsics) -> Queue:
    attributes = {}
    for name in _QUEUE_ATTRIBUTES:
        if name in properties:
            value = intrinsics.resolve(properties[name], f"{place_of(logical_id)}.{name}")
            attributes[name] = str(value).lower() if isinstance(value, bool) else str(value)
    if "RedrivePolicy" in properties:
        redrive = intrinsics.resolve(properties["RedrivePolicy"], f"{place_of(logical_id)}.RedrivePolicy")
        attributes["RedrivePolicy"] = json.dumps(redrive)
    arn = intrinsics.resolve({"Fn::GetAtt": [logical_id, "Arn"]}, logical_id)
    url = intrinsics.resolve({"Ref": logical_id}, logical_id)
    return Queue(intrinsics.queue_name(logical_id), arn, url, attributes)


def read_bucket(logical_id: str, properties: Properties, intrinsics: Intrinsics) -> Bucket:
    rules = intrinsics.resolve(properties.get("CorsConfiguration", {}), place_of(logical_id)).get("CorsRules", [])
    lifecycle = intrinsics.resolve(properties.get("LifecycleConfiguration", {}), place_of(logical_id)).get("Rules", [])
    return Bucket(intrinsics.bucket_name(logical_id), tuple(map(_cors_rule, rules)), tuple(lifecycle))


def _cors_rule(rule: Properties) -> CorsRule:
    return CorsRule(
        tuple(rule.get("AllowedOrigins", ())),
        tuple(rule.get("AllowedMethods", ())),
        tuple(rule.get("AllowedHeaders", ())),
        tuple(rule.get("ExposedHeaders", ())),
        rule.get("MaxAge"),
    )


def read_notifications(
    logical_id: str, properties: Properties, intrinsics: Intrinsics
) -> Iterator[tuple[str, ObjectEvent]]:
    """ARN of the function and what it is told of, for each notification that the bucket itself declares."""
    where = f"{place_of(logical_id)}.NotificationConfiguration"
    declared = intrinsics.resolve(properties.get("NotificationConfiguration", {}), where)
    if others := declared.keys() - {"LambdaConfigurations"}:
        raise ServerlessError(f"{where}: the local stack tells functions only, not {', '.join(sorted(others))}")
    bucket = intrinsics.bucket_name(logical_id)
    for notification in declared.get("LambdaConfigurations", []):
        rules = notification.get("Filter", {}).get("S3Key", {}).get("Rules", [])
        filters = {rule["Name"].lower(): rule["Value"] for rule in rules}
        event = (notification["Event"],)
        told = ObjectEvent(bucket, event, filters.get("prefix", ""), filters.get("suffix", ""))
        yield notification["Function"], told
