"""What the file routes answer, for the HTTP API's document; not imported by the function."""

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from shared.errors import Conflict, LimitReached, NotFound, NotReady, Unparsable
from shared.files.model import ParseStatus, Status
from shared.http.openapi import Answer, Described

_ID: Final = "6f0d5b1f4a3c4f0e9b7a2d1c8e5f6a7b"
_ANN: Final = "5f1c7c0e-8f53-4d0e-9c2f-0d4b6a1d2c3e"
_URL: Final = f"https://uploads.s3.us-east-1.amazonaws.com/files/acme/{_ID}?X-Amz-Signature=…"


class FileParsing(BaseModel):
    """How far the parsing is; `detail` says why it failed, `summary` is of the result."""

    status: ParseStatus
    detail: str = ""
    summary: dict[str, Any] = {}


class File(BaseModel):
    """A file; changes come on the channel `file:<id>`. `reason` says why it was rejected."""

    id: str = Field(pattern="^[0-9a-f]{32}$")
    name: str
    content_type: str
    size: int = Field(ge=0)
    sha256: str | None
    owner: str
    session_id: str | None
    status: Status
    version: int = Field(ge=1)
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    parse: FileParsing
    reason: str = ""


class SingleUpload(BaseModel):
    """One PUT of exactly the declared bytes, once, with these headers."""

    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    expires_at: datetime


class MultipartUpload(BaseModel):
    """An upload in parts, in the shapes that `@uppy/aws-s3` expects; each part is signed on demand."""

    method: Literal["MULTIPART"]
    uploadId: str
    key: str
    part_size: int = Field(ge=1)
    expires_at: datetime


class NewFile(BaseModel):
    """The file's record, and how to upload its content."""

    file: File
    upload: SingleUpload | MultipartUpload


class FilePage(BaseModel):
    """Files, newest first; a page may be short, even empty, and still have a next one."""

    items: list[File]
    next_cursor: str | None


class CompletedFile(File):
    """The file, and where its content is."""

    location: str


class Download(BaseModel):
    """A short-lived address of the content."""

    url: str
    expires_at: datetime


class UploadedPart(BaseModel):
    """A part that S3 has."""

    PartNumber: int = Field(ge=1)
    Size: int = Field(ge=0)
    ETag: str


class SignedPart(BaseModel):
    """One PUT of a part; `expires` is in seconds from now."""

    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    expires_at: datetime
    expires: int


class ParsedColumn(BaseModel):
    """A column of a table, or a field of JSON objects; `type` is `mixed` where values differ."""

    name: str
    type: str
    nullable: bool
    examples: list[Any]


class ParsedFile(BaseModel):
    """What was found in the file; `limited` says why it is not of the whole file."""

    kind: Literal["table", "document", "json", "text"]
    columns: list[ParsedColumn] = Field(alias="schema")
    row_count: int | None
    preview: list[dict[str, Any]] = Field(max_length=100)
    encoding: str | None
    warnings: list[str]
    text: str = ""
    pages: int = 0
    limited: str = ""


_FILE: Final = {
    "id": _ID,
    "name": "people.csv",
    "content_type": "text/csv",
    "size": 16,
    "sha256": None,
    "owner": _ANN,
    "session_id": None,
    "status": "available",
    "version": 5,
    "created_at": "2026-11-24T09:30:00.000Z",
    "updated_at": "2026-11-24T09:30:04.120Z",
    "expires_at": None,
    "parse": {"status": "ready", "summary": {"kind": "table", "row_count": 1, "encoding": "utf-8"}},
}
_PENDING: Final = {
    **_FILE,
    "status": "pending",
    "version": 1,
    "expires_at": "2026-11-24T09:45:30.000Z",
    "parse": {"status": "pending"},
}
_SIGNED: Final = {"method": "PUT", "url": _URL, "headers": {"if-none-match": "*"}, "expires_at": _PENDING["expires_at"]}
_PARSED: Final = {
    "kind": "table",
    "schema": [{"name": "age", "type": "integer", "nullable": False, "examples": [36]}],
    "row_count": 1,
    "preview": [{"name": "Ada", "age": 36}],
    "encoding": "utf-8",
    "warnings": [],
}
_STATUS: Final = {"status": "available"}

OPERATIONS: Final[dict[str, Described]] = {
    "POST /files": Described(
        id="createFile",
        about="Promise a file, and get the address to upload it to",
        body={"name": "people.csv", "content_type": "text/csv", "size": 16},
        answers={
            201: Answer(
                about="The file's record and its upload.",
                model=NewFile,
                example={"file": _PENDING, "upload": _SIGNED},
                headers=("ETag", "Location", "Idempotent-Replayed"),
            )
        },
        problems=(NotFound, Conflict, LimitReached),
    ),
    "GET /files": Described(
        id="listFiles",
        about="List files: the caller's, a session's, or (for admins) everybody's",
        answers={
            200: Answer(about="A page of files.", model=FilePage, example={"items": [_FILE], "next_cursor": None})
        },
        problems=(NotFound,),
        examples=_STATUS,
    ),
    "GET /files/{file_id}": Described(
        id="readFile",
        about="Read what is known of a file",
        answers={
            200: Answer(about="The file.", model=File, example=_FILE, headers=("ETag",)),
            304: Answer(about="It is still the version that the caller has.", headers=("ETag",)),
        },
        problems=(NotFound,),
    ),
    "GET /files/{file_id}/content": Described(
        id="downloadFile",
        about="Download the content; with `Accept: application/json` get its address instead",
        answers={
            200: Answer(
                about="Where the content is for a while.",
                model=Download,
                example={"url": _URL, "expires_at": "2026-11-24T09:35:00.000Z"},
            ),
            307: Answer(about="The content is there for a while.", headers=("Location",)),
        },
        problems=(NotFound, Conflict, NotReady),
    ),
    "GET /files/{file_id}/parsed": Described(
        id="readParsedFile",
        about="Read what was found in a file",
        answers={200: Answer(about="The parsed result.", model=ParsedFile, example=_PARSED)},
        problems=(NotFound, Conflict, NotReady, Unparsable),
    ),
    "POST /files/{file_id}/parse": Described(
        id="parseFile",
        about="Have a file parsed again",
        answers={202: Answer(about="The file.", model=File, example={**_FILE, "parse": {"status": "pending"}})},
        problems=(NotFound, Conflict, NotReady),
    ),
    "POST /files/{file_id}/complete": Described(
        id="completeUpload",
        about="Say that the upload is done; S3's event says so too",
        body={"parts": [{"PartNumber": 1, "ETag": '"9b2cf535f27731c974343645a3985328"'}]},
        answers={
            200: Answer(
                about="The file.",
                model=CompletedFile,
                example={**_FILE, "location": f"/files/{_ID}/content"},
                headers=("ETag",),
            )
        },
        problems=(NotFound, Conflict, NotReady),
    ),
    "GET /files/{file_id}/parts": Described(
        id="listParts",
        about="List the parts that were uploaded, to go on after a break",
        answers={
            200: Answer(
                about="Parts by number.",
                model={"type": "array", "items": {"$ref": "#/components/schemas/UploadedPart"}},
                example=[{"PartNumber": 1, "Size": 16777216, "ETag": '"9b2cf535f27731c974343645a3985328"'}],
            )
        },
        problems=(NotFound, Conflict),
    ),
    "GET /files/{file_id}/parts/{number}": Described(
        id="signPart",
        about="Get the address to upload one part to",
        answers={200: Answer(about="The signed request.", model=SignedPart, example={**_SIGNED, "expires": 900})},
        problems=(NotFound, Conflict),
    ),
    "DELETE /files/{file_id}/parts": Described(
        id="abortUpload",
        about="Give up an upload in parts, which deletes its file",
        answers={204: Answer(about="It is gone.")},
        problems=(NotFound, Conflict),
    ),
    "DELETE /files/{file_id}": Described(
        id="deleteFile",
        about="Delete a file",
        answers={204: Answer(about="It is gone.")},
        problems=(NotFound,),
    ),
}
MORE_MODELS: Final = (UploadedPart,)
