"""Which of the forms of text a text is; its name and declared type only choose between readings of the same bytes."""

import re
from pathlib import Path
from typing import Final

from shared.files.parsing.dialect import delimiter_of
from shared.files.parsing.encodings import Encoding, charset_in, encoding_of, has_text_bom
from shared.files.parsing.json_line import is_value
from shared.files.parsing.limits import Unsupported
from shared.files.parsing.sniffed import Declared, Sniffed
from shared.files.parsing.source import Source

HEAD_BYTES: Final = 1 << 16
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_PROSE: Final = frozenset((".md", ".markdown", ".rst", ".log", "text/markdown", "text/x-log"))
_JSON: Final = frozenset((".json", ".geojson", "application/json", "application/geo+json"))
_NDJSON: Final = frozenset((".ndjson", ".jsonl", "application/x-ndjson", "application/jsonl"))


def is_binary(head: bytes) -> bool:
    """Whether the first bytes hold more control characters than any text does."""
    return not has_text_bom(head) and len(_CONTROL.findall(head)) > len(head) // 500


def sniff_text(path: Path, source: Source, declared: Declared, may_be_json: bool) -> Sniffed:
    """How to read it; Unsupported for what is not text."""
    head = source.head(HEAD_BYTES)
    if is_binary(head):
        raise Unsupported("the content is binary, of no format that is parsed")
    encoding = encoding_of(source, charset_in(declared.content_type))
    text = head.decode(encoding.codec, "replace").lstrip("\ufeff")
    return _Text(path, source, declared, encoding, text, len(head) < HEAD_BYTES).sniffed(may_be_json)


class _Text:
    def __init__(
        self, path: Path, source: Source, declared: Declared, encoding: Encoding, text: str, whole: bool
    ) -> None:
        self._path = path
        self._source = source
        self._declared = declared
        self._encoding = encoding
        self._text = text
        self._whole = whole

    def sniffed(self, may_be_json: bool) -> Sniffed:
        start = self._text.lstrip()
        if not start:
            return Sniffed("text", self._path, self._source, self._encoding)
        return (self._json(start) if may_be_json else None) or self._other()

    def _json(self, start: str) -> Sniffed | None:
        if self._declared.among(_NDJSON) or (start[0] in "{[" and _is_ndjson(start, self._whole)):
            return Sniffed("ndjson", self._path, self._source, self._encoding)
        declared = self._declared.among(_JSON)
        if start[0] in "{[" or declared:
            return Sniffed("json", self._path, self._source, self._encoding, certain=declared)
        return None

    def _other(self) -> Sniffed:
        text = Sniffed("text", self._path, self._source, self._encoding)
        if self._declared.among(_PROSE):
            return text
        sample = self._text if self._whole else self._text[: self._text.rfind("\n") + 1] or self._text
        delimiter = delimiter_of(sample, self._declared.delimiter())
        return Sniffed("delimited", self._path, self._source, self._encoding, delimiter) if delimiter else text


def _is_ndjson(text: str, whole: bool) -> bool:
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) > 1 and is_value(lines[0]) and (len(lines) > 2 or whole) and _starts_value(lines[1])


def _starts_value(line: str) -> bool:
    return line.lstrip()[:1] in ("{", "[")
