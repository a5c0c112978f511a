"""Queues, new objects and schedules invoke functions with AWS's events, retries and partial failures."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws import ThreadedAws
from local.events import EventSources
from local.events.objects import matches
from local.events.polling import failed_messages
from local.gateway import InvokeError, InvokeThrottled, InvokeTimeout
from local.provisioning import provision
from local.serverless import Deployment, ObjectEvent, ServerlessError, ServerlessFile, Service

YAML = """
service: demo
provider: {name: aws, runtime: python3.13}
functions:
  work:
    handler: a.b
    events:
      - sqs: {arn: !GetAtt Jobs.Arn, batchSize: 4, maximumConcurrency: 2, functionResponseType: ReportBatchItemFailures}
  whole: {handler: a.b, events: [sqs: !GetAtt Simple.Arn]}
  take:
    handler: a.b
    events: [s3: {bucket: files, rules: [{prefix: in/}, {suffix: .csv}]}]
    destinations: {onFailure: !GetAtt Failed.Arn}
  tick:
    handler: a.b
    maximumRetryAttempts: 0
    events: [schedule: rate(1 minute), schedule: {rate: rate(1 day), input: {a: 1}}]
resources:
  Resources:
    Jobs:
      Type: AWS::SQS::Queue
      Properties: {VisibilityTimeout: 1, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}}
    Simple: {Type: AWS::SQS::Queue}
    Dead: {Type: AWS::SQS::Queue}
    Failed: {Type: AWS::SQS::Queue}
    Files:
      Type: AWS::S3::Bucket
      Properties:
        BucketName: files
        CorsConfiguration: {CorsRules: [{AllowedOrigins: ['*'], AllowedMethods: [PUT], MaxAge: 60}]}
        LifecycleConfiguration: {Rules: [{Id: in, Status: Enabled, Prefix: in/, ExpirationInDays: 1}]}
"""
Answer = Callable[[str, Any], object]


class Recorder:
    """Stands where the Lambda runtime is; `answer` decides what a call gives or raises."""

    def __init__(self, answer: Answer) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.request_ids: list[str] = []
        self.answer = answer
        self.at_once = self.most_at_once = 0

    async def invoke(self, function: str, event: object, request_id: str = "") -> object:
        self.calls.append((function, event))
        self.request_ids.append(request_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.002)
        self.at_once -= 1
        return self.answer(function, event)

    def events_of(self, function: str) -> list[Any]:
        return [event for name, event in self.calls if name == function]


@pytest.fixture(scope="module")
def aws() -> Iterator[ThreadedAws]:
    with ThreadedAws() as server:
        yield server


@pytest.fixture
def service(aws: ThreadedAws, tmp_path: Path, request: pytest.FixtureRequest) -> Service:
    """Queues of its own for each test."""
    path = tmp_path / "serverless.yml"
    path.write_text(YAML.replace("service: demo", f"service: s{abs(hash(request.node.name))}"))
    service = ServerlessFile(path, {}).service(Deployment(sqs_url=aws.sqs_url))
    provision(service, aws.s3_url, aws.sqs_url, aws.access_key, aws.secret_key)
    return service


def nothing(function: str, event: Any) -> object:
    return None


def play(
    service: Service,
    aws: ThreadedAws,
    answer: Answer,
    scene: Callable[[EventSources, Recorder], Awaitable[None]],
) -> Recorder:
    """Runs the event sources with a recorder behind them while `scene` lasts."""
    recorder = Recorder(answer)

    async def stage() -> None:
        sources = EventSources(service, recorder, aws.sqs_url, environments=3, delays=(0.0, 0.0))
        await sources.start(schedule=False)
        try:
            await scene(sources, recorder)
        finally:
            await sources.stop()

    asyncio.run(stage())
    return recorder


async def eventually(is_true: Callable[[], Any]) -> None:
    while not is_true():
        await asyncio.sleep(0.005)


def send(aws: ThreadedAws, service: Service, queue: int, *bodies: str) -> None:
    for body in bodies:
        aws.client("sqs").send_message(
            QueueUrl=service.queues[queue].url,
            MessageBody=body,
            MessageAttributes={"Kind": {"DataType": "String", "StringValue": "test"}},
        )


def left_in(aws: ThreadedAws, service: Service, queue: int) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = service.queues[queue].url
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def test_a_message_becomes_a_record_in_awss_shape_and_is_deleted(aws: ThreadedAws, service: Service) -> None:
    async def scene(sources: EventSources, recorder: Recorder) -> None:
        send(aws, service, 1, "hello")
        await eventually(lambda: recorder.calls and not left_in(aws, service, 1))

    ((function, event),) = play(service, aws, nothing, scene).calls
    (record,) = event["Records"]
    assert function == "whole"
    assert record["body"] == "hello"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == service.queues[1].arn
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["Kind"]["stringValue"] == "test"
    assert record["messageAttributes"]["Kind"]["dataType"] == "String"
    assert record["md5OfBody"] == "5d41402abc4b2a76b9719d911017c592"


def test_only_messages_that_the_function_names_come_again_and_then_go_to_the_dead_letter_queue(
    aws: ThreadedAws, service: Service
) -> None:
    def answer(function: str, event: Any) -> object:
        bad = [one["messageId"] for one in event["Records"] if one["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}

    async def scene(sources: EventSources, recorder: Recorder) -> None:
        send(aws, service, 0, "good", "bad", "fine")
        await eventually(lambda: left_in(aws, service, 2) == 1 and not left_in(aws, service, 0))

    bodies = [one["body"] for event in play(service, aws, answer, scene).events_of("work") for one in event["Records"]]
    assert sorted(bodies) == ["bad", "bad", "fine", "good"]


def test_a_batch_whose_function_fails_is_not_deleted(aws: ThreadedAws, service: Service) -> None:
    def answer(function: str, event: Any) -> object:
        raise InvokeError({"errorType": "E", "errorMessage": "m"})

    async def scene(sources: EventSources, recorder: Recorder) -> None:
        send(aws, service, 0, "lost?")
        await eventually(lambda: left_in(aws, service, 2) == 1)

    assert len(play(service, aws, answer, scene).events_of("work")) == 2


def test_batches_keep_to_their_size_and_concurrency(aws: ThreadedAws, service: Service) -> None:
    async def scene(sources: EventSources, recorder: Recorder) -> None:
        send(aws, service, 0, *"abcdefghijklmnop")
        await eventually(lambda: not left_in(aws, service, 0))

    recorder = play(service, aws, nothing, scene)
    assert max(len(event["Records"]) for event in recorder.events_of("work")) <= 4
    assert recorder.most_at_once <= 2


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "of-nobody"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrong": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
        ("nonsense", {"a", "b"}),
    ],
)
def test_what_an_answer_says_of_the_batch(answer: object, failed: set[str]) -> None:
    assert failed_messages(answer, {"a", "b"}) == failed


def record_of(key: str, bucket: str = "files", name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (record_of("in/a.csv"), True),
        (record_of("in/a+b%2Bc.csv"), True),
        (record_of("in%2Fa.csv"), True),
        (record_of("out/a.csv"), False),
        (record_of("in/a.json"), False),
        (record_of("in/a.csv", bucket="other"), False),
        (record_of("in/a.csv", name="ObjectRemoved:Delete"), False),
    ],
)
def test_a_function_is_told_of_objects_that_match_bucket_event_prefix_and_suffix(
    record: dict[str, Any], told: bool
) -> None:
    assert matches(ObjectEvent("files", prefix="in/", suffix=".csv"), record) is told


def test_each_record_is_an_event_of_its_own(aws: ThreadedAws, service: Service) -> None:
    async def scene(sources: EventSources, recorder: Recorder) -> None:
        sources.objects([record_of("in/1.csv"), record_of("out/2.csv"), record_of("in/3.csv")])
        await eventually(lambda: len(recorder.calls) == 2)

    events = play(service, aws, nothing, scene).events_of("take")
    assert [one["s3"]["object"]["key"] for event in events for one in event["Records"]] == [
        "in/1.csv",
        "in/3.csv",
    ]


@pytest.mark.parametrize("error", [InvokeError({"errorType": "E", "errorMessage": "m"}), InvokeTimeout("late")])
def test_an_asynchronous_event_that_fails_is_tried_twice_more_and_then_reported(
    aws: ThreadedAws, service: Service, error: Exception
) -> None:
    def answer(function: str, event: Any) -> object:
        raise error

    async def scene(sources: EventSources, recorder: Recorder) -> None:
        await sources.invocations.submit(service.functions["take"], {"n": 1})

    recorder = play(service, aws, answer, scene)
    assert recorder.events_of("take") == [{"n": 1}] * 3
    (message,) = aws.client("sqs").receive_message(QueueUrl=service.queues[3].url)["Messages"]
    report = json.loads(message["Body"])
    assert report["requestPayload"] == {"n": 1}
    assert recorder.request_ids == [report["requestContext"]["requestId"]] * 3
    assert report["requestContext"]["condition"] == "RetriesExhausted"
    assert report["requestContext"]["approximateInvokeCount"] == 3
    assert report["requestContext"]["functionArn"] == f"{service.functions['take'].arn}:$LATEST"
    assert report["responsePayload"]["errorMessage"] in ("m", "late")


def test_an_asynchronous_event_that_succeeds_at_last_is_not_reported(aws: ThreadedAws, service: Service) -> None:
    attempts = iter([InvokeError({"errorType": "E", "errorMessage": "m"}), None])

    def answer(function: str, event: Any) -> object:
        if failure := next(attempts):
            raise failure
        return None

    async def scene(sources: EventSources, recorder: Recorder) -> None:
        await sources.invocations.submit(service.functions["take"], {})

    assert len(play(service, aws, answer, scene).calls) == 2
    assert left_in(aws, service, 3) == 0


def test_throttling_is_no_failure_but_age_is(aws: ThreadedAws, service: Service) -> None:
    def answer(function: str, event: Any) -> object:
        raise InvokeThrottled("busy")

    async def scene(sources: EventSources, recorder: Recorder) -> None:
        await sources.invocations.submit(replace(service.functions["take"], maximum_event_age=0), {})

    play(service, aws, answer, scene)
    (message,) = aws.client("sqs").receive_message(QueueUrl=service.queues[3].url)["Messages"]
    assert json.loads(message["Body"])["requestContext"]["condition"] == "EventAgeExceeded"


def test_a_tick_fires_every_schedule_once_with_eventbridges_event_or_the_declared_input(
    aws: ThreadedAws, service: Service
) -> None:
    async def scene(sources: EventSources, recorder: Recorder) -> None:
        await sources.schedules.tick()

    scheduled, declared = play(service, aws, nothing, scene).events_of("tick")
    assert declared == {"a": 1}
    assert scheduled["source"] == "aws.events"
    assert scheduled["detail-type"] == "Scheduled Event"
    assert scheduled["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/functions-tick-events-0"]


def test_a_function_may_forbid_retries(aws: ThreadedAws, service: Service) -> None:
    def answer(function: str, event: Any) -> object:
        raise InvokeTimeout("late")

    async def scene(sources: EventSources, recorder: Recorder) -> None:
        await sources.schedules.tick()

    assert len(play(service, aws, answer, scene).events_of("tick")) == 2


def test_a_queue_that_nobody_declares_cannot_be_polled(aws: ThreadedAws, service: Service) -> None:
    async def scene(sources: EventSources, recorder: Recorder) -> None:
        raise AssertionError("it must not get here")

    with pytest.raises(ServerlessError, match=r"functions\.work: no queue here has the ARN"):
        play(replace(service, queues=()), aws, nothing, scene)


def test_buckets_and_queues_are_made_as_declared_and_may_exist_already(aws: ThreadedAws, service: Service) -> None:
    provision(service, aws.s3_url, aws.sqs_url, aws.access_key, aws.secret_key)
    s3 = aws.client("s3")
    (rule,) = s3.get_bucket_cors(Bucket="files")["CORSRules"]
    assert (rule["AllowedMethods"], rule["MaxAgeSeconds"]) == (["PUT"], 60)
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="files")["Rules"]
    assert (rule["ID"], rule["Expiration"]["Days"], rule["Filter"]["Prefix"]) == ("in", 1, "in/")
    sqs = aws.client("sqs")
    jobs = sqs.get_queue_attributes(QueueUrl=service.queues[0].url, AttributeNames=["All"])["Attributes"]
    assert jobs["QueueArn"] == service.queues[0].arn
    assert jobs["VisibilityTimeout"] == "1"
    assert json.loads(jobs["RedrivePolicy"])["deadLetterTargetArn"] == service.queues[2].arn
