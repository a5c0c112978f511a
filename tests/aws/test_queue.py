"""Lane messages through a real SQS protocol server."""

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from mypy_boto3_sqs import SQSClient

from shared.aws.credentials import Credentials
from shared.aws.http import HttpClient
from shared.aws.queue import LaneQueue
from shared.aws.sigv4 import Signer
from shared.errors import Unavailable

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def sqs() -> Iterator[SQSClient]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "sqs",
        endpoint_url=f"http://{host}:{port}",
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()
    server.stop()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient()
    yield client
    client.close()


def queue(sqs: SQSClient, http: HttpClient, name: str) -> LaneQueue:
    signer = Signer(Credentials("test", "test"), REGION, "sqs")
    return LaneQueue(f"{sqs.meta.endpoint_url}/123456789012/{name}", signer, http)


def received(sqs: SQSClient, name: str) -> list[str]:
    url, bodies = sqs.get_queue_url(QueueName=name)["QueueUrl"], []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
    return bodies


def test_a_delayed_message_is_not_seen_before(sqs: SQSClient, http: HttpClient) -> None:
    sqs.create_queue(QueueName="delayed")
    queue(sqs, http, "delayed").send(["later"], delay_s=900)
    assert received(sqs, "delayed") == []
    url = sqs.get_queue_url(QueueName="delayed")["QueueUrl"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    assert counts["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"


def test_every_message_arrives_however_many(sqs: SQSClient, http: HttpClient) -> None:
    sqs.create_queue(QueueName="lanes")
    messages = [f'{{"lane":{i},"channel":"chat:gr\u00fc\u00df"}}' for i in range(23)]
    queue(sqs, http, "lanes").send(messages)
    assert sorted(received(sqs, "lanes")) == sorted(messages)


def test_nothing_to_send_asks_nobody(http: HttpClient) -> None:
    signer = Signer(Credentials("test", "test"), REGION, "sqs")
    LaneQueue("http://127.0.0.1:9/1/none", signer, http).send([])


def test_an_unknown_queue_is_unavailable(sqs: SQSClient, http: HttpClient) -> None:
    with pytest.raises(Unavailable, match="answered 400"):
        queue(sqs, http, "absent").send(["x"])
