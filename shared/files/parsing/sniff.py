"""What a file is, by its bytes. Its name and declared type only choose between readings of the same text."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from shared.files.parsing.dialect import delimiter_of
from shared.files.parsing.encodings import Encoding, charset_in, encoding_of, has_text_bom
from shared.files.parsing.ndjson import is_value

Form = Literal["delimited", "json", "ndjson", "text"]
_HEAD_BYTES: Final = 1 << 16
_MAGIC: Final = (
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP or Office"),
    (b"PK\x05\x06", "ZIP"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Office"),
    (b"PAR1", "Parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"RIFF", "RIFF"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"\x7fELF", "ELF"),
    (b"{\\rtf", "RTF"),
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DELIMITED: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_DELIMITED_TYPES: Final = {"text/csv": ",", "application/csv": ",", "text/tab-separated-values": "\t"}
_PROSE: Final = frozenset((".md", ".markdown", ".rst", ".log", "text/markdown", "text/x-log"))
_JSON: Final = frozenset((".json", ".geojson", "application/json", "application/geo+json"))
_NDJSON: Final = frozenset((".ndjson", ".jsonl", "application/x-ndjson", "application/jsonl"))


class Unsupported(Exception):
    """The format is known not to be parsed, or not known; the message is for the caller."""


@dataclass(frozen=True)
class Sniffed:
    """How to read the file; `certain` is False when it only looks like JSON."""

    form: Form
    encoding: Encoding
    delimiter: str = ","
    certain: bool = True


@dataclass(frozen=True)
class Declared:
    """What the uploader says: `content_type`, and the name's ending with its dot, lower case."""

    content_type: str
    suffix: str

    def among(self, known: Collection[str]) -> bool:
        return self.suffix in known or self._kind in known

    def delimiter(self) -> str:
        return _DELIMITED.get(self.suffix) or _DELIMITED_TYPES.get(self._kind, "")

    @property
    def _kind(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()


def sniff(path: Path, declared: Declared, may_be_json: bool = True) -> Sniffed:
    """How to read it; Unsupported for what is not text."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    _refuse_binary(head)
    encoding = encoding_of(path, charset_in(declared.content_type))
    text = head.decode(encoding.codec, "replace").lstrip("\ufeff")
    whole = len(head) < _HEAD_BYTES
    found = _json_form(text, encoding, declared, whole) if may_be_json else None
    return found or _text_form(text, encoding, declared, whole)


def _refuse_binary(head: bytes) -> None:
    for magic, name in _MAGIC:
        if head.startswith(magic):
            raise Unsupported(f"{name} files are not parsed")
    if head[4:8] == b"ftyp":
        raise Unsupported("video files are not parsed")
    if not has_text_bom(head) and len(_CONTROL.findall(head)) > len(head) // 500:
        raise Unsupported("the content is binary, of no format that is parsed")


def _json_form(text: str, encoding: Encoding, declared: Declared, whole: bool) -> Sniffed | None:
    start = text.lstrip()
    if not start:
        return None
    if declared.among(_NDJSON) or (start[0] in "{[" and _is_ndjson(start, whole)):
        return Sniffed("ndjson", encoding)
    if start[0] in "{[" or declared.among(_JSON):
        return Sniffed("json", encoding, certain=declared.among(_JSON))
    return None


def _text_form(text: str, encoding: Encoding, declared: Declared, whole: bool) -> Sniffed:
    if not text.strip() or declared.among(_PROSE):
        return Sniffed("text", encoding)
    sample = text if whole else text[: text.rfind("\n") + 1] or text
    delimiter = delimiter_of(sample, declared.delimiter())
    return Sniffed("delimited", encoding, delimiter) if delimiter else Sniffed("text", encoding)


def _is_ndjson(text: str, whole: bool) -> bool:
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) > 1 and is_value(lines[0]) and (len(lines) > 2 or whole) and _starts_value(lines[1])


def _starts_value(line: str) -> bool:
    return line.lstrip()[:1] in ("{", "[")
