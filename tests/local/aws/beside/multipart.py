"""Uploads in parts, as `.cases` has the rest."""

import hashlib
from typing import Final

from tests.local.aws.beside.asking import Ask, Step
from tests.local.aws.beside.words import (
    ABORT,
    BROKEN,
    DATA,
    ENDED,
    ETAG,
    FAILED,
    JOINED,
    LARGE,
    LIST,
    MISMATCH,
    OPENED,
    STORED,
    checksums,
    copy,
    digest,
    get,
    head,
    join,
    open_upload,
    part,
)

MULTIPART: Final[dict[str, list[Step]]] = {
    "an upload in parts": [
        OPENED,
        part(1, LARGE).gives("200"),
        part(2).gives("200").telling(etag=ETAG),
        LIST.gives(
            f'200 ListPartsResult ETag="{hashlib.md5(LARGE).hexdigest()}" ETag={ETAG} IsTruncated=false Key=t1/a.csv '
            "NextPartNumberMarker=2 PartNumber=1 PartNumber=2 Size=5242880 Size=8"
        ),
        join((1, "{part 1}"), (2, "{part 2}")).gives(
            '200 CompleteMultipartUploadResult ETag="b1307a576a5a1d9585e2c14798458d5e-2" Key=t1/a.csv'
        ),
        join((1, "{part 1}"), (2, "{part 2}")).gives(ENDED),
        LIST.gives(ENDED),
        ABORT.gives(ENDED),
        part(3).gives(ENDED),
        copy(x_amz_copy_source_if_match="{etag}", x_amz_checksum_algorithm="SHA256").gives(FAILED),
        head().gives("200").telling(content_type="text/csv"),
        Ask("GET", query={"partNumber": "2"})
        .gives("501 NotImplemented")
        .elsewhere(r"206 a,b\n1,2\n", "the gate cannot, and says so"),
        copy(x_amz_copy_source_if_match="{etag}", x_amz_checksum_algorithm="SHA256").gives(
            f'200 CopyObjectResult ETag="{hashlib.md5(LARGE + DATA).hexdigest()}"'
        ),
        checksums("clean/a.csv").gives("200").telling(x_amz_checksum_sha256=digest("sha256", LARGE + DATA)),
    ],
    "a list page by page": [
        OPENED,
        part(1).gives("200"),
        part(2).gives("200"),
        Ask("GET", query={"uploadId": "{upload}", "max-parts": "1"}).gives(
            f"200 ListPartsResult ETag={ETAG} IsTruncated=true Key=t1/a.csv NextPartNumberMarker=1 PartNumber=1 Size=8"
        ),
        Ask("GET", query={"uploadId": "{upload}", "part-number-marker": "1"}).gives(
            f"200 ListPartsResult ETag={ETAG} IsTruncated=false Key=t1/a.csv NextPartNumberMarker=2 PartNumber=2 Size=8"
        ),
    ],
    "parts that do not fit": [
        OPENED,
        part(1).gives("200"),
        part(2).gives("200"),
        join((1, '"other"')).gives("400 InvalidPart"),
        join((3, "{part 1}")).gives("400 InvalidPart"),
        join((2, "{part 2}"), (1, "{part 1}")).gives("400 InvalidPartOrder"),
        join((1, "{part 1}"), (2, "{part 2}")).gives("400 EntityTooSmall"),
        join().gives("400 MalformedXML").elsewhere("400 InvalidRequest", "S3 itself, in apache/arrow-rs#5404"),
        part(0).gives("400 InvalidArgument"),
        part(10_001).gives("400 InvalidArgument"),
        part("x").gives("400 InvalidArgument").elsewhere(BROKEN, "API, UploadPart: from 1 to 10,000"),
        part(1, forged=("partNumber=1", "partNumber=2")).gives(MISMATCH),
        part(3, sent={"if-none-match": "*"})
        .gives("501 NotImplemented")
        .elsewhere("200", "User Guide, conditional writes: not for UploadPart"),
        head().gives("404"),
    ],
    "a part sent again": [
        OPENED,
        part(1, LARGE).gives("200"),
        part(1).gives("200"),
        join((1, "{part 1}")).gives(JOINED),
        get().gives(r"200 a,b\n1,2\n"),
    ],
    "an upload given up": [
        OPENED,
        part(1).gives("200"),
        ABORT.gives("204"),
        ABORT.gives(ENDED),
        part(1).gives(ENDED),
        join((1, "{part 1}")).gives(ENDED),
    ],
    "a join on a condition": [
        STORED,
        OPENED,
        part(1).gives("200"),
        join((1, "{part 1}"), if_none_match="*").gives(FAILED),
        join((1, "{part 1}"), if_match='"other"').gives(FAILED),
        join((1, "{part 1}"), if_match=ETAG).gives(JOINED),
    ],
    "parts with checksums": [
        open_upload(x_amz_checksum_algorithm="SHA256")
        .gives("200 InitiateMultipartUploadResult Key=t1/a.csv")
        .telling(x_amz_checksum_algorithm="SHA256", x_amz_checksum_type="COMPOSITE"),
        part(1).gives("400 InvalidRequest"),
        part(1, signed={"x-amz-checksum-sha256": digest("sha256", b"")}).gives("400 BadDigest"),
        part(1, signed={"x-amz-checksum-sha256": digest("sha256")}).gives("200"),
        join((1, "{part 1}")).gives("400 InvalidRequest"),
        join((1, "{part 1}"), checksum=f"<ChecksumSHA256>{digest('sha256')}</ChecksumSHA256>").gives(JOINED),
        checksums().gives("200").telling(x_amz_checksum_type="COMPOSITE"),
    ],
}
