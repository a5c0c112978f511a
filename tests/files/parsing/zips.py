"""ZIP files and small workbooks of any content, also of such that no office program would write."""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

_RELATIONSHIPS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEET: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP of these members, deflated."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def package(kind: str, main: str, parts: Mapping[str, str | bytes]) -> bytes:
    """An Office package whose main part is `main` of a content type with `kind` in it."""
    types = f'<Types><Override PartName="/{main}" ContentType="application/vnd.{kind}.main+xml"/></Types>'
    relation = f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="{main}"/>'
    root = f'<Relationships xmlns="{_RELATIONSHIPS}">{relation}</Relationships>'
    return zipped({"[Content_Types].xml": types, "_rels/.rels": root, **parts})


def workbook(
    rows: str,
    *,
    texts: str | bytes = "",
    formats: Mapping[str, int] | None = None,
    settings: str = "",
    before: str = "",
) -> bytes:
    """A workbook of one sheet, at unusual places; `rows` is XML, `formats` are codes with their ids."""
    formats = formats or {}
    codes = "".join(f'<numFmt numFmtId="{number}" formatCode="{code}"/>' for code, number in formats.items())
    used = "".join(f'<xf numFmtId="{number}"/>' for number in (0, *formats.values()))
    related = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for name, kind, target in (
            ("s", "sharedStrings", "t.xml"),
            ("y", "styles", "/y.xml"),
            ("x", "worksheet", "../tables/a.xml"),
        )
    )
    parts = {
        "book/w.xml": f'<x:workbook xmlns:x="{_SHEET}" xmlns:r="{_OFFICE}"><x:workbookPr {settings}/>'
        '<x:sheets><x:sheet name="Data" sheetId="7" r:id="x"/></x:sheets></x:workbook>',
        "book/_rels/w.xml.rels": f'<Relationships xmlns="{_RELATIONSHIPS}">{related}</Relationships>',
        "book/t.xml": texts or f'<sst xmlns="{_SHEET}"/>',
        "y.xml": f'<styleSheet xmlns="{_SHEET}"><numFmts>{codes}</numFmts><cellXfs>{used}</cellXfs></styleSheet>',
        "tables/a.xml": f'{before}<worksheet xmlns="{_SHEET}"><sheetData>{rows}</sheetData></worksheet>',
    }
    return package("openxmlformats-officedocument.spreadsheetml.sheet", "book/w.xml", parts)


def row(*cells: str) -> str:
    """A row of cells given as XML."""
    return f"<row>{''.join(cells)}</row>"


def words(*texts: str) -> str:
    """A row of inline strings."""
    return row(*(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts))


def number(text: str, style: int = 0) -> str:
    """A cell with a number."""
    return f'<c s="{style}"><v>{text}</v></c>'
