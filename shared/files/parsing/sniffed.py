"""What is known of a file before it is read."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from shared.files.parsing.encodings import UTF_8, Encoding
from shared.files.parsing.source import Source

Form = Literal["delimited", "json", "ndjson", "text", "xlsx", "docx", "pdf", "parquet", "calamine"]
_DELIMITED: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_DELIMITED_TYPES: Final = {"text/csv": ",", "application/csv": ",", "text/tab-separated-values": "\t"}


@dataclass(frozen=True)
class Sniffed:
    """How to read a file; `certain` is False when it only looks like JSON.

    `source`, `encoding` and `delimiter` matter for forms of text, the others are read from `path`.
    """

    form: Form
    path: Path
    source: Source
    encoding: Encoding = UTF_8
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
