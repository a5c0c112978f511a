"""serverless.yml is read as the Serverless Framework and CloudFormation read it, or refused with the place named."""

import json
from pathlib import Path

import pytest

from local.serverless import (
    CorsRule,
    Deployment,
    HttpEvent,
    ObjectEvent,
    QueueEvent,
    RateLimit,
    ScheduleEvent,
    ServerlessError,
    ServerlessFile,
    Service,
    SocketEvent,
)

ROOT = Path(__file__).parents[2]
HERE = Deployment(sqs_url="http://127.0.0.1:4005")
HEAD = """
service: demo
provider: {name: aws, runtime: python3.12, stage: "${opt:stage, 'dev'}"}
"""


@pytest.fixture
def write(tmp_path: Path) -> Path:
    return tmp_path / "serverless.yml"


def read(path: Path, text: str, **environ: str) -> Service:
    path.write_text(HEAD + text)
    return ServerlessFile(path, environ).service(HERE)


def value(path: Path, declared: str, more: str = "", **environ: str) -> str:
    """What the environment variable X of a function becomes."""
    text = f"functions: {{f: {{handler: a.b, environment: {{X: {declared}}}}}}}\n{more}"
    return read(path, text, **environ).functions["f"].environment["X"]


QUEUES = """
resources:
  Resources:
    Jobs:
      Type: AWS::SQS::Queue
      Properties: {VisibilityTimeout: 60, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}}
    Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: dead-letters}}
    Files: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${AWS::StackName}-Files'}}
    Role: {Type: AWS::IAM::Role, Properties: {Whatever: "${ssm:/nobody/needs/this}"}}
"""


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("plain", "plain"),
        ("5", "5"),
        ("true", "true"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2012-10-17", "2012-10-17"),
        ("\"${env:GIVEN, 'no'}\"", "given"),
        ("\"${env:ABSENT, 'fallback'}\"", "fallback"),
        ("\"${env:ABSENT, ''}\"", ""),
        ('"${env:ABSENT, 50}"', "50"),
        ('"${env:ABSENT, opt:nothing, env:GIVEN}"', "given"),
        ('"${env:ABSENT, ${env:GIVEN}}"', "given"),
        ("\"${env:ABSENT, 'a, b} c'}\"", "a, b} c"),
        ('"${sls:stage}/${opt:stage}/${opt:region}"', "local/local/us-east-1"),
        ('"${self:service}-${self:custom.list.1}"', "demo-two"),
        ('"${self:custom.${sls:stage}.deep}"', "found"),
        ('"${self:custom.indirect}"', "found"),
        ('"${param:only_default}-${param:both}"', "default-of-stage"),
        ("\"${env:ABSENT, 'http://${env:GIVEN}:80'}\"", "http://given:80"),
        ("'${AWS::Region}'", "${AWS::Region}"),
        ("!Sub '${AWS::Region}.${AWS::AccountId}.${AWS::Partition}'", "us-east-1.123456789012.aws"),
        (
            "!Sub 'https://${WebsocketsApi}.x.${AWS::URLSuffix}/${sls:stage}'",
            "https://trafficcop.x.amazonaws.com/local",
        ),
        (
            "!Sub ['${A}-${!Literal}-${Jobs.QueueName}', {A: !Ref AWS::Region}]",
            "us-east-1-${Literal}-demo-local-Jobs",
        ),
        ("{'Fn::Join': ['-', [a, !Ref 'AWS::Region', 3]]}", "a-us-east-1-3"),
        ("!Select [1, !Split [',', 'a,b']]", "b"),
        ("!Base64 hello", "aGVsbG8="),
        ("!ToJsonString {a: !Ref 'AWS::Region'}", '{"a":"us-east-1"}'),
        ("!Ref Jobs", "http://127.0.0.1:4005/123456789012/demo-local-Jobs"),
        ("!Ref Dead", "http://127.0.0.1:4005/123456789012/dead-letters"),
        ("!GetAtt Dead.Arn", "arn:aws:sqs:us-east-1:123456789012:dead-letters"),
        ("{'Fn::GetAtt': [Files, Arn]}", "arn:aws:s3:::demo-local-files"),
        ("!Ref Files", "demo-local-files"),
        ("!Ref FLambdaFunction", "demo-local-f"),
        ("!GetAtt FLambdaFunction.Arn", "arn:aws:lambda:us-east-1:123456789012:function:demo-local-f"),
    ],
)
def test_a_value_becomes(write: Path, declared: str, expected: str) -> None:
    more = (
        QUEUES
        + """
custom: {list: [one, two], local: {deep: found}, indirect: "${self:custom.local.deep}"}
params: {default: {only_default: default, both: default}, local: {both: of-stage}}
"""
    )
    assert value(write, declared, more, GIVEN="given") == expected


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ('"${env:ABSENT}"', r"functions\.f\.environment\.X: \$\{env:ABSENT\} has no value here"),
        ('"${ssm:/secret}"', r"\$\{ssm:/secret\} has no value here.*known sources"),
        ('"${self:custom.circle}"', "refers to itself"),
        ('"a ${self:custom.map}"', "must stand alone"),
        ("\"${env:A, 'b'\"", "closing brace"),
        ("!Ref Nothing", r"environment\.X: there is no resource, function or parameter 'Nothing'"),
        ("!GetAtt Jobs.Colour", r"knows no Colour of Jobs \(AWS::SQS::Queue\)"),
        ("!FindInMap [a, b, c]", "cannot compute Fn::FindInMap"),
        ("!Select [3, [a]]", "no value number 3"),
        ("[1]", "text is expected"),
    ],
)
def test_what_cannot_be_resolved_is_named_with_its_place(write: Path, declared: str, complaint: str) -> None:
    with pytest.raises(ServerlessError, match=complaint):
        value(write, declared, QUEUES + 'custom: {circle: "${self:custom.circle}", map: {}}')


def test_dotenv_files_are_read_when_asked_for_and_the_real_environment_goes_first(write: Path) -> None:
    write.with_name(".env").write_text("A=file\nB='file'\n# C=comment\nexport C=file $A\n")
    write.with_name(".env.local").write_text("B=stage\n")
    declared = "\"${env:A, 'none'} ${env:B, 'none'} ${env:C, 'none'}\""
    assert value(write, declared, "useDotenv: true", A="shell") == "shell stage file $A"
    assert value(write, declared, A="shell") == "shell none none"


def test_a_null_variable_is_not_set_and_functions_override_the_provider(write: Path) -> None:
    text = """
functions:
  f: {handler: a.b, environment: {GONE: null, BOTH: function}}
"""
    write.write_text(HEAD.replace("stage:", "environment: {BOTH: provider, OWN: provider}, stage:") + text)
    environment = ServerlessFile(write, {}).service(HERE).functions["f"].environment
    assert environment == {"BOTH": "function", "OWN": "provider"}


def test_every_notation_of_an_event_is_read(write: Path) -> None:
    text = (
        QUEUES
        + """
functions:
  f:
    handler: a.b
    events:
      - httpApi: GET /one
      - httpApi: '*'
      - httpApi: {method: post, path: '/two/{proxy+}'}
      - httpApi: {path: /three}
      - websocket: $connect
      - websocket: {route: $default, routeResponseSelectionExpression: $default}
      - sqs: !GetAtt Jobs.Arn
      - sqs: {arn: !GetAtt Jobs.Arn, batchSize: 1, maximumConcurrency: 5, functionResponseType: ReportBatchItemFailures}
      - s3: {bucket: !Ref Files, event: 's3:ObjectCreated:Put', rules: [{prefix: in/}, {suffix: .csv}]}
      - schedule: rate(1 minute)
      - schedule: {rate: ['rate(2 hours)'], enabled: false, input: {a: 1}, name: mine}
"""
    )
    queue = "arn:aws:sqs:us-east-1:123456789012:demo-local-Jobs"
    assert read(write, text).functions["f"].events == (
        HttpEvent("GET", "/one"),
        HttpEvent("ANY", "$default"),
        HttpEvent("POST", "/two/{proxy+}"),
        HttpEvent("ANY", "/three"),
        SocketEvent("$connect"),
        SocketEvent("$default", two_way=True),
        QueueEvent(queue),
        QueueEvent(queue, 1, 5, partial_failures=True),
        ObjectEvent("demo-local-files", ("s3:ObjectCreated:Put",), "in/", ".csv"),
        ScheduleEvent(60, "functions-f-events-9"),
        ScheduleEvent(7200, "mine", {"a": 1}, enabled=False),
    )


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ("{sns: topic}", r"functions\.f\.events\[0\]: the local stack runs no `sns` events"),
        ("{schedule: 'cron(0 12 * * ? *)'}", r"rate\(n minutes"),
        ("{httpApi: GET one}", "a path begins with /"),
        ("{websocket: {route: $connect, authorizer: a}}", "does not understand authorizer"),
        ("{sqs: {batchSize: 1}}", "a mapping with arn"),
        ("{sqs: {arn: a, batchSize: many}}", r"batchSize: a number is expected, not 'many'"),
        ("plain", "one event with its kind"),
    ],
)
def test_an_event_that_cannot_run_here_is_refused(write: Path, event: str, complaint: str) -> None:
    with pytest.raises(ServerlessError, match=complaint):
        read(write, f"functions: {{f: {{handler: a.b, events: [{event}]}}}}")


def test_a_buckets_own_notification_is_an_event_of_its_function(write: Path) -> None:
    text = """
functions: {take-it: {handler: a.b}, other: {handler: a.c}}
resources:
  - Resources:
      Files:
        Type: AWS::S3::Bucket
        Properties:
          BucketName: files
          NotificationConfiguration:
            LambdaConfigurations:
              - Event: s3:ObjectCreated:*
                Filter: {S3Key: {Rules: [{Name: Prefix, Value: in/}, {Name: suffix, Value: .csv}]}}
                Function: !GetAtt TakeDashitLambdaFunction.Arn
"""
    functions = read(write, text).functions
    assert functions["take-it"].events == (ObjectEvent("files", ("s3:ObjectCreated:*",), "in/", ".csv"),)
    assert functions["other"].events == ()


def test_queues_and_buckets_keep_what_the_servers_must_know(write: Path) -> None:
    service = read(write, QUEUES)
    jobs, dead = service.queues
    assert dead.name == "dead-letters"
    assert jobs.attributes["VisibilityTimeout"] == "60"
    assert json.loads(jobs.attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": dead.arn,
        "maxReceiveCount": 3,
    }


def test_cors_true_allows_what_the_framework_allows(write: Path) -> None:
    write.write_text(
        "service: s\nprovider: {httpApi: {cors: true}}\nfunctions: {f: {handler: a.b, events: [httpApi: GET /]}}"
    )
    cors = ServerlessFile(write, {}).service(HERE).cors
    assert cors is not None
    assert (cors.allowed_origins, cors.allowed_methods) == (("*",), ("GET", "OPTIONS"))
    assert "Authorization" in cors.allowed_headers


def test_several_origins_may_stand_in_one_entry(write: Path) -> None:
    write.write_text("service: s\nprovider: {httpApi: {cors: {allowedOrigins: ['https://a.test, https://b.test']}}}\n")
    cors = ServerlessFile(write, {}).service(HERE).cors
    assert cors is not None
    assert cors.allowed_origins == ("https://a.test", "https://b.test")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "line 1"),
        ("- a", "mapping is expected at the top"),
        ("provider: {}", "service: a name is expected"),
        ("service: s\nfunctions: {f: {image: x}}", r"functions\.f: a handler is expected"),
        ("service: s\nfunctions: {f: {handler: a.b, runtime: nodejs22.x}}", r"runs Python, not nodejs22\.x"),
        ("service: s\nfunctions: {f: {handler: a.b, timeout: soon}}", r"functions\.f\.timeout: a number"),
    ],
)
def test_a_broken_file_is_refused(write: Path, text: str, complaint: str) -> None:
    write.write_text(text)
    with pytest.raises(ServerlessError, match=complaint):
        ServerlessFile(write, {}).service(HERE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerlessError, match=r"nowhere\.yml: No such file"):
        ServerlessFile(tmp_path / "nowhere.yml")


@pytest.fixture(scope="module")
def ours() -> Service:
    return ServerlessFile(ROOT / "serverless.yml", {}).service(HERE)


def test_our_own_file_needs_nothing_from_the_environment(ours: Service) -> None:
    assert {"connect", "disconnect", "message", "channel", "session", "file", "parse", "sweep"} <= {*ours.functions}


def test_our_own_file_wires_sockets(ours: Service) -> None:
    events = {name: ours.functions[name].events for name in ("connect", "disconnect", "message")}
    assert events == {
        "connect": (SocketEvent("$connect"),),
        "disconnect": (SocketEvent("$disconnect"),),
        "message": (SocketEvent("$default", two_way=True),),
    }


def test_our_own_file_tells_parse_of_uploads_in_quarantine_only(ours: Service) -> None:
    (bucket,) = ours.buckets
    assert ours.functions["parse"].events == (ObjectEvent(bucket.name, prefix="quarantine/"),)
    assert ours.functions["parse"].environment["FILES_BUCKET"] == bucket.name


def test_our_own_file_lets_browsers_upload(ours: Service) -> None:
    assert ours.buckets[0].cors == (CorsRule(("*",), ("PUT", "GET", "HEAD"), ("*",), ("ETag",), 3000),)


def test_our_own_file_drains_lanes_one_message_at_a_time(ours: Service) -> None:
    (event,) = ours.functions["deliver"].events
    assert isinstance(event, QueueEvent)
    assert event.batch_size == 1
    assert event.partial_failures


def test_our_own_file_sweeps_every_minute_and_limits_connects(ours: Service) -> None:
    (event,) = ours.functions["sweep"].events
    assert isinstance(event, ScheduleEvent)
    assert event.seconds == 60
    assert RateLimit("$connect", 300, 500) in ours.socket_limits
