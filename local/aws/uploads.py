"""Open multipart uploads: moto forgets when they began and stumbles over ids it never gave out."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from local.aws.authorization import iso_time
from local.aws.checksums import announced_checksums
from local.aws.refusals import Refusal
from local.aws.requests import S3Request

_UPLOAD_ID: Final = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_UPLOAD: Final = re.compile(rb"<Upload>.*?</Upload>", re.DOTALL)
_INITIATED: Final = re.compile(rb"<Initiated>[^<]*</Initiated>")
_LAST_PART: Final = 10_000


@dataclass(frozen=True)
class _Upload:
    bucket: str
    key: str
    initiated: str
    algorithm: str = ""


class Uploads:
    """Known from the answer that opened them to the one that completed or aborted them."""

    def __init__(self) -> None:
        self._open: dict[str, _Upload] = {}
        self._file: Path | None = None

    def keep_in(self, file: Path) -> None:
        """Goes on with what `file` holds, if it is there, and writes every change to it."""
        self._file = file
        if file.exists():
            rows = json.loads(file.read_text())
            self._open = {upload_id: _Upload(*row) for upload_id, row in rows.items()}

    def check(self, request: S3Request) -> None:
        """Refuses an unknown upload id, one of another key, and impossible part numbers."""
        number = request.params.get("partNumber", "1")
        if request.is_part and not (number.isdecimal() and 1 <= int(number) <= _LAST_PART):
            raise Refusal(
                "InvalidArgument",
                "Part number must be an integer between 1 and 10000, inclusive",
                ArgumentName="partNumber",
                ArgumentValue=number,
            )
        upload_id = request.upload_id
        if upload_id is None or not request.key:
            return
        upload = self._open.get(upload_id)
        if upload is None or (upload.bucket, upload.key) != request.object_id:
            raise Refusal(
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, "
                "or the upload may have been aborted or completed.",
                UploadId=upload_id,
            )
        if request.is_part and not request.is_copy:
            _check_part(request, upload.algorithm)

    def check_list(self, request: S3Request, document: bytes) -> None:
        """Refuses to join parts in another order than theirs, or without the checksums that were promised."""
        parts = _listed(document)
        numbers = [int(part["PartNumber"]) for part in parts]
        if numbers != sorted(set(numbers)):
            raise Refusal(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
                UploadId=request.upload_id or "",
            )
        algorithm = self._open[request.upload_id or ""].algorithm
        bare = [part["PartNumber"] for part in parts if algorithm and f"Checksum{algorithm.upper()}" not in part]
        if bare:
            raise Refusal(
                "InvalidRequest",
                f"The upload was created using a {algorithm} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {bare[0]} in the request.",
            )

    def note(self, request: S3Request, answer: bytes, now: float) -> None:
        """Learns from a request that succeeded."""
        if request.opens_upload and (found := _UPLOAD_ID.search(answer)):
            initiated = iso_time(now).replace("Z", ".000Z")
            algorithm = request.headers.get("x-amz-checksum-algorithm", "").lower()
            upload = _Upload(request.bucket, request.key, initiated, algorithm)
            self._open[found[1].decode()] = upload
            self._save()
        elif request.upload_id is not None and request.method in ("POST", "DELETE"):
            self._open.pop(request.upload_id, None)
            self._save()

    def dated(self, listing: bytes) -> bytes:
        """A list of uploads with the times at which they really began."""
        return _UPLOAD.sub(lambda found: self._dated(found[0]), listing)

    def _dated(self, element: bytes) -> bytes:
        found = _UPLOAD_ID.search(element)
        upload = self._open.get(found[1].decode()) if found else None
        if upload is None:
            return element
        return _INITIATED.sub(f"<Initiated>{upload.initiated}</Initiated>".encode(), element)

    def _save(self) -> None:
        if self._file is not None:
            rows = {upload_id: [u.bucket, u.key, u.initiated, u.algorithm] for upload_id, u in self._open.items()}
            self._file.write_text(json.dumps(rows))


def _check_part(request: S3Request, algorithm: str) -> None:
    """What was promised of all parts, in a header before the bytes or behind them."""
    announced = {*announced_checksums(request.headers), request.headers.get("x-amz-trailer", "").rpartition("-")[2]}
    if algorithm and algorithm not in announced:
        actual = next(iter(announced - {""}), "null")
        raise Refusal(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm}, actual checksum Type: {actual}",
        )


def _listed(document: bytes) -> list[dict[str, str]]:
    """The members of each part in a list of parts."""
    try:
        root = ElementTree.fromstring(document)  # noqa: S314
    except ElementTree.ParseError:
        root = ElementTree.Element("nothing")
    parts = [{_name(member): member.text or "" for member in part} for part in root if _name(part) == "Part"]
    if not parts or any(not part.get("PartNumber", "").isdecimal() or "ETag" not in part for part in parts):
        raise Refusal(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    return parts


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
