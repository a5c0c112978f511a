"""Makes the buckets and queues that serverless.yml declares, as CloudFormation would."""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.serverless import Bucket, CorsRule, Queue, Service

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


def provision(service: Service, s3_url: str, sqs_url: str, access_key: str, secret_key: str) -> None:
    """Idempotent; blocks. What exists already (from an earlier run) is brought to the declared settings."""
    import boto3
    from botocore.config import Config

    options: dict[str, Any] = {
        "region_name": service.region,
        "aws_access_key_id": access_key,
        "aws_secret_access_key": secret_key,
    }
    session = boto3.session.Session(**options)
    s3 = session.client("s3", endpoint_url=s3_url, config=Config(s3={"addressing_style": "path"}))
    sqs = session.client("sqs", endpoint_url=sqs_url)
    for bucket in service.buckets:
        _make_bucket(s3, bucket, service.region)
    # A redrive policy may only name a queue that exists.
    for queue in sorted(service.queues, key=lambda one: "RedrivePolicy" in one.attributes):
        _make_queue(sqs, queue)


def _make_bucket(s3: "S3Client", bucket: Bucket, region: str) -> None:
    place: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket.name, **place)
    if bucket.cors:
        s3.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": [_cors(rule) for rule in bucket.cors]})
    if bucket.lifecycle:
        rules: Any = [_lifecycle(rule) for rule in bucket.lifecycle]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": rules})


def _cors(rule: CorsRule) -> Any:
    declared = {
        "AllowedOrigins": [*rule.allowed_origins],
        "AllowedMethods": [*rule.allowed_methods],
        "AllowedHeaders": [*rule.allowed_headers],
        "ExposeHeaders": [*rule.exposed_headers],
        "MaxAgeSeconds": rule.max_age,
    }
    return {name: value for name, value in declared.items() if value not in ([], None)}


def _lifecycle(rule: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation's notation as the API's."""
    declared = dict(rule)
    days = declared.pop("ExpirationInDays", None)
    if days is not None:
        declared["Expiration"] = {"Days": int(days)}
    declared["Filter"] = {"Prefix": declared.pop("Prefix", "")}
    declared["ID"] = declared.pop("Id", "")
    return declared


def _make_queue(sqs: "SQSClient", queue: Queue) -> None:
    attributes: Any = dict(queue.attributes)
    try:
        sqs.create_queue(QueueName=queue.name, Attributes=attributes)
    except sqs.exceptions.QueueNameExists:
        sqs.set_queue_attributes(QueueUrl=queue.url, Attributes=attributes)
