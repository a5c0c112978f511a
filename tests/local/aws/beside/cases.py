"""What both are asked, what the gate has to answer, and why it is right where the other answers something else.

"API" is the Amazon S3 API reference, as botocore's service model and docs.aws.amazon.com have it.
"""

from typing import Final

from tests.local.aws.beside.asking import Ask, Form, Step
from tests.local.aws.beside.multipart import MULTIPART
from tests.local.aws.beside.words import (
    ABSENT,
    BROKEN,
    COPIED,
    DATA,
    DENIED,
    ETAG,
    FAILED,
    FULL,
    LONG_AGO,
    MISMATCH,
    SOON,
    STORED,
    checksums,
    copy,
    digest,
    get,
    head,
    preflight,
    put,
)

# Why the gate is right where LocalStack answers something else.
QUERY: Final = "API, Authenticating Requests: Using Query Parameters"
ERRORS: Final = "API, Error responses"
POLICY: Final = "API, Authenticating Requests in Browser-Based Uploads Using POST"
GET_OBJECT, COPY_OBJECT = "API, GetObject: If-Match makes If-Unmodified-Since void", "API, CopyObject"

CORS: Final = """<CORSConfiguration><CORSRule><AllowedOrigin>https://app.test</AllowedOrigin>
  <AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader>
  <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>300</MaxAgeSeconds></CORSRule></CORSConfiguration>"""

CASES: Final[dict[str, list[Step]]] = {
    "PUT as signed": [
        put().gives("200").telling(etag=ETAG, x_amz_checksum_sha256=digest("sha256")),
        checksums().gives("200").telling(content_type="text/csv", x_amz_checksum_type="FULL_OBJECT"),
    ],
    "PUT expired": [put(age=61).gives(DENIED)],
    "PUT from the future": [put(age=-1000).gives(DENIED).elsewhere("200", f"{QUERY}: valid from X-Amz-Date on")],
    "PUT with a wrong signature": [put(forged=("Signature=....", "Signature=0000")).gives(MISMATCH)],
    "PUT for longer than signed": [put(forged=("Expires=60", "Expires=600")).gives(MISMATCH)],
    "PUT for longer than a week": [
        put(forged=("Expires=60", "Expires=604801"))
        .gives("400 AuthorizationQueryParametersError")
        .elsewhere(MISMATCH, f"{QUERY}: at most 604800")
    ],
    "PUT for another key": [put(forged=("/t1/", "/t2/")).gives(MISMATCH)],
    "PUT by an unknown key": [
        put(forged=("Credential=test", "Credential=toast")).gives("403 InvalidAccessKeyId").elsewhere(MISMATCH, ERRORS)
    ],
    "PUT for another region": [
        put(forged=("us-east-1", "us-west-2"))
        .gives("400 AuthorizationQueryParametersError")
        .elsewhere(MISMATCH, f"{ERRORS}; {QUERY}: X-Amz-Credential")
    ],
    "PUT without a proof": [put({}, forged=(r"\?.*", "")).gives(DENIED).elsewhere("200", "the bucket is private")],
    "PUT with half a proof": [put(forged=("&X-Amz-Signature=.*", "")).gives("400 AuthorizationQueryParametersError")],
    "PUT of another length": [put(body=DATA + b"3").gives(MISMATCH)],
    "PUT without a signed header": [put(sent={"if-none-match": None}).gives(MISMATCH)],
    "PUT of another type": [put(sent={"content-type": "text/html"}).gives(MISMATCH)],
    "PUT with an unsigned header": [put(sent={"x-amz-acl": "public-read"}).gives(DENIED)],
    "PUT of other bytes": [put(body=DATA.replace(b"1", b"9")).gives("400 BadDigest")],
    "PUT with a checksum that is none": [
        put({**FULL, "x-amz-checksum-sha256": "bm9uZQ=="}).gives("400 InvalidRequest"),
        put({**FULL, "x-amz-checksum-sha1": digest("sha1")}).gives("400 InvalidRequest"),
    ],
    "PUT with a wrong Content-MD5": [
        put({"content-md5": digest("md5", b"")}).gives("400 BadDigest"),
        put({"content-md5": "garbage"}).gives("400 InvalidDigest"),
    ],
    "PUT twice": [
        put().gives("200"),
        put().gives(FAILED),
        put({"if-match": '"other"'}).gives(FAILED),
        put({"if-match": ETAG}).gives("200"),
        put({"if-match": ETAG}, "absent").gives(ABSENT),
        put({"if-none-match": ETAG}).gives("501 NotImplemented"),
    ],
    "keys in any script": [
        put({}, "日本/ü 😀\u202e+%2F&?=#~'.csv").gives("200"),
        get("日本/ü 😀\u202e+%2F&?=#~'.csv").gives(r"200 a,b\n1,2\n"),
        put({}, "x//y").gives("200"),
        get("x/y").gives(ABSENT),
        put({}, "k" * 1024).gives("200"),
        put({}, "k" * 1025).gives("400 KeyTooLongError"),
    ],
    "ranges": [
        STORED,
        get(range="bytes=2-4").gives(r"206 b\n1").telling(content_range="bytes 2-4/8", etag=ETAG),
        get(range="bytes=4-").gives(r"206 1,2\n").telling(content_range="bytes 4-7/8"),
        get(range="bytes=-3").gives(r"206 ,2\n").telling(content_range="bytes 5-7/8"),
        get(range="bytes=2-400").gives(r"206 b\n1,2\n").telling(content_range="bytes 2-7/8"),
        get(range="bytes=8-").gives("416 InvalidRange"),
        get(range="bytes=4-2").gives(r"200 a,b\n1,2\n"),
        get(range="bytes=0-1,4-5").gives(r"200 a,b\n1,2\n"),
        head(range="bytes=2-4").gives("206").telling(content_range="bytes 2-4/8"),
    ],
    "headers of a download": [
        put({"content-type": "text/html"}).gives("200"),
        Ask(
            "GET",
            query={
                "response-content-disposition": "attachment; filename=\"a_.csv\"; filename*=UTF-8''a%C3%BC.csv",
                "response-content-type": "application/octet-stream",
                "response-cache-control": "private, no-store",
            },
        )
        .gives(r"200 a,b\n1,2\n")
        .telling(
            content_type="application/octet-stream",
            content_disposition="attachment; filename=\"a_.csv\"; filename*=UTF-8''a%C3%BC.csv",
            cache_control="private, no-store",
        ),
        Ask("GET", query={"response-content-type": "a/b"}, forged=("a%2Fb", "text%2Fhtml")).gives(MISMATCH),
        Ask("GET", query={"response-content-disposition": "attachment; filename=日本"})
        .gives("400 InvalidArgument")
        .elsewhere("500", "Header value cannot be represented using ISO-8859-1, as users of S3 report"),
    ],
    "conditional reads": [
        STORED,
        *(
            ask(if_none_match=ETAG)
            .gives("304")
            .telling(etag=ETAG)
            .elsewhere_without("etag", "last-modified", why="RFC 9110, 15.4.5: with the headers of a 200")
            for ask in (get, head)
        ),
        get(if_none_match='"other"', if_modified_since=SOON).gives(r"200 a,b\n1,2\n"),
        get(if_modified_since=SOON).gives(r"200 a,b\n1,2\n"),
        get(if_match='"other"').gives(FAILED),
        head(if_match='"other"').gives("412"),
        get(if_unmodified_since=LONG_AGO).gives(FAILED),
        get(if_match=ETAG, if_unmodified_since=LONG_AGO).gives(r"200 a,b\n1,2\n").elsewhere(FAILED, GET_OBJECT),
    ],
    "what is absent": [
        get("absent").gives(ABSENT),
        head("absent").gives("404"),
        Ask("DELETE", "absent").gives("204"),
        STORED,
        Ask("DELETE").gives("204"),
        Ask("DELETE").gives("204"),
        get().gives(ABSENT),
    ],
    "methods that objects do not have": [
        Ask("PATCH").gives("405 MethodNotAllowed").elsewhere(BROKEN, ERRORS),
        Ask("POST", body=DATA).gives("405 MethodNotAllowed").elsewhere(BROKEN, ERRORS),
    ],
    "a copy on a condition": [
        STORED,
        copy(x_amz_copy_source_if_match='"other"').gives(FAILED),
        copy(x_amz_copy_source_if_none_match=ETAG).gives(FAILED),
        copy(x_amz_copy_source_if_unmodified_since=LONG_AGO).gives(FAILED),
        copy(x_amz_copy_source_if_match=ETAG, x_amz_copy_source_if_unmodified_since=LONG_AGO)
        .gives(COPIED)
        .elsewhere(FAILED, f"{COPY_OBJECT}: x-amz-copy-source-if-match makes …-if-unmodified-since void"),
        copy(x_amz_copy_source_if_modified_since=LONG_AGO).gives(COPIED),
        copy(if_none_match="*").gives(FAILED).elsewhere(COPIED, f"{COPY_OBJECT}: If-None-Match, since October 2025"),
        copy(if_match='"other"').gives(FAILED).elsewhere(COPIED, f"{COPY_OBJECT}: If-Match, since October 2025"),
        copy(if_match=ETAG).gives(COPIED),
    ],
    "a copy of what is not there": [
        copy("{bucket}/absent", x_amz_copy_source_if_match=ETAG).gives(ABSENT),
        copy("no-such-bucket-anywhere/a").gives("404 NoSuchBucket"),
        copy("nonsense").gives("400 InvalidArgument"),
    ],
    "a pre-flight": [
        preflight(origin="https://app.test", access_control_request_method="PUT").gives("403 AccessForbidden"),
        Ask("PUT", "", {"cors": ""}, {"content-md5": digest("md5", CORS.encode())}, body=CORS.encode()).gives("200"),
        preflight(
            origin="https://app.test",
            access_control_request_method="PUT",
            access_control_request_headers="content-type,if-none-match",
        )
        .gives("200")
        .telling(
            access_control_allow_origin="https://app.test",
            access_control_allow_methods="PUT, GET",
            access_control_allow_headers="content-type, if-none-match",
            access_control_expose_headers="ETag",
            access_control_max_age="300",
        ),
        preflight(origin="https://evil.test", access_control_request_method="PUT").gives("403 AccessForbidden"),
        preflight(origin="https://app.test", access_control_request_method="DELETE").gives("403 AccessForbidden"),
        preflight().gives("400 BadRequest"),
        put(sent={"origin": "https://app.test"})
        .gives("200")
        .telling(access_control_allow_origin="https://app.test", access_control_expose_headers="ETag"),
        put(sent={"origin": "https://app.test"}, age=61)
        .gives(DENIED)
        .telling(access_control_allow_origin="https://app.test"),
    ],
    "form as the policy has it": [
        Form(body=DATA).gives("204").telling(etag=ETAG),
        Form({"success_action_status": "201"}, body=DATA).gives(f"201 PostResponse ETag={ETAG} Key=t1/a.csv"),
        Form({"Content-Type": "text/csv"}, body=DATA).gives("204"),
        head().gives("200").telling(content_type="text/csv"),
    ],
    "form of too many or too few bytes": [
        Form(conditions=(["content-length-range", 0, 7],), body=DATA).gives("400 EntityTooLarge"),
        Form(conditions=(["content-length-range", 9, 99],), body=DATA).gives("400 EntityTooSmall"),
    ],
    "form for another key": [Form(sent={"key": "t2/a.csv"}, body=DATA).gives(DENIED)],
    "form of another type": [
        Form({"Content-Type": "text/csv"}, {"Content-Type": "text/html"}, body=DATA).gives(DENIED)
    ],
    "form expired": [Form(age=61, body=DATA).gives(DENIED)],
    "form with a wrong signature": [
        Form(sent={"x-amz-signature": "0" * 64}, body=DATA).gives(MISMATCH).elsewhere("204", POLICY)
    ],
    "form with more than the policy has": [
        Form(sent={"acl": "public-read"}, body=DATA).gives(DENIED).elsewhere("204", f"{POLICY}: every field")
    ],
    "form without a policy": [
        Form(sent={"policy": None}, body=DATA).gives(DENIED).elsewhere("204", "the bucket is private")
    ],
    "form of other bytes": [
        Form({"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": digest("sha256", b"")}, body=DATA)
        .gives("400 BadDigest")
        .elsewhere("400 InvalidRequest", f"{ERRORS}: BadDigest is for Content-MD5 and checksums")
    ],
    **MULTIPART,
}
