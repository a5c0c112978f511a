"""The bodies that the file routes take."""

import base64
import binascii
import re
from typing import Annotated, Any, Final
from unicodedata import category

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from shared.files.model import Status
from shared.files.multipart import Part
from shared.files.uploads import NewFile
from shared.http.requests import WHOLE

_NAME_BYTES: Final = 255
_MEDIA_TYPE: Final = re.compile(r"[\w.+!#$&^-]{1,100}/[\w.+!#$&^-]{1,100}( ?; ?[\x20-\x7e]{1,100})?", re.ASCII)
_SHA256: Final = "^([0-9a-fA-F]{64}|[0-9A-Za-z+/]{43}=)$"
_DEFAULT_TYPE: Final = "application/octet-stream"


def _file_name(name: str) -> str:
    if not 0 < len(name.encode()) <= _NAME_BYTES:
        raise ValueError(f"a name has 1 to {_NAME_BYTES} bytes")
    if any(category(character) == "Cc" for character in name):
        raise ValueError("a name has no control characters")
    return name


def _media_type(text: str) -> str:
    """Browsers send nothing for files of a kind that they do not know."""
    if text and not _MEDIA_TYPE.fullmatch(text):
        raise ValueError("not a media type")
    return text.rstrip() or _DEFAULT_TYPE


def _sha256(text: str) -> str:
    """Hex, or base64 as S3 has it; hex comes out."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise ValueError("a SHA-256 in hex or base64")
    return digest.hex()


def _documented(pattern: str, **more: int) -> Any:
    """What the API's document says of a text that is checked by a function."""
    return Field(json_schema_extra={"pattern": pattern, **more})


class NewFileBody(BaseModel):
    """`POST /files`; `multipart` asks for an upload in parts, or for none, whatever the size."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, AfterValidator(_file_name), _documented(r"^[^\x00-\x1f\x7f-\x9f]+$", maxLength=_NAME_BYTES)]
    content_type: Annotated[str, AfterValidator(_media_type), _documented(f"^({_MEDIA_TYPE.pattern})?$")] = (
        _DEFAULT_TYPE
    )
    size: Annotated[int, Field(strict=True, ge=0), WHOLE]
    sha256: Annotated[str, AfterValidator(_sha256), _documented(_SHA256)] | None = None
    session_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")] | None = None
    multipart: StrictBool | None = None

    def new_file(self) -> NewFile:
        return NewFile(
            name=self.name,
            content_type=self.content_type,
            size=self.size,
            sha256=self.sha256 or "",
            session_id=self.session_id or "",
            multipart=self.multipart,
        )


class PartBody(BaseModel):
    """One part, as S3 and Uppy name its members."""

    PartNumber: Annotated[int, Field(strict=True, ge=1, le=10_000), WHOLE]
    ETag: Annotated[str, Field(pattern=r'^"?[0-9A-Za-z+/=-]{1,100}"?$')]


class CompleteBody(BaseModel):
    """`POST /files/{id}/complete`; a single upload has no parts."""

    parts: Annotated[list[PartBody], Field(max_length=10_000)] = []

    def listed(self) -> list[Part]:
        found = [Part(part.PartNumber, part.ETag.strip('"')) for part in self.parts]
        return sorted(found, key=lambda part: part.number)


StatusFilter = Status | None
