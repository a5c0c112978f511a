"""What a ZIP or an OLE file holds, by what is inside."""

import mmap
import re
from pathlib import Path
from typing import Final

from shared.files.parsing import limits
from shared.files.parsing.archive import Archive
from shared.files.parsing.limits import Unsupported
from shared.files.parsing.package import is_package, kind_of_package
from shared.files.parsing.sniffed import Form

_ODS: Final = b"application/vnd.oasis.opendocument.spreadsheet"
_MIMETYPE_BYTES: Final = 1 << 20
_OPEN_PACKAGING: Final[dict[str, Form]] = {
    "spreadsheetml": "xlsx",
    "sheet.binary": "calamine",
    "wordprocessingml": "docx",
}
_MANIFEST: Final = "META-INF/manifest.xml"
# A workbook's first record, maybe a write protection, then the record of a password (FILEPASS).
_LOCKED_WORKBOOK: Final = re.compile(
    rb"\x09\x08\x10\x00\x00\x06\x05\x00.{12}(\x86\x00\x00\x00)?\x2f\x00", re.DOTALL
).search
# Entries of an OLE directory lie at multiples of 128 bytes and begin with their name.
_OLE_ENTRY: Final = 128
_OLE_REFUSED: Final = {
    "EncryptedPackage": "the document is encrypted",
    "WordDocument": "old Word files are not parsed",
    "PowerPoint Document": "old PowerPoint files are not parsed",
}


def form_of_archive(archive: Archive) -> Form | None:
    """The document that the ZIP is, None when it is but a ZIP. Unsupported for documents that are not parsed."""
    names = archive.names
    if is_package(names):
        return _form_of_package(archive)
    if "mimetype" not in names:
        return None
    form = _form_by_mimetype(archive.read("mimetype", _MIMETYPE_BYTES).strip())
    if _MANIFEST in names and b":encryption-data" in archive.read(_MANIFEST, limits.PART_BYTES):
        raise Unsupported("the document is encrypted")
    return form


def _form_of_package(archive: Archive) -> Form:
    kind = kind_of_package(archive)
    for part, form in _OPEN_PACKAGING.items():
        if part in kind:
            return form
    raise Unsupported("Office files of other kinds than XLSX, XLSB and DOCX are not parsed")


def _form_by_mimetype(mimetype: bytes) -> Form:
    if mimetype.startswith(_ODS):
        return "calamine"
    raise Unsupported("of OpenDocument and other packages only spreadsheets are parsed")


def the_one_member(archive: Archive) -> str:
    """The name of the only file in the ZIP. Unsupported when there are more or none."""
    files = [name for name in archive.names if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(files) != 1:
        raise Unsupported(f"of ZIP files those with one file are parsed; this one has {len(files)}")
    return files[0]


def form_of_ole(path: Path) -> Form:
    """Old Excel workbooks are read; Unsupported for everything else in such a file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for name, reason in _OLE_REFUSED.items():
            if _has_entry(content, name):
                raise Unsupported(reason)
        if _LOCKED_WORKBOOK(content):
            raise Unsupported("the document is encrypted")
        if _has_entry(content, "Workbook") or _has_entry(content, "Book"):
            return "calamine"
    raise Unsupported("old Office files other than Excel workbooks are not parsed")


def _has_entry(content: mmap.mmap, name: str) -> bool:
    encoded = f"{name}\0".encode("utf-16-le")
    place = content.find(encoded)
    while place >= 0:
        if place % _OLE_ENTRY == 0:
            return True
        place = content.find(encoded, place + 1)
    return False
