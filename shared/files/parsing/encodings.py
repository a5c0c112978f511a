"""Which encoding a text is in: its BOM, else UTF-8 if it is valid, else what was declared, else a guess."""

import codecs
from dataclasses import dataclass
from typing import Final

from shared.files.parsing.limits import OverLimit
from shared.files.parsing.source import Source

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Encoding:
    """A codec's name; `guessed` when nothing but the absence of better evidence speaks for it."""

    codec: str
    guessed: bool = False

    @property
    def label(self) -> str:
        return "utf-8" if self.codec == "utf-8-sig" else self.codec


UTF_8: Final = Encoding("utf-8")


def has_text_bom(head: bytes) -> bool:
    """Whether a byte order mark says that this is text."""
    return any(head.startswith(bom) for bom, _ in _BOMS)


def encoding_of(source: Source, declared: str) -> Encoding:
    """`declared` is a charset name, maybe unknown or wrong, or empty.

    All of the file up to its first character beyond ASCII is looked at, and a sample from there on: what follows is
    for its reader to find.
    """
    head = source.head(4)
    for bom, codec in _BOMS:
        if head.startswith(bom):
            return Encoding(codec)
    sample = _beyond_ascii(source)
    for codec in filter(None, ("utf-8", _known(declared))):
        if _decodes(sample, codec):
            return Encoding(codec)
    if _is_damaged_utf_8(sample):
        return UTF_8
    return Encoding("cp1252" if _decodes(sample, "cp1252") else "latin-1", guessed=True)


def _beyond_ascii(source: Source) -> bytes:
    before = b""
    try:
        with source.open() as file:
            while chunk := file.read(_CHUNK):
                if not chunk.isascii():
                    before = chunk
                    return chunk + file.read(_CHUNK)
    except OverLimit:
        # Its reader will meet the limit as well.
        pass
    return before


def _is_damaged_utf_8(sample: bytes) -> bool:
    # Text of another encoding holds hardly any sequence that is UTF-8 by accident.
    text = sample.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) >= 2 * damaged


def charset_in(content_type: str) -> str:
    """The charset parameter of a Content-Type, or empty."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""


def _known(charset: str) -> str:
    try:
        info = codecs.lookup(charset)
    except LookupError:
        return ""
    # "rot13" and "zip" are codecs as well, but not of text to bytes.
    return info.name if getattr(info, "_is_text_encoding", True) else ""


def _decodes(sample: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(sample, final=len(sample) < 2 * _CHUNK)
    except UnicodeError:
        return False
    return True
