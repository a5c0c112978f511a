"""What a file is, by its bytes. Its name and declared type only choose between readings of the same text."""

import gzip
from pathlib import Path
from typing import IO, Final, cast

from shared.files.parsing.archive import Archive
from shared.files.parsing.containers import form_of_archive, form_of_ole, the_one_member
from shared.files.parsing.limits import Unsupported
from shared.files.parsing.sniffed import Declared, Form, Sniffed
from shared.files.parsing.source import Source
from shared.files.parsing.text_forms import HEAD_BYTES, is_binary, sniff_text

_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PDF: Final = b"%PDF-"
# Readers of PDF look for its beginning this far.
_PDF_BYTES: Final = 1024
_PARQUET: Final = b"PAR1"
_NOT_PARSED: Final = (
    (b"PK\x05\x06", "empty ZIP"),
    (b"PK\x07\x08", "split ZIP"),
    (b"PARE", "encrypted Parquet"),
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


def sniff(path: Path, declared: Declared, may_be_json: bool = True) -> Sniffed:
    """How to read it; Unsupported for what is not parsed."""
    plain = Source(path)
    head = plain.head(HEAD_BYTES)
    if head.startswith(_ZIP):
        return _in_zip(path, may_be_json)
    if head.startswith(_GZIP):
        return _inflated(path, Source(path, _gunzipped), declared, may_be_json)
    form = _binary_form(path, head)
    if form:
        return Sniffed(form, path, plain)
    _refuse_known(head)
    return sniff_text(path, plain, declared, may_be_json)


def _binary_form(path: Path, head: bytes) -> Form | None:
    if head.lstrip().startswith(_PDF) or (_PDF in head[:_PDF_BYTES] and is_binary(head)):
        return "pdf"
    if head.startswith(_PARQUET):
        return "parquet"
    return form_of_ole(path) if head.startswith(_OLE) else None


def _gunzipped(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path))


def _in_zip(path: Path, may_be_json: bool) -> Sniffed:
    archive = Archive(path)
    form = form_of_archive(archive)
    if form:
        return Sniffed(form, path, Source(path))
    member = the_one_member(archive)
    source = Source(path, lambda path: Archive(path).open_raw(member))
    return _inflated(path, source, Declared("", Path(member).suffix.lower()), may_be_json)


def _inflated(path: Path, source: Source, declared: Declared, may_be_json: bool) -> Sniffed:
    head = source.head(HEAD_BYTES)
    if head.startswith((_ZIP, _GZIP, _OLE, _PDF, _PARQUET)):
        raise Unsupported("within compressed files only text is parsed")
    _refuse_known(head)
    return sniff_text(path, source, declared, may_be_json)


def _refuse_known(head: bytes) -> None:
    for magic, name in _NOT_PARSED:
        if head.startswith(magic):
            raise Unsupported(f"{name} files are not parsed")
    if head[4:8] == b"ftyp":
        raise Unsupported("video files are not parsed")
