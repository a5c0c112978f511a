"""Object-created events: one per object, in AWS's shape."""

import asyncio
import re
from collections.abc import Callable, Iterator
from queue import Queue
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import httpx
import pytest

from local.aws import ThreadedAws
from local.aws.events import OnObjectEvent

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_each_way_to_make_an_object_has_its_name(
    aws: ThreadedAws, s3: "S3Client", http: httpx.Client, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="put", Body=b"abc")
    form = s3.generate_presigned_post(bucket, "post")
    http.post(form["url"], data=form["fields"], files={"file": b"abc"})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "put"})
    where: Any = {"Bucket": bucket, "Key": "multipart"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, PartNumber=1, Body=b"abc")
    chosen: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**where, MultipartUpload=chosen)
    s3.put_object(Bucket=bucket, Key="last", Body=b"")
    assert [(e["eventName"], e["s3"]["object"]["key"]) for e in aws.events_of(bucket, 5)] == [
        ("ObjectCreated:Put", "put"),
        ("ObjectCreated:Post", "post"),
        ("ObjectCreated:Copy", "copy"),
        ("ObjectCreated:CompleteMultipartUpload", "multipart"),
        ("ObjectCreated:Put", "last"),
    ]


def test_a_record_has_awss_shape(aws: ThreadedAws, s3: "S3Client", bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="quarantine/a.csv", Body=b"abc")
    [record] = aws.events_of(bucket)
    headers = put["ResponseMetadata"]["HTTPHeaders"]
    stored = record["s3"].pop("object")
    moment = record.pop("eventTime")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert re.fullmatch(r"[0-9A-F]{18}", stored.pop("sequencer"))
    assert stored == {"key": "quarantine/a.csv", "size": 3, "eTag": put["ETag"].strip('"')}
    assert record == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDALOCAL"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": headers["x-amz-request-id"],
            "x-amz-id-2": headers["x-amz-id-2"],
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "local",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "A3LOCAL"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
        },
    }


def test_keys_are_encoded_as_in_forms(aws: ThreadedAws, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="up/a b+ü.csv", Body=b"")
    key = aws.events_of(bucket)[0]["s3"]["object"]["key"]
    assert key == "up/a+b%2B%C3%BC.csv"
    assert unquote_plus(key) == "up/a b+ü.csv"


def test_sequencers_rise(aws: ThreadedAws, s3: "S3Client", bucket: str) -> None:
    for body in (b"1", b"2", b"3"):
        s3.put_object(Bucket=bucket, Key="a", Body=body)
    sequencers = [event["s3"]["object"]["sequencer"] for event in aws.events_of(bucket, 3)]
    assert sequencers == sorted(set(sequencers))


def test_what_makes_no_object_makes_no_event(aws: ThreadedAws, s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.get_object(Bucket=bucket, Key="a")["Body"].read()
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a", "IfNoneMatch": "*"})
    assert http.put(url, content=b"2", headers={"if-none-match": "*"}).status_code == 412
    s3.delete_object(Bucket=bucket, Key="a")
    s3.put_object(Bucket=bucket, Key="b", Body=b"1")
    assert [event["s3"]["object"]["key"] for event in aws.events_of(bucket, 2)] == ["a", "b"]


def test_of_many_conditional_puts_one_wins(aws: ThreadedAws, s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a", "IfNoneMatch": "*"})

    async def race() -> list[int]:
        async with httpx.AsyncClient() as client:
            puts = (client.put(url, content=str(n), headers={"if-none-match": "*"}) for n in range(12))
            return [answer.status_code for answer in await asyncio.gather(*puts)]

    assert sorted(asyncio.run(race())) == [200, *([412] * 11)]
    assert len(aws.events_of(bucket)) == 1


@pytest.fixture
def listener(aws: ThreadedAws) -> Iterator[Callable[[OnObjectEvent], None]]:
    """Sets another listener for the time of one test."""
    before = aws.server.on_object_event

    def listen(new: OnObjectEvent) -> None:
        aws.server.on_object_event = new

    yield listen
    aws.server.on_object_event = before


def test_a_listener_may_be_a_coroutine_function_and_may_fail(
    s3: "S3Client", bucket: str, listener: Callable[[OnObjectEvent], None]
) -> None:
    seen: Queue[str] = Queue()

    async def listen(records: list[dict[str, Any]]) -> None:
        await asyncio.sleep(0)
        seen.put(records[0]["s3"]["object"]["key"])
        raise RuntimeError("the listener's own trouble")

    listener(listen)
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    s3.put_object(Bucket=bucket, Key="b", Body=b"")
    assert [seen.get(timeout=10), seen.get(timeout=10)] == ["a", "b"]
