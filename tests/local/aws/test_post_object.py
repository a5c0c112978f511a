"""Browser form uploads: the policy decides (facts: files-sessions §5.2)."""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.aws import ThreadedAws
from tests.local.aws.answers import detail, refusal
from tests.local.aws.conftest import ServerClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = b"a,b\n1,2\n"
SHA256 = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
TAGGING = "<Tagging><TagSet><Tag><Key>team</Key><Value>a + b</Value></Tag></TagSet></Tagging>"


class Form:
    """A form for `t1/a.csv`, text/csv, 4 to 1,000 bytes; `fields` may be changed before `post`."""

    def __init__(self, s3: "S3Client", http: httpx.Client, bucket: str, **fields: str) -> None:
        conditions: list[Any] = [["content-length-range", 4, 1000], *({n: v} for n, v in fields.items())]
        typed = {"Content-Type": "text/csv", **fields}
        signed = s3.generate_presigned_post(
            bucket, "t1/a.csv", Fields=typed, Conditions=[{"Content-Type": "text/csv"}, *conditions], ExpiresIn=60
        )
        self.url, self.fields, self._http = signed["url"], dict(signed["fields"]), http

    def post(self, data: bytes = DATA, name: str = "a.csv") -> httpx.Response:
        return self._http.post(self.url, data=self.fields, files={"file": (name, data)})


@pytest.fixture
def form(s3: "S3Client", http: httpx.Client, bucket: str) -> Form:
    return Form(s3, http, bucket)


def test_a_form_as_signed_is_stored(s3: "S3Client", bucket: str, form: Form) -> None:
    answer = form.post()
    stored = s3.head_object(Bucket=bucket, Key="t1/a.csv")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == stored["ETag"]
    assert (stored["ContentLength"], stored["ContentType"]) == (len(DATA), "text/csv")


def test_too_many_bytes_are_refused(form: Form) -> None:
    answer = form.post(bytes(1001))
    assert refusal(answer) == (400, "EntityTooLarge")
    assert (detail(answer, "ProposedSize"), detail(answer, "MaxSizeAllowed")) == ("1001", "1000")


def test_too_few_bytes_are_refused(form: Form) -> None:
    assert refusal(form.post(b"abc")) == (400, "EntityTooSmall")


def test_another_content_type_than_the_policys_is_refused(form: Form) -> None:
    form.fields["Content-Type"] = "text/html"
    assert refusal(form.post()) == (403, "AccessDenied")


def test_another_tenants_key_is_refused(s3: "S3Client", bucket: str, form: Form) -> None:
    form.fields["key"] = "t2/a.csv"
    answer = form.post()
    assert refusal(answer) == (403, "AccessDenied")
    assert '["eq", "$key", "t1/a.csv"]' in detail(answer, "Message")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_another_bucket_than_the_policys_is_refused(s3: "S3Client", bucket: str, form: Form) -> None:
    s3.create_bucket(Bucket=f"{bucket}-other")
    form.url = f"{form.url}-other"
    assert refusal(form.post()) == (403, "AccessDenied")


def test_an_expired_policy_is_refused(form: Form, clock: ServerClock) -> None:
    clock.ahead = 62
    answer = form.post()
    assert refusal(answer) == (403, "AccessDenied")
    assert detail(answer, "Message") == "Invalid according to Policy: Policy expired."


def test_a_forged_signature_is_refused(form: Form) -> None:
    form.fields["x-amz-signature"] = "0" * 64
    assert refusal(form.post()) == (403, "SignatureDoesNotMatch")


def test_a_policy_of_ones_own_is_refused(form: Form) -> None:
    form.fields["policy"] = base64.b64encode(b'{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').decode()
    assert refusal(form.post()) == (403, "SignatureDoesNotMatch")


def test_a_field_that_the_policy_does_not_name_is_refused(form: Form) -> None:
    form.fields["x-amz-meta-owner"] = "mallory"
    answer = form.post()
    assert refusal(answer) == (403, "AccessDenied")
    assert detail(answer, "Message") == "Invalid according to Policy: Extra input fields: x-amz-meta-owner"


def test_a_field_to_be_ignored_is_ignored(form: Form) -> None:
    form.fields["x-ignore-submit"] = "Upload"
    assert form.post().status_code == 204


def test_a_field_that_the_policy_wants_must_be_there(form: Form) -> None:
    del form.fields["Content-Type"]
    assert refusal(form.post()) == (403, "AccessDenied")


def test_other_bytes_than_the_checksum_says_are_refused(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    form = Form(s3, http, bucket, **{"x-amz-checksum-sha256": SHA256})
    assert refusal(form.post(DATA.replace(b"1", b"9"))) == (400, "BadDigest")
    assert form.post().status_code == 204
    assert s3.head_object(Bucket=bucket, Key="t1/a.csv", ChecksumMode="ENABLED")["ChecksumSHA256"] == SHA256


def test_tags_and_metadata_are_kept(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    fields = {"tagging": TAGGING, "x-amz-meta-colour": "red", "Content-Disposition": "attachment"}
    assert Form(s3, http, bucket, **fields).post().status_code == 204
    stored = s3.head_object(Bucket=bucket, Key="t1/a.csv")
    assert s3.get_object_tagging(Bucket=bucket, Key="t1/a.csv")["TagSet"] == [{"Key": "team", "Value": "a + b"}]
    assert stored["Metadata"] == {"colour": "red"}
    assert stored["ContentDisposition"] == "attachment"


def test_tags_that_are_no_xml_are_refused(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    assert refusal(Form(s3, http, bucket, tagging="<Tagging>").post()) == (400, "MalformedXML")


def test_the_forms_wish_for_an_answer_is_granted(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    created = Form(s3, http, bucket, success_action_status="201").post()
    assert (created.status_code, detail(created, "Key")) == (201, "t1/a.csv")
    assert http.get(detail(created, "Location")).status_code == 403
    target = "https://app.test/done?step=2"
    redirected = Form(s3, http, bucket, success_action_redirect=target).post()
    assert redirected.status_code == 303
    assert redirected.headers["location"].startswith(f"{target}&bucket={bucket}&key=t1%2Fa.csv&etag=")


def test_the_files_name_takes_its_place_in_the_key(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    signed = s3.generate_presigned_post(bucket, "t1/${filename}")
    files = {"file": ("C:\\docs\\ü 1.csv", DATA)}
    assert http.post(signed["url"], data=signed["fields"], files=files).status_code == 204
    assert s3.head_object(Bucket=bucket, Key="t1/ü 1.csv")["ContentLength"] == len(DATA)


def test_a_form_may_be_sent_again_until_it_expires(s3: "S3Client", bucket: str, form: Form) -> None:
    """As on AWS: a policy knows no single use, which is why our uploads are PUTs."""
    form.post()
    assert form.post(b"other").status_code == 204
    assert s3.get_object(Bucket=bucket, Key="t1/a.csv")["Body"].read() == b"other"


def test_a_form_without_a_policy_is_anonymous(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    answer = http.post(f"{aws.s3_url}/{bucket}", data={"key": "a"}, files={"file": b"x"})
    assert refusal(answer) == (403, "AccessDenied")


def test_a_form_without_a_file_is_refused(http: httpx.Client, form: Form) -> None:
    answer = http.post(form.url, files={name: (None, value) for name, value in form.fields.items()})
    assert refusal(answer) == (400, "InvalidArgument")


def test_a_body_that_is_no_form_is_refused(http: httpx.Client, form: Form) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert refusal(http.post(form.url, content=b"garbage", headers=headers)) == (400, "MalformedPOSTRequest")


def test_a_post_that_is_no_form_is_refused(http: httpx.Client, form: Form) -> None:
    assert refusal(http.post(form.url, content=b"x")) == (412, "PreconditionFailed")


@pytest.mark.parametrize("policy", ["!", base64.b64encode(b"{}").decode(), base64.b64encode(b"[]").decode()])
def test_a_signed_policy_that_cannot_be_read_is_refused(aws: ThreadedAws, form: Form, policy: str) -> None:
    from local.aws.signatures import Scope, signature

    scope = Scope.parse(form.fields["x-amz-credential"])
    assert scope is not None
    form.fields["policy"] = policy
    form.fields["x-amz-signature"] = signature(scope.signing_key(aws.secret_key), policy)
    assert refusal(form.post()) == (400, "InvalidPolicyDocument")


def test_a_large_file_arrives_whole(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    data = bytes(range(256)) * (64 * 1024)
    signed = s3.generate_presigned_post(bucket, "large")
    assert http.post(signed["url"], data=signed["fields"], files={"file": data}).status_code == 204
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
