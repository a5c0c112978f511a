"""Open Packaging Conventions: parts are found by their relationships and types, never by their customary names."""

import posixpath
from dataclasses import dataclass
from typing import Final

from shared.files.parsing import limits
from shared.files.parsing.archive import Archive
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch
from shared.files.parsing.xml import Attributes, Handler, attribute, walk

_TYPES: Final = "[Content_Types].xml"
_ROOT: Final = ""
_SECONDS: Final = 10


@dataclass(frozen=True)
class Relation:
    """`kind` is the last part of the relationship's type, the same in transitional and strict documents."""

    id: str
    kind: str
    target: str


def is_package(names: list[str]) -> bool:
    """Whether these are the names of a package's members."""
    return _TYPES in names


def kind_of_package(archive: Archive) -> str:
    """The content type of the main part."""
    types = _Types()
    _walk(archive, _TYPES, types)
    part = main_part(archive)
    return types.overrides.get(part) or types.defaults.get(part.rpartition(".")[2].lower(), "")


def main_part(archive: Archive) -> str:
    """The document itself. Malformed when the package has none."""
    for relation in relations(archive, _ROOT):
        if relation.kind == "officeDocument":
            return relation.target
    raise Malformed("the package has no main document")


def relations(archive: Archive, part: str) -> list[Relation]:
    """Where a part leads to, within the package."""
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    if path not in archive.names:
        return []
    found = _Relations(folder)
    _walk(archive, path, found)
    return found.relations


def _walk(archive: Archive, part: str, handler: Handler) -> None:
    walk(archive.open(part), part, handler, Stopwatch(_SECONDS))


class _Types(Handler):
    def __init__(self) -> None:
        self.overrides: dict[str, str] = {}
        self.defaults: dict[str, str] = {}

    def start(self, name: str, attributes: Attributes) -> None:
        kind = attributes.get("ContentType", "")
        if name == "Override":
            self.overrides[attributes.get("PartName", "").lstrip("/")] = kind
        elif name == "Default":
            self.defaults[attributes.get("Extension", "").lower()] = kind


class _Relations(Handler):
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.relations: list[Relation] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name != "Relationship" or attributes.get("TargetMode") == "External":
            return
        if len(self.relations) == limits.ARCHIVE_ENTRIES:
            raise OverLimit("the package has too many relationships")
        target = attributes.get("Target", "")
        path = target.lstrip("/") if target.startswith("/") else posixpath.join(self._folder, target)
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.relations.append(Relation(attribute(attributes, "Id"), kind, posixpath.normpath(path)))
