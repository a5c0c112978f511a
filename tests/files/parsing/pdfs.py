"""PDF files made by hand, also such as no program would write."""

import zlib
from collections.abc import Sequence

_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf(objects: Sequence[bytes]) -> bytes:
    """A file of these objects, numbered from 1; the first is the catalogue."""
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(content))
    return content + head + table + trailer


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), entries, data)


def pages(*contents: bytes) -> bytes:
    """A file with a page for each content stream object."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%b] /MediaBox [0 0 600 800] >>" % (len(contents), kids),
        _FONT,
    ]
    for number, content in enumerate(contents):
        resources = b"/Resources << /Font << /F 3 0 R >> >> /Contents %d 0 R" % (5 + 2 * number)
        objects += [b"<< /Type /Page /Parent 2 0 R %b >>" % resources, content]
    return pdf(objects)


def shown(text: str) -> bytes:
    """A content stream that shows the text."""
    return stream(b"BT /F 12 Tf 72 700 Td (%b) Tj ET" % text.encode("latin-1"))


def doubly_deflated(mebibytes: int) -> bytes:
    """A content stream whose few bytes inflate to a stream that inflates to a great many."""
    block = b" " * (1 << 20)
    deflate = zlib.compressobj(9)
    first = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    check = 1
    for _ in range(mebibytes):
        check = zlib.adler32(block, check)
    inner = first + again * (mebibytes - 1) + b"\x03\x00" + check.to_bytes(4, "big")
    return stream(zlib.compress(inner, 9), b"/Filter [/FlateDecode /FlateDecode]")


def looping_pages() -> bytes:
    """A page tree whose only branch is its own root."""
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [2 0 R] /Parent 2 0 R >>"])
